package lint

import (
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v4"
)

// judgeSecrets finds secrets and variables that the repository does not have, when it is known which ones it has.
func (c *checker) judgeSecrets(document *yaml.Node) {
	if c.Secrets == nil && c.Variables == nil || len(document.Content) == 0 || c.workflow.action || c.workflow.onlyCalled() {
		return // what is only called gets the caller's, who may be another repository's
	}
	call, _ := c.workflow.event("workflow_call")
	s := &secretsRule{checker: c, declared: lookup(call.val, "secrets").val, optional: c.workflow.optionalNames(document)}
	for _, f := range entries(c.workflow.root) {
		if f.key.Value != "jobs" {
			s.below(f, Names{c.Secrets, c.Variables})
			continue
		}
		for _, j := range entries(f.val) {
			s.below(j, c.namesOf(j.val))
		}
	}
}

// namesOf are the names that a job sees: the repository's, and those of the job's environment.
func (c *checker) namesOf(job *yaml.Node) Names {
	at := lookup(job, "environment")
	if !at.there() {
		return Names{c.Secrets, c.Variables}
	}
	own := c.Environments[strings.ToLower(environmentName(at))] // nothing is known of one whose name is an expression
	return Names{both(c.Secrets, own.Secrets), both(c.Variables, own.Variables)}
}

// both are two lists in one; nil where either is not known.
func both(a, b []string) []string {
	if a == nil || b == nil {
		return nil
	}
	return slices.Concat([]string{}, a, b)
}

// environmentName is what `environment:` names; empty when an expression does.
func environmentName(at field) string {
	name := at.text()
	if at.val.Kind == yaml.MappingNode {
		name = lookup(at.val, "name").text()
	}
	if strings.Contains(name, opening) {
		return ""
	}
	return name
}

// secretsRule is one look at a file for names that are not there.
type secretsRule struct {
	*checker
	declared *yaml.Node      // the secrets that a caller passes
	optional map[string]bool // "secrets.name": the workflow is ready for its being empty
}

func (s *secretsRule) below(f field, known Names) {
	visitExpressions(s.src, f, func(text *scalar, e expression) {
		for _, read := range reads(e.node) {
			if !s.optional[read] {
				s.judge(text.source(e.start), read, known)
			}
		}
	})
}

func (s *secretsRule) judge(offset int, read string, names Names) {
	context, name, _ := strings.Cut(read, ".")
	known, what := names.Secrets, "secret"
	if context == "vars" {
		known, what = names.Variables, "variable"
	}
	if context != "secrets" && context != "vars" || known == nil || !isName(name) || lookupFold(s.declared, name).there() {
		return
	}
	if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
		return
	}
	upper := strings.ToUpper(name)
	p := s.add(codeNoSecret, offset, "the repository has no "+what+" "+upper+near(upper, known))
	if what == "variable" {
		p.Cure = "add it: gh variable set " + upper + ", or correct the name"
	} else {
		p.Cure = "add it: gh secret set " + upper + ", or correct the name"
	}
}

// isName tells whether a property of secrets or vars is one that somebody has to set: not GITHUB_TOKEN, not an index.
func isName(property string) bool {
	return property != "" && property != "*" && property != "github_token"
}

// visitExpressions calls do for each expression below a field, with the text that it is in.
func visitExpressions(src *source, f field, do func(text *scalar, e expression)) {
	visit(f.val, f.key.Column-1, func(n *yaml.Node, parent int) {
		if !strings.Contains(n.Value, opening) {
			return
		}
		text := newScalar(src, n, parent)
		found, _ := expressions(text.value)
		for _, e := range found {
			do(text, e)
		}
	})
}

// optionalNames are the secrets and variables that the workflow can do without: it compares them, has a value in their
// place, or hands them to a script that tests its variables.
func (w *workflow) optionalNames(document *yaml.Node) map[string]bool {
	optional := map[string]bool{}
	tolerate := func(paths []string) {
		for _, path := range paths {
			optional[path] = true
		}
	}
	for _, f := range entries(w.root) {
		visitExpressions(w.src, f, func(_ *scalar, e expression) { tolerate(without(reads(e.node), needed(e.node))) })
	}
	for _, j := range w.jobs {
		tolerate(conditionReads(j.get("if")))
	}
	for _, s := range w.steps {
		tolerate(conditionReads(s.get("if")))
		if env := s.get("env"); env.there() && defaulted(s) {
			visitExpressions(w.src, env, func(_ *scalar, e expression) { tolerate(reads(e.node)) })
		}
	}
	return optional
}

// conditionReads are the properties that an `if:` looks at, in braces or without.
func conditionReads(condition field) []string {
	text := condition.text()
	if !strings.Contains(text, opening) {
		return reads(parseExpression(text))
	}
	var all []string
	found, _ := expressions(text)
	for _, e := range found {
		all = append(all, reads(e.node)...)
	}
	return all
}

// needed are the properties whose text ends up in the value, and that have nothing in their place when they are empty.
// `condition && a || b` chooses, and needs both.
func needed(n actionlint.ExprNode) []string {
	if n == nil {
		return nil
	}
	var replaced []string
	actionlint.VisitExprNode(n, func(node, _ actionlint.ExprNode, entering bool) {
		or, ok := node.(*actionlint.LogicalOpNode)
		if !entering || !ok || or.Kind != actionlint.LogicalOpNodeKindOr {
			return
		}
		if and, ok := or.Left.(*actionlint.LogicalOpNode); !ok || and.Kind != actionlint.LogicalOpNodeKindAnd {
			replaced = append(replaced, reads(or)...)
		}
	})
	return without(flows(n), replaced)
}

// without are the texts of a list that are not in the other.
func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return slices.Contains(other, s) })
}
