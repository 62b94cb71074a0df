package lint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	"mvdan.cc/sh/v3/syntax"
)

// runnerVariables hold properties that need no `env:` of their own.
var runnerVariables = map[string]string{
	"github.head_ref": "GITHUB_HEAD_REF", "github.base_ref": "GITHUB_BASE_REF", "github.ref": "GITHUB_REF", "github.ref_name": "GITHUB_REF_NAME",
}

// intoEnv is the fix that hands an expression to the script as a variable. There is none where a variable would not mean
// the same: where the shell, or another program, takes the text for code or for several words.
func (c *checker) intoEnv(s *step, e expression) *Fix {
	sc := s.script
	if sc.file == nil || sc.err != nil || !sc.canEdit() || flow(s.node) || s.run.key.Line == 0 || e.node == nil {
		return nil
	}
	place := placeOf(sc, e)
	if place == nowhere {
		return nil
	}
	name, added, ok := c.variableFor(s, e)
	if !ok {
		return nil
	}
	text := "${" + name + "}"
	switch place {
	case inWord:
		text = `"` + text + `"`
	case inSingle:
		text = `'"` + text + `"'`
	}
	from, to := e.start, e.end
	if place == inSingle && from > 0 && to < len(sc.value) && sc.value[from-1] == '\'' && sc.value[to] == '\'' && !strings.HasSuffix(sc.value[:from], "''") {
		from, to, text = from-1, to+1, strings.Trim(text, "'") // the string is nothing else
	}
	edit := sc.replace(from, to, text)
	isPlainScalar := sc.node.Style&(yaml.LiteralStyle|yaml.FoldedStyle|yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) == 0
	if isPlainScalar && e.start == 0 || edit.End <= edit.Start || !strings.HasSuffix(c.src.text[edit.Start:edit.End], sc.value[to-1:to]) {
		return nil // a quote at the beginning would change what kind of scalar it is
	}
	edits := []Edit{edit}
	if added != nil {
		edits = append(edits, *added)
	}
	return &Fix{Title: "hand ${{ " + e.text + " }} over as $" + name, Edits: edits}
}

// placed is what surrounds an expression in a script.
type placed int

const (
	nowhere  placed = iota // where a variable would not do
	inWord                 // without quotes
	inDouble               // in double quotes, or in a here-document that is expanded
	inSingle
)

// placeOf finds out what surrounds an expression.
func placeOf(sc *script, e expression) placed {
	found := nowhere
	var stack []syntax.Node
	syntax.Walk(sc.file, func(n syntax.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		if from, to := span(n); from <= e.start && e.end <= to && found == nowhere {
			switch leaf := n.(type) {
			case *syntax.Lit:
				found = placeOfLit(sc, stack, leaf, e)
			case *syntax.SglQuoted:
				if !leaf.Dollar && !isCode(stack) {
					found = inSingle
				}
			}
		}
		stack = append(stack, n)
		return true
	})
	return found
}

func placeOfLit(sc *script, stack []syntax.Node, lit *syntax.Lit, e expression) placed {
	if len(stack) < 2 || isCode(stack) {
		return nowhere
	}
	switch parent := stack[len(stack)-1].(type) {
	case *syntax.DblQuoted:
		return inDouble
	case *syntax.Word:
		switch outer := stack[len(stack)-2].(type) {
		case *syntax.Redirect:
			if outer.Hdoc != parent {
				return inWord
			}
			if strings.ContainsAny(sc.original(outer.Word), `'"\`) {
				return nowhere // nothing is expanded in it
			}
			return inDouble
		case *syntax.CallExpr:
			if len(outer.Args) > 0 && outer.Args[0] == parent && int(lit.Pos().Offset()) == e.start {
				return nowhere // a program's name, and maybe its arguments
			}
			if severalWords(e) {
				return nowhere
			}
			return inWord
		case *syntax.Assign, *syntax.BinaryTest, *syntax.UnaryTest:
			return inWord
		case *syntax.DeclClause:
			return inWord
		}
	}
	return nowhere
}

// interpreters take text that they are given for code.
var interpreters = []string{"eval", "bash", "sh", "zsh", "dash", "ssh", "su", "xargs", "python", "python3", "node", "perl", "ruby", "awk", "trap"}

// isCode tells whether the text goes to a program that takes it for code, or is part of something that is no plain word.
func isCode(stack []syntax.Node) bool {
	for _, n := range stack {
		switch n := n.(type) {
		case *syntax.CallExpr:
			if len(n.Args) > 0 && slices.Contains(interpreters, n.Args[0].Lit()) {
				return true
			}
		case *syntax.ArithmExp, *syntax.ArithmCmd, *syntax.ParamExp, *syntax.ExtGlob, *syntax.ProcSubst:
			return true
		case *syntax.Stmt:
			if slices.ContainsFunc(n.Redirs, func(r *syntax.Redirect) bool { return r.Hdoc != nil }) && isInterpreter(n) {
				return true
			}
		}
	}
	return false
}

func isInterpreter(s *syntax.Stmt) bool {
	call, ok := s.Cmd.(*syntax.CallExpr)
	return ok && len(call.Args) > 0 && slices.Contains(interpreters, call.Args[0].Lit())
}

// severalWords tells whether an expression's name says that it holds more than one argument.
func severalWords(e expression) bool {
	for _, read := range flows(e.node) {
		for _, hint := range []string{"args", "flags", "options", "opts", "arguments", "command", "services", "tags", "files"} {
			if strings.HasSuffix(read, hint) {
				return true
			}
		}
	}
	return false
}

// variableFor finds a variable that holds an expression, or the edit that adds one.
func (c *checker) variableFor(s *step, e expression) (name string, added *Edit, ok bool) {
	read := property(e.node)
	if name := runnerVariables[read]; name != "" {
		return name, nil, true
	}
	if strings.HasPrefix(read, "env.") && variablePattern.MatchString(e.text[len("env."):]) && !strings.Contains(s.script.masked, e.text[len("env."):]+"=") {
		return e.text[len("env."):], nil, true // every variable of the context is one of the script
	}
	env := s.get("env")
	for _, f := range entries(env.val) {
		if found, _ := expressions(f.val.Value); len(found) == 1 && found[0].text == e.text && strings.TrimSpace(f.val.Value) == f.val.Value[found[0].start:found[0].end] {
			return f.key.Value, nil, true
		}
	}
	base := variableName(e)
	if base == "" {
		return "", nil, false
	}
	name = base
	for i := 2; c.taken(s, name); i++ {
		name = fmt.Sprintf("%s_%d", base, i)
	}
	entry := name + ": ${{ " + e.text + " }}"
	if strings.ContainsAny(e.text, "\n\r#") || strings.Contains(e.text, ": ") {
		return "", nil, false
	}
	if env.there() && flow(env.val) {
		entry = name + `: "${{ ` + e.text + ` }}"` // braces of its own would end the mapping
		if strings.ContainsAny(e.text, `"\`) {
			return "", nil, false
		}
	}
	if env.there() {
		edit, ok := c.insertEntry(env, entry)
		return name, edit, ok
	}
	edit, ok := c.insertBefore(s.run.key, "env:", entry)
	return name, edit, ok
}

var variablePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// taken tells whether a variable of this name exists or is set by the script.
func (c *checker) taken(s *step, name string) bool {
	return s.envOf(name) != nil || strings.Contains(s.script.masked, name)
}

// variableName makes a name of the property that an expression reads: INPUT_TAG of inputs.tag.
func variableName(e expression) string {
	paths := flows(e.node)
	if len(paths) == 0 {
		return ""
	}
	parts := strings.Split(paths[0], ".")
	switch {
	case parts[0] == "inputs" && len(parts) > 1:
		parts = append([]string{"INPUT"}, parts[1:]...)
	case len(parts) > 2 && parts[0] == "github" && parts[1] == "event":
		parts = parts[2:]
		if parts[0] == "inputs" {
			parts[0] = "INPUT"
		}
	case parts[0] == "steps" && len(parts) == 4:
		parts = []string{parts[1], parts[3]}
	case parts[0] == "needs" && len(parts) == 4:
		parts = []string{parts[1], parts[3]}
	case parts[0] == "github" && len(parts) > 1:
		parts = append([]string{"GH"}, parts[1:]...)
	case len(parts) > 1:
		parts = parts[1:]
	}
	name := strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, strings.Join(parts, "_")), "_")
	switch {
	case name == "":
		return "VALUE"
	case name[0] >= '0' && name[0] <= '9', strings.HasPrefix(name, "GITHUB_"), strings.HasPrefix(name, "RUNNER_"):
		return "VALUE_" + name // no name of a variable, or the runner's own
	}
	return name
}
