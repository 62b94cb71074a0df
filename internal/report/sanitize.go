package report

import (
	"regexp"
	"strings"
	"unicode"
)

// sequences are the escape sequences that programs colour their output with (ECMA-48 CSI and OSC).
var sequences = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(\x07|\x1b\\\\)?|\u009b[0-?]*[ -/]*[@-~]")

// clean makes one line of foreign text (log lines, ECS's messages) harmless: colours vanish, and control characters,
// which could move a terminal's cursor, become visible, as do the marks that reverse the direction of text.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexFunc(s, unsafe) < 0 {
		return s
	}
	s = strings.TrimRight(sequences.ReplaceAllString(s, ""), "\r")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case unsafe(r):
			return '\uFFFD'
		}
		return r
	}, s)
}

// cleanLines is clean for text that may have several lines.
func cleanLines(s string) []string {
	var lines []string
	for line := range strings.Lines(s) {
		lines = append(lines, clean(strings.TrimRight(line, "\r\n")))
	}
	return lines
}

func unsafe(r rune) bool {
	return unicode.IsControl(r) || r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069' || r == '\u2028' || r == '\u2029'
}
