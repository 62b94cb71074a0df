package report

import "strings"

// column is one column of a table.
type column struct {
	name string
	min  int // what it may be shortened to; 0: it may go altogether
	rank int // the order in which columns give way, 1 first; 0: it never does
}

// table is rows of cells under columns, shortened to fit.
type table struct {
	columns []column
	rows    [][]span
}

const (
	gap = 2 // between columns
	// legible is the least that is worth showing of a column that may go.
	legible = 12
)

// lines lays the table out in a number of columns of a terminal; 0: as wide as it is.
func (t *table) lines(width int) []line {
	widths := t.widths()
	if width > 0 {
		t.fit(widths, width-1) // a line that fills a terminal to its edge wraps on some
	}
	head := make([]span, len(t.columns))
	for n, c := range t.columns {
		head[n] = span{c.name, faint}
	}
	all := []line{row(head, widths)}
	for _, cells := range t.rows {
		all = append(all, row(cells, widths))
	}
	return all
}

// widths are those that nothing has to be cut for; a column without any content is left out.
func (t *table) widths() []int {
	widths := make([]int, len(t.columns))
	for n, c := range t.columns {
		for _, cells := range t.rows {
			widths[n] = max(widths[n], columnsIn(clean(cells[n].text)))
		}
		if widths[n] > 0 {
			widths[n] = max(widths[n], columnsIn(c.name))
		}
	}
	return widths
}

// fit takes columns away until the table fits, those first that give way first.
func (t *table) fit(widths []int, width int) {
	for rank := 1; rank <= len(t.columns); rank++ {
		for n, c := range t.columns {
			over := total(widths) - width
			if c.rank != rank || over <= 0 {
				continue
			}
			left := max(widths[n]-over, c.min)
			if c.min == 0 && left < legible {
				left = 0
			}
			widths[n] = left
		}
	}
}

func total(widths []int) int {
	sum := -gap
	for _, w := range widths {
		if w > 0 {
			sum += w + gap
		}
	}
	return sum
}

// row puts cells at their places.
func row(cells []span, widths []int) line {
	var l line
	for n, cell := range cells {
		if widths[n] == 0 {
			continue
		}
		if len(l) > 0 {
			l = append(l, span{strings.Repeat(" ", gap), none})
		}
		text := cut(clean(cell.text), widths[n])
		l = append(l, span{text, cell.paint}, span{strings.Repeat(" ", widths[n]-columnsIn(text)), none})
	}
	return l
}
