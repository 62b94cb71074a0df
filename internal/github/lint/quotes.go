package lint

import "strings"

// suspect finds the quote that somebody forgot to close. A parser sees the last quote of the script without a partner;
// the missing one is earlier when a string before it runs over the end of its line and ends where a string rather begins:
//
//	echo "building
//	docker push "$IMAGE"
//
// at is where the parser stopped.
func suspect(text string, at int) int {
	q := quoteScanner{text: text}
	for q.pos < len(text) && q.pos < at {
		q.step()
	}
	if len(q.odd) > 0 && text[q.odd[0]] == text[at] {
		return q.odd[0]
	}
	return at
}

// quoteScanner passes through a script and knows what quotes it is in. It need not be exact where a script is odd in other ways:
// the parser has the last word on whether there is a fault at all.
type quoteScanner struct {
	text  string
	pos   int
	open  []int // where the enclosing quotes and $( opened
	odd   []int // where the suspicious strings opened
	terms []string
}

func (q *quoteScanner) within() byte {
	if len(q.open) == 0 {
		return 0
	}
	return q.text[q.open[len(q.open)-1]]
}

func (q *quoteScanner) step() {
	c, in := q.text[q.pos], q.within()
	switch {
	case in == '\'':
		if c == '\'' {
			q.close()
		}
	case c == '\\':
		q.pos++
	case c == '"' && in == '"':
		q.close()
	case c == '"', c == '\'' && in != '"':
		q.open = append(q.open, q.pos)
	case strings.HasPrefix(q.text[q.pos:], "$("):
		q.open = append(q.open, q.pos)
		q.pos++
	case c == ')' && in == '$':
		q.open = q.open[:len(q.open)-1]
	case in == '"':
	case c == '#' && (q.pos == 0 || strings.ContainsRune(" \t\n;", rune(q.text[q.pos-1]))):
		q.skipLine()
		return
	case strings.HasPrefix(q.text[q.pos:], "<<") && !strings.HasPrefix(q.text[q.pos:], "<<<"):
		if term := terminator(q.text[q.pos:]); term != "" {
			q.terms = append(q.terms, term)
		}
		q.pos++
	case c == '\n':
		q.skipHeredocs()
	}
	q.pos++
}

// close ends a string, and judges it.
func (q *quoteScanner) close() {
	start := q.open[len(q.open)-1]
	q.open = q.open[:len(q.open)-1]
	if !strings.Contains(q.text[start:q.pos], "\n") {
		return
	}
	before, after := q.text[q.pos-1], byte('\n')
	if q.pos+1 < len(q.text) {
		after = q.text[q.pos+1]
	}
	if strings.ContainsRune(" \t=(", rune(before)) && !strings.ContainsRune(" \t\n;|&)<>\"'", rune(after)) {
		q.odd = append(q.odd, start)
	}
}

func (q *quoteScanner) skipLine() {
	if i := strings.IndexByte(q.text[q.pos:], '\n'); i >= 0 {
		q.pos += i
		return
	}
	q.pos = len(q.text)
}

// terminator is the word that ends the here-document that text begins.
func terminator(text string) string {
	word := strings.TrimLeft(strings.TrimPrefix(strings.TrimPrefix(text, "<<"), "-"), " \t")
	end := strings.IndexAny(word, " \t\n;|&)<>")
	if end < 0 {
		end = len(word)
	}
	return strings.Trim(word[:end], `"'\`)
}

// skipHeredocs passes the here-documents that begin behind the line break at pos, and stops at the end of their last line.
func (q *quoteScanner) skipHeredocs() {
	for _, term := range q.terms {
		for {
			q.pos++
			line, _, found := strings.Cut(q.text[min(q.pos, len(q.text)):], "\n")
			q.pos += len(line)
			if !found || strings.TrimLeft(line, "\t") == term {
				break
			}
		}
	}
	q.terms = nil
}
