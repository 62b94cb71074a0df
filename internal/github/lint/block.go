package lint

// block reads a block scalar, from its indicator on.
func (r *scalarReader) block(parent int, literal bool) {
	keep, indent := r.header(parent)
	var trailing []lineBreak
	trailing, indent = r.blockBreaks(indent, parent)
	var leading *lineBreak
	leadingBlank := false
	for r.more() && r.column() == indent && r.breakHere() == 0 {
		trailingBlank := r.blankHere()
		if leading != nil {
			if !literal && leading.text == "\n" && !leadingBlank && !trailingBlank {
				if len(trailing) == 0 {
					r.emit(" ", leading.from)
				}
			} else {
				r.emit(leading.text, leading.from)
			}
			leading = nil
		}
		r.emitBreaks(trailing)
		trailing = nil
		leadingBlank = r.blankHere()
		for r.more() && r.breakHere() == 0 {
			r.copyRune()
		}
		if !r.more() {
			break
		}
		b := r.takeBreak()
		leading = &b
		trailing, _ = r.blockBreaks(indent, parent)
	}
	if leading != nil && keep >= clip {
		r.emit(leading.text, leading.from)
	}
	if keep == keepAll {
		r.emitBreaks(trailing)
	}
}

// chomping is what becomes of the line breaks at the end of a block scalar.
type chomping int

const (
	strip   chomping = iota // none stays: |-
	clip                    // one stays: |
	keepAll                 // all stay: |+
)

// header reads what follows the indicator of a block scalar on its line: chomping and indentation, in any order.
// Its indent is 0 when the text has to tell.
func (r *scalarReader) header(parent int) (keep chomping, indent int) {
	keep = clip
	if r.more() {
		r.pos++ // the indicator
	}
	for r.more() && r.breakHere() == 0 {
		switch c := r.text[r.pos]; {
		case c == '-':
			keep = strip
		case c == '+':
			keep = keepAll
		case c >= '1' && c <= '9':
			indent = max(parent, 0) + int(c-'0')
		case c == '#':
			for r.more() && r.breakHere() == 0 {
				r.pos++
			}
			continue
		}
		r.pos++
	}
	if r.more() {
		r.takeBreak()
	}
	return keep, indent
}

// column counts from 0, in bytes: it is only asked within indentation.
func (r *scalarReader) column() int {
	column := 0
	for i := r.pos - 1; i >= 0 && r.text[i] == ' '; i-- {
		column++
	}
	return column
}

// blockBreaks passes the empty lines before the next line of text, and that line's indentation. It finds the
// indentation out when indent is 0.
func (r *scalarReader) blockBreaks(indent, parent int) ([]lineBreak, int) {
	var breaks []lineBreak
	deepest := 0
	for {
		column := 0
		for (indent == 0 || column < indent) && r.more() && r.text[r.pos] == ' ' {
			r.pos++
			column++
		}
		deepest = max(deepest, column)
		if !r.more() || r.breakHere() == 0 {
			break
		}
		breaks = append(breaks, r.takeBreak())
	}
	if indent == 0 {
		indent = max(deepest, parent+1, 1)
	}
	return breaks, indent
}
