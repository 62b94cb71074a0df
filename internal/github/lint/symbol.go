package lint

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
	"mvdan.cc/sh/v3/syntax"
)

// A symbol is a text with what is known put in, and a mark for what is not: "repo/app:⟦github.sha⟧". Two texts with the
// same symbol are the same at run time, as long as nothing changes a variable between them.

const (
	unknownLeft  = "⟦"
	unknownRight = "⟧"
)

func unknownSymbol(name string) string { return unknownLeft + name + unknownRight }

// names are the variables that a script's text can name.
type names struct {
	step     *step
	script   *script
	assigned map[string]string // by the script so far, or by what surrounds it
	depth    int
}

// deepest bounds how far one variable may lead to another.
const deepest = 8

func newNames(s *step) *names {
	return &names{step: s, script: s.script, assigned: map[string]string{}}
}

// defaults are the runner's own variables that stand for a property.
// https://docs.github.com/en/actions/reference/workflows-and-actions/variables
var defaultVariables = map[string]string{
	"GITHUB_SHA": "github.sha", "GITHUB_REF": "github.ref", "GITHUB_REF_NAME": "github.ref_name", "GITHUB_RUN_ID": "github.run_id",
	"GITHUB_RUN_NUMBER": "github.run_number", "GITHUB_RUN_ATTEMPT": "github.run_attempt", "GITHUB_REPOSITORY": "github.repository",
	"GITHUB_HEAD_REF": "github.head_ref", "GITHUB_BASE_REF": "github.base_ref", "GITHUB_ACTOR": "github.actor",
	"GITHUB_EVENT_NAME": "github.event_name", "GITHUB_WORKFLOW": "github.workflow", "GITHUB_TRIGGERING_ACTOR": "github.triggering_actor",
}

// assign notes what a script sets a variable to.
func (n *names) assign(a *syntax.Assign) {
	if a.Naked {
		return
	}
	if a.Append || a.Index != nil || a.Array != nil {
		n.forget(a.Name.Value)
		return
	}
	value := ""
	if a.Value != nil {
		value = n.symbol(a.Value)
	}
	n.assigned[a.Name.Value] = value
}

// forget notes that a variable has a value that nobody can tell.
func (n *names) forget(name string) { n.assigned[name] = unknownSymbol("$" + name) }

// symbol is that of a word of the script.
func (n *names) symbol(w *syntax.Word) string {
	var b strings.Builder
	for _, part := range w.Parts {
		b.WriteString(n.part(part))
	}
	return b.String()
}

func (n *names) part(part syntax.WordPart) string {
	switch p := part.(type) {
	case *syntax.Lit:
		return n.text(unescape(n.script.original(p)))
	case *syntax.SglQuoted:
		from, to := span(p)
		quoted := n.script.value[from:to]
		return n.text(strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(quoted, "$"), "'"), "'"))
	case *syntax.DblQuoted:
		var b strings.Builder
		for _, inner := range p.Parts {
			b.WriteString(n.part(inner))
		}
		return b.String()
	case *syntax.ParamExp:
		if p.Param != nil && isPlain(p) {
			return n.variable(p.Param.Value)
		}
		return n.expansion(p)
	}
	return unknownSymbol(n.script.original(part))
}

// unescape takes away line continuations, and the backslashes before other characters.
func unescape(text string) string {
	return backslash.ReplaceAllString(strings.ReplaceAll(text, "\\\n", ""), "$1")
}

var backslash = regexp.MustCompile(`\\(.)`)

// isPlain tells whether an expansion is nothing but the variable's value.
func isPlain(p *syntax.ParamExp) bool {
	return !p.Length && !p.Excl && !p.Width && p.Index == nil && p.Slice == nil && p.Repl == nil && p.Exp == nil
}

// expansion is a variable with something done to it: ${GITHUB_SHA::7}. What it is made of stays visible.
func (n *names) expansion(p *syntax.ParamExp) string {
	text := n.script.original(p)
	if p.Param == nil {
		return unknownSymbol(text)
	}
	value := strings.NewReplacer(unknownLeft, "", unknownRight, "").Replace(n.variable(p.Param.Value))
	return unknownSymbol(strings.Replace(text, p.Param.Value, value, 1))
}

// variable is the value of a variable: the script's own, the step's, the job's, the workflow's, the runner's.
func (n *names) variable(name string) string {
	if value, found := n.assigned[name]; found {
		return value
	}
	if value, found := n.env(name); found {
		return value
	}
	if property, found := defaultVariables[name]; found {
		return unknownSymbol(property)
	}
	return unknownSymbol("$" + name)
}

// env looks a variable up in the `env:` that reach the step.
func (n *names) env(name string) (string, bool) {
	if n.depth >= deepest {
		return "", false
	}
	if value := n.step.envOf(name); value != nil {
		n.depth++
		defer func() { n.depth-- }()
		return n.text(value.Value), true
	}
	return "", false
}

// envOf finds the value that `env:` gives a variable of the step.
func (s *step) envOf(name string) *yaml.Node {
	scopes := []field{s.get("env")}
	if s.job != nil {
		scopes = append(scopes, s.job.get("env"), s.of.env)
	}
	for _, scope := range scopes {
		if f := lookup(scope.val, name); f.there() && f.val.Kind == yaml.ScalarNode {
			return f.val
		}
	}
	return nil
}

// text is the symbol of a text of the file, which may hold expressions.
func (n *names) text(text string) string {
	found, _ := expressions(text)
	if len(found) == 0 {
		return text
	}
	var b strings.Builder
	at := 0
	for _, e := range found {
		b.WriteString(text[at:e.start])
		b.WriteString(n.expression(e))
		at = e.end
	}
	b.WriteString(text[at:])
	return b.String()
}

func (n *names) expression(e expression) string {
	if e.node == nil {
		return unknownSymbol(e.text)
	}
	read := property(e.node)
	if name, isEnv := strings.CutPrefix(read, "env."); isEnv {
		// A property's name is in lower case here; variables are not.
		original := e.text[strings.LastIndex(e.text, ".")+1:]
		if !strings.EqualFold(original, name) {
			original = name
		}
		if value, found := n.env(original); found {
			return value
		}
		return unknownSymbol("$" + original)
	}
	if read != "" {
		return unknownSymbol(read)
	}
	return unknownSymbol(e.text)
}
