package lint

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// byteOrderMark may open a file; neither YAML nor a column counts it.
const byteOrderMark = "\uFEFF"

// source is the text of a file and its lines. Offsets are in bytes, lines and columns count from 1, columns in characters.
type source struct {
	text  string
	mark  string // the byte order mark, or nothing
	lines []int  // where each line starts, as editors see it: after a line feed
	// yaml is where each line starts for YAML's parser, which also ends lines at a lone carriage return and at
	// Unicode's separators (YAML 1.1 §4.2).
	yaml []int
}

func newSource(content []byte) *source {
	text := string(content)
	s := &source{}
	if rest, found := strings.CutPrefix(text, byteOrderMark); found {
		text, s.mark = rest, byteOrderMark
	}
	s.text, s.lines, s.yaml = text, []int{0}, []int{0}
	for i := 0; i < len(text); {
		width := breakWidth(text[i:])
		if width == 0 {
			i++
			continue
		}
		i += width
		s.yaml = append(s.yaml, i)
		if text[i-1] == '\n' {
			s.lines = append(s.lines, i)
		}
	}
	return s
}

// breakWidth is the length of the line break that s starts with; 0: none.
func breakWidth(s string) int {
	switch {
	case strings.HasPrefix(s, "\r\n"):
		return len("\r\n")
	case strings.HasPrefix(s, "\n"), strings.HasPrefix(s, "\r"):
		return 1
	case strings.HasPrefix(s, "\u0085"):
		return len("\u0085")
	case strings.HasPrefix(s, "\u2028"), strings.HasPrefix(s, "\u2029"):
		return len("\u2028")
	}
	return 0
}

// offset is where YAML's parser means by a line and a column, held within the text.
func (s *source) offset(line, column int) int {
	if line < 1 {
		return 0
	}
	if line > len(s.yaml) {
		return len(s.text)
	}
	at := s.yaml[line-1]
	for ; column > 1 && at < len(s.text); column-- {
		if breakWidth(s.text[at:]) > 0 {
			break
		}
		_, width := utf8.DecodeRuneInString(s.text[at:])
		at += width
	}
	return at
}

// position is the line and the column of an offset.
func (s *source) position(offset int) (line, column int) {
	offset = min(max(offset, 0), len(s.text))
	line = sort.SearchInts(s.lines, offset+1)
	return line, utf8.RuneCountInString(s.text[s.lines[line-1]:offset]) + 1
}

// lineStart is the offset of the first character of the line that offset is in.
func (s *source) lineStart(offset int) int {
	line, _ := s.position(offset)
	return s.lines[line-1]
}

// lineEnd is the offset of the line break, or of the end of the text, behind offset.
func (s *source) lineEnd(offset int) int {
	if i := strings.IndexByte(s.text[offset:], '\n'); i >= 0 {
		end := offset + i
		if end > offset && s.text[end-1] == '\r' {
			end--
		}
		return end
	}
	return len(s.text)
}

// newline is the line break that the file uses.
func (s *source) newline() string {
	if i := strings.IndexByte(s.text, '\n'); i > 0 && s.text[i-1] == '\r' {
		return "\r\n"
	}
	return "\n"
}

// indentation is the white space before an offset on its line, when there is nothing else.
func (s *source) indentation(offset int) (string, bool) {
	before := s.text[s.lineStart(offset):offset]
	return before, strings.Trim(before, " ") == ""
}
