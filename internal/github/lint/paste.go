package lint

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// judgePasted finds expressions whose text becomes part of a program.
// https://docs.github.com/en/actions/concepts/security/script-injections
func (c *checker) judgePasted(s *step) {
	if s.script != nil {
		for _, e := range s.script.expressions {
			if p := c.pasted(s, e, s.script.source(e.start), "the script"); p != nil {
				p.Fix = c.intoEnv(s, e)
			}
		}
	}
	if s.action() == scriptAction {
		program := s.input("script")
		if !program.there() || program.val.Kind != yaml.ScalarNode {
			return
		}
		text := newScalar(c.src, program.val, program.key.Column-1)
		found, _ := expressions(text.value)
		for _, e := range found {
			if p := c.pasted(s, e, text.source(e.start), "the program"); p != nil {
				name := variableName(e)
				p.Cure = "hand it over as a variable: env: {" + name + ": ${{ " + e.text + " }}}, and process.env." + name + " in the program"
			}
		}
	}
}

// pasted judges one expression; nil: it does no harm.
func (c *checker) pasted(s *step, e expression, offset int, where string) *Problem {
	worst, read := harmless, ""
	for _, r := range flows(e.node) {
		if t := s.trust(r); t > worst {
			worst, read = t, r
		}
	}
	whole := "${{ " + e.text + " }}"
	add := func(code, message string) *Problem {
		p := c.add(code, offset, message)
		if name := runnerVariables[property(e.node)]; name != "" {
			p.Cure = `write "$` + name + `" in its place: the runner sets that variable`
		} else if name := variableName(e); name != "" {
			p.Cure = "hand it over as a variable: env: {" + name + ": " + whole + `}, and "$` + name + `" in the script`
		}
		return p
	}
	switch worst {
	case outsider:
		return add(codeInjection, whole+" puts text that anybody can write into "+where)
	case insider:
		p := add(codeInjection, whole+" puts text into "+where+" that "+writer(read)+" writes")
		return p
	case plain:
		p := add(codePasted, whole+" is pasted into "+where)
		if strings.HasPrefix(read, "secrets.") {
			p.Why = "a quote or a $ in the secret breaks the script, and the script, secret and all, is written to the runner's disk"
		}
		return p
	}
	return nil
}

// writer says whose text a property is.
func writer(read string) string {
	switch {
	case strings.Contains(read, "inputs."):
		return "whoever starts the workflow"
	case strings.HasSuffix(read, "ref_name"), strings.HasSuffix(read, "ref"):
		return "whoever pushes a branch or a tag"
	}
	return "whoever causes the event"
}
