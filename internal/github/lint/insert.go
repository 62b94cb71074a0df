package lint

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// offsetOf is where a node begins in the file.
func (c *checker) offsetOf(n *yaml.Node) int { return c.src.offset(n.Line, n.Column) }

// insertEntry is the edit that adds an entry to a mapping: behind its last line where that is surely one entry, or else in
// front of the first entry.
func (c *checker) insertEntry(m field, entry string) (*Edit, bool) {
	fields := entries(m.val)
	if len(fields) == 0 || m.val.Anchor != "" || m.val.Line < m.key.Line {
		return nil, false // an alias, or nothing to stand beside
	}
	at := c.offsetOf(fields[0].key)
	if last := fields[len(fields)-1]; !flow(m.val) && c.oneLine(last) {
		end := c.src.lineEnd(c.offsetOf(last.key))
		indent, alone := c.src.indentation(c.offsetOf(last.key))
		return &Edit{Start: end, End: end, Text: c.src.newline() + indent + entry}, alone
	}
	if flow(m.val) {
		return &Edit{Start: at, End: at, Text: entry + ", "}, true
	}
	return c.lineAt(at, entry)
}

// oneLine tells whether an entry is a key and a scalar behind it on its line.
func (c *checker) oneLine(f field) bool {
	if f.val.Kind != yaml.ScalarNode || f.val.Line != f.key.Line || f.val.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		return false
	}
	text := newScalar(c.src, f.val, f.key.Column-1)
	_, end := text.span(0, len(text.value))
	return text.exact() && end <= c.src.lineEnd(c.offsetOf(f.key))
}

// insertBefore is the edit that puts a key with one entry below it in front of another key of a mapping in block style.
func (c *checker) insertBefore(key *yaml.Node, name string, list ...string) (*Edit, bool) {
	at := c.offsetOf(key)
	indent := strings.Repeat(" ", key.Column-1)
	nl := c.src.newline()
	var b strings.Builder
	b.WriteString(name + nl)
	for _, entry := range list {
		b.WriteString(indent + "  " + entry + nl)
	}
	b.WriteString(indent)
	if before := c.src.text[c.src.lineStart(at):at]; strings.Trim(before, " -") != "" {
		return nil, false
	}
	return &Edit{Start: at, End: at, Text: b.String()}, true
}

// lineAt puts a line of the same indentation in front of what is at an offset.
func (c *checker) lineAt(at int, line string) (*Edit, bool) {
	indent, alone := c.src.indentation(at)
	if !alone {
		return nil, false
	}
	return &Edit{Start: at, End: at, Text: line + c.src.newline() + indent}, true
}

// insertAbove puts a block in front of a key at the top of the file, above the comment that belongs to the key.
func (c *checker) insertAbove(key *yaml.Node, lines ...string) (*Edit, bool) {
	at := c.offsetOf(key)
	if key.Column != 1 {
		return nil, false
	}
	for at > 0 {
		previous := c.src.lineStart(at - 1)
		if !strings.HasPrefix(c.src.text[previous:], "#") {
			break
		}
		at = previous
	}
	nl := c.src.newline()
	return &Edit{Start: at, End: at, Text: strings.Join(lines, nl) + nl + nl}, true
}
