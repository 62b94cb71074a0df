package lint

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// judgeSecrets finds secrets and variables that the repository does not have, when it is known which ones it has.
func (c *checker) judgeSecrets(document *yaml.Node) {
	if c.Secrets == nil && c.Variables == nil || len(document.Content) == 0 {
		return
	}
	call, _ := c.workflow.event("workflow_call")
	declared := lookup(call.val, "secrets").val
	if c.workflow.onlyCalled() && declared == nil {
		return // the caller's, by `secrets: inherit`
	}
	for _, f := range entries(c.workflow.root) {
		if f.key.Value != "jobs" {
			c.secretsBelow(f, declared)
			continue
		}
		for _, j := range entries(f.val) {
			if !lookup(j.val, "environment").there() { // it may have its own
				c.secretsBelow(j, declared)
			}
		}
	}
}

func (c *checker) secretsBelow(f field, declared *yaml.Node) {
	visit(f.val, f.key.Column-1, func(n *yaml.Node, parent int) {
		if !strings.Contains(n.Value, opening) {
			return
		}
		text := newScalar(c.src, n, parent)
		found, _ := expressions(text.value)
		for _, e := range found {
			for _, read := range reads(e.node) {
				c.judgeSecret(text.source(e.start), read, declared)
			}
		}
	})
}

func (c *checker) judgeSecret(offset int, read string, declared *yaml.Node) {
	context, name, _ := strings.Cut(read, ".")
	known, what := c.Secrets, "secret"
	if context == "vars" {
		known, what = c.Variables, "variable"
	}
	if context != "secrets" && context != "vars" || known == nil || name == "" || name == "*" || name == "github_token" || lookupFold(declared, name).there() {
		return
	}
	if slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) {
		return
	}
	upper := strings.ToUpper(name)
	p := c.add(codeNoSecret, offset, "the repository has no "+what+" "+upper+near(upper, known))
	if what == "variable" {
		p.Cure = "add it: gh variable set " + upper + ", or correct the name"
	} else {
		p.Cure = "add it: gh secret set " + upper + ", or correct the name"
	}
}
