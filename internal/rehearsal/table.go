package rehearsal

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// WriteTable writes a table in Markdown that is also readable as it is. Every line has as many cells as the header.
func WriteTable(out io.Writer, header []string, lines [][]string) {
	widths := make([]int, len(header))
	rule := make([]string, len(header))
	all := slices.Concat([][]string{header}, lines)
	for _, line := range all {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for i, width := range widths {
		rule[i] = strings.Repeat("-", width)
	}
	for _, line := range slices.Insert(all, 1, rule) {
		for i, cell := range line {
			fmt.Fprintf(out, "| %-*s ", widths[i], cell)
		}
		fmt.Fprintln(out, "|")
	}
}
