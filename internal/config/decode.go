package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// position is a place in the file, 1-based, columns in characters.
type position struct{ line, column int }

// decoder walks the file's syntax tree, fills a Config and gathers what is wrong on the way.
type decoder struct {
	file   string
	source []byte
	lines  [][]byte // of source
	env    func(string) (string, bool)
	errs   Errors
}

func newDecoder(file string, source []byte, env func(string) (string, bool)) *decoder {
	source = bytes.TrimPrefix(source, []byte("\ufeff"))
	return &decoder{file: file, source: source, lines: bytes.Split(source, []byte("\n")), env: env}
}

// fail notes one thing that is wrong.
func (d *decoder) fail(at position, hint, format string, args ...any) {
	d.errs = append(d.errs, d.errorAt(at, hint, fmt.Sprintf(format, args...)))
}

func (d *decoder) errorAt(at position, hint, message string) Error {
	at = d.clamp(at)
	return Error{File: d.file, Line: at.line, Column: at.column, Message: message, Hint: hint}
}

// clamp moves a position into the file: the parser's own can lie past the end of a line that it could not finish.
func (d *decoder) clamp(at position) position {
	at.line = min(max(at.line, 1), len(d.lines))
	width := utf8.RuneCount(bytes.TrimSuffix(d.lines[at.line-1], []byte("\r")))
	at.column = min(max(at.column, 1), width+1)
	return at
}

// decode reads the whole file into c.
func (d *decoder) decode(c *Config) {
	root := d.parse()
	if root == nil {
		return
	}
	d.object("", configKeys(c))(d, position{1, 1}, root)
	d.finish(c)
}

// parse gives the root of the only document; nil when there is none, which was noted.
func (d *decoder) parse() ast.Node {
	if at, ok := invalidUTF8(d.source); ok {
		d.fail(at, "save the file as UTF-8", "not UTF-8 text")
		return nil
	}
	file, err := parser.ParseBytes(d.source, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		d.failSyntax(err)
		return nil
	}
	var bodies []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			bodies = append(bodies, doc.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		d.fail(position{1, 1}, smallest, "the file is empty")
		return nil
	case len(bodies) > 1:
		d.fail(start(bodies[1]), `several targets go under "targets" of one document; remove the "---"`, "a second document begins here")
		return nil
	}
	return bodies[0]
}

// failSyntax turns the YAML parser's error into ours: it stops at the first, but tabs are all found.
func (d *decoder) failSyntax(err error) {
	if tabs := indentingTabs(d.lines); len(tabs) > 0 {
		for _, at := range tabs {
			d.fail(at, "indent with spaces", "a tab in the indentation")
		}
		return
	}
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil || syntax.Token.Position == nil {
		message, _, _ := strings.Cut(err.Error(), "\n")
		d.fail(position{1, 1}, syntaxHint(message), "not YAML: %s", message)
		return
	}
	at := position{syntax.Token.Position.Line, syntax.Token.Position.Column}
	d.fail(at, syntaxHint(syntax.Message), "not YAML: %s", syntax.Message)
}

// syntaxHint says what usually causes a message of the YAML parser.
func syntaxHint(message string) string {
	switch {
	case strings.Contains(message, "mapping value is not allowed"):
		return `a second ": " in one line needs quotes; a line that is indented deeper than its key needs to be moved left`
	case strings.Contains(message, "end character"), strings.Contains(message, "not found"):
		return "close what was opened here"
	case strings.Contains(message, "cannot start any token"):
		return "put the value in quotes"
	}
	return "check quotes, brackets and indentation around here"
}

// invalidUTF8 finds the first byte that is not UTF-8 text; NUL counts, it marks UTF-16 and binaries.
func invalidUTF8(source []byte) (position, bool) {
	at := position{1, 1}
	for rest := source; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case (r == utf8.RuneError && size == 1) || r == 0:
			return at, true
		case r == '\n':
			at = position{at.line + 1, 1}
		default:
			at.column++
		}
		rest = rest[size:]
	}
	return position{}, false
}

// indentingTabs finds the first tab in the leading white space of every line that has one.
func indentingTabs(lines [][]byte) []position {
	var found []position
	for i, line := range lines {
		text := bytes.TrimLeft(line, " \t")
		indent := line[:len(line)-len(text)]
		if at := bytes.IndexByte(indent, '\t'); at >= 0 && len(bytes.TrimSpace(text)) > 0 {
			found = append(found, position{i + 1, at + 1})
		}
	}
	return found
}

// start is where a node begins: for a mapping its first key, not the colon that the parser calls its token.
func start(n ast.Node) position {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return start(n.Values[0])
		}
	case *ast.MappingValueNode:
		return start(n.Key)
	}
	token := n.GetToken()
	if token == nil || token.Position == nil {
		return position{1, 1}
	}
	return position{token.Position.Line, token.Position.Column}
}
