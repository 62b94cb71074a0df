package lint

import (
	"regexp"
	"strings"
)

// pardon is a comment that says that a problem is known and wanted: # medusa-deploy: ignore MW046
var pardon = regexp.MustCompile(`#\s*medusa-deploy:\s*ignore((?:[\s,]+MW\d{3})+)`)

// pardoned tells whether a comment on the problem's line, or alone on the line above, asks not to speak of it.
func (c *checker) pardoned(p Problem) bool {
	if strings.Contains(c.line(p.Line), "#") && pardons(c.line(p.Line), p.Code) {
		return true
	}
	above := strings.TrimLeft(c.line(p.Line-1), " \t")
	return strings.HasPrefix(above, "#") && pardons(above, p.Code)
}

func pardons(line, code string) bool {
	m := pardon.FindStringSubmatch(line)
	return m != nil && strings.Contains(m[1], code)
}

// line is the text of a line, counted from 1; empty when there is no such line.
func (c *checker) line(n int) string {
	if n < 1 || n > len(c.src.lines) {
		return ""
	}
	start := c.src.lines[n-1]
	return c.src.text[start:c.src.lineEnd(start)]
}
