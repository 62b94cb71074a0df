package lint

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// scalar is the value of a YAML scalar, with the place in the file that each of its bytes comes from.
type scalar struct {
	node  *yaml.Node
	value string
	at    []int // source offset of each byte of value, and of its end; nil: only the scalar's start is known
	start int   // source offset of the node
}

// newScalar finds out where a scalar's text stands in the file. parent is the indentation, in columns, of the block that
// the scalar is in: it decides where a block scalar ends. A value whose reading here differs from the YAML parser's keeps
// only its start.
func newScalar(src *source, n *yaml.Node, parent int) *scalar {
	s := &scalar{node: n, value: n.Value, start: src.offset(n.Line, n.Column)}
	r := &scalarReader{text: src.text, pos: skipProperties(src.text, s.start), length: len(n.Value)}
	switch {
	case n.Style&yaml.LiteralStyle != 0:
		r.block(parent, true)
	case n.Style&yaml.FoldedStyle != 0:
		r.block(parent, false)
	case n.Style&yaml.SingleQuotedStyle != 0:
		r.quoted('\'')
	case n.Style&yaml.DoubleQuotedStyle != 0:
		r.quoted('"')
	default:
		r.plain()
	}
	if r.out.String() == n.Value {
		s.at = append(r.at, r.pos)
	}
	return s
}

// exact tells whether places within the value are known.
func (s *scalar) exact() bool { return s.at != nil }

// source is the file offset of a byte of the value.
func (s *scalar) source(offset int) int {
	if s.at == nil || offset < 0 || offset >= len(s.at) {
		return s.start
	}
	return s.at[offset]
}

// span is the piece of the file that a piece of the value comes from.
func (s *scalar) span(from, to int) (start, end int) {
	start = s.source(from)
	if to <= from {
		return start, start
	}
	return start, s.source(to-1) + 1
}

// skipProperties passes an anchor and a tag before a node.
func skipProperties(text string, pos int) int {
	for pos < len(text) {
		switch text[pos] {
		case '&':
			pos++
			for pos < len(text) && isNameByte(text[pos]) {
				pos++
			}
		case '!':
			for pos < len(text) && !isBlank(text[pos]) && breakWidth(text[pos:]) == 0 {
				pos++
			}
		case ' ', '\t', '\n', '\r':
			pos++
		case '#':
			for pos < len(text) && breakWidth(text[pos:]) == 0 {
				pos++
			}
		default:
			return pos
		}
	}
	return pos
}

// isNameByte tells what YAML's parser takes for part of an anchor's name.
func isNameByte(b byte) bool {
	return b > ' ' && b < 0x7f && !strings.ContainsRune(":[]{},", rune(b))
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' }

// scalarReader reads one scalar the way YAML's parser does (YAML 1.1 §9), and remembers where each byte came from.
type scalarReader struct {
	text   string
	pos    int
	length int // of the value, to know where a plain scalar ends
	out    strings.Builder
	at     []int
}

func (r *scalarReader) more() bool { return r.pos < len(r.text) }

func (r *scalarReader) breakHere() int { return breakWidth(r.text[r.pos:]) }

func (r *scalarReader) blankHere() bool { return r.more() && isBlank(r.text[r.pos]) }

// emit adds text that comes from one place.
func (r *scalarReader) emit(s string, from int) {
	r.out.WriteString(s)
	for range len(s) {
		r.at = append(r.at, from)
	}
}

// copyRune takes the next character as it is.
func (r *scalarReader) copyRune() {
	_, width := utf8.DecodeRuneInString(r.text[r.pos:])
	for i := range width {
		r.out.WriteByte(r.text[r.pos+i])
		r.at = append(r.at, r.pos+i)
	}
	r.pos += width
}

// lineBreak is a break as the parser hands it on: a line feed, but for Unicode's separators.
type lineBreak struct {
	text string
	from int
}

func (r *scalarReader) takeBreak() lineBreak {
	width := r.breakHere()
	b := lineBreak{text: "\n", from: r.pos}
	if raw := r.text[r.pos : r.pos+width]; raw == "\u2028" || raw == "\u2029" {
		b.text = raw
	}
	r.pos += width
	return b
}

func (r *scalarReader) emitBreaks(breaks []lineBreak) {
	for _, b := range breaks {
		r.emit(b.text, b.from)
	}
}

// fold passes the white space and the line breaks between two words of a flow scalar, and emits what they mean.
// escaped says that the first break was escaped, and so means nothing.
func (r *scalarReader) fold(escaped bool) {
	blanks := r.pos
	var first *lineBreak
	var rest []lineBreak
	broken := escaped
	for r.more() && (r.blankHere() || r.breakHere() > 0) {
		if r.blankHere() {
			r.pos++
			continue
		}
		b := r.takeBreak()
		if !broken {
			first, broken = &b, true
		} else {
			rest = append(rest, b)
		}
	}
	switch {
	case !broken:
		for i := blanks; i < r.pos; i++ {
			r.emit(r.text[i:i+1], i)
		}
	case first != nil && first.text == "\n" && len(rest) == 0:
		r.emit(" ", first.from)
	case first != nil && first.text != "\n":
		r.emit(first.text, first.from)
		r.emitBreaks(rest)
	default:
		r.emitBreaks(rest)
	}
}

// plain reads a scalar without quotes. Its end is known from the length of the value.
func (r *scalarReader) plain() {
	for r.more() && r.out.Len() < r.length {
		if r.blankHere() || r.breakHere() > 0 {
			r.fold(false)
			continue
		}
		r.copyRune()
	}
}

func (r *scalarReader) quoted(quote byte) {
	if !r.more() || r.text[r.pos] != quote {
		return
	}
	r.pos++
	for r.more() {
		c := r.text[r.pos]
		switch {
		case c == quote && quote == '\'' && strings.HasPrefix(r.text[r.pos:], "''"):
			r.emit("'", r.pos)
			r.pos += 2
		case c == quote:
			return
		case c == '\\' && quote == '"':
			r.escape()
		case isBlank(c) || r.breakHere() > 0:
			r.fold(false)
		default:
			r.copyRune()
		}
	}
}

// escapes are the characters that a backslash names (YAML 1.1 §5.7).
var escapes = map[byte]string{
	'0': "\x00", 'a': "\a", 'b': "\b", 't': "\t", '\t': "\t", 'n': "\n", 'v': "\v", 'f': "\f", 'r': "\r", 'e': "\x1b", ' ': " ",
	'"': `"`, '/': "/", '\\': `\`, 'N': "\u0085", '_': "\u00a0", 'L': "\u2028", 'P': "\u2029", '\'': "'",
}

// hexEscapes are the escapes that name a character by its number, with how many digits they take.
var hexEscapes = map[byte]int{'x': 2, 'u': 4, 'U': 8}

func (r *scalarReader) escape() {
	from := r.pos
	r.pos++ // the backslash
	if !r.more() {
		return
	}
	if r.breakHere() > 0 {
		r.takeBreak()
		r.fold(true)
		return
	}
	c := r.text[r.pos]
	r.pos++
	digits, isHex := hexEscapes[c]
	if !isHex {
		r.emit(escapes[c], from)
		return
	}
	end := min(r.pos+digits, len(r.text))
	if code, err := strconv.ParseUint(r.text[r.pos:end], 16, 32); err == nil {
		r.emit(string(rune(code)), from)
	}
	r.pos = end
}
