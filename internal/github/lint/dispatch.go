package lint

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// needNoToken are gh's commands that call nobody, and the one that signs in.
var needNoToken = []string{"auth", "version", "help", "completion", "config", "extension"}

// judgeGH finds a gh that nobody has given a token: unlike git, it does not take the checkout's.
func (c *checker) judgeGH(s *step, cmd *command) bool {
	if cmd.name() != "gh" || len(cmd.args) < 2 || strings.HasPrefix(cmd.args[1].text, "-") || slices.Contains(needNoToken, cmd.args[1].text) || !s.job.hosted() {
		return false
	}
	isToken := func(name string) bool { return strings.HasSuffix(name, "_TOKEN") || name == "GH_CONFIG_DIR" }
	if s.envContains(isToken) || len(cmd.call.Assigns) > 0 || containsAny(c.src.text, "gh auth login", "_TOKEN=") {
		return false
	}
	c.add(codeNoToken, s.script.source(cmd.place), title(cmd)+" has no token")
	return true
}

// judgeDispatch looks at a script that starts another workflow: may it, can it, and do the inputs fit.
// https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
func (c *checker) judgeDispatch(s *step, cmd *command) {
	args := cmd.behind("gh", "workflow", "run")
	if c.judgeGH(s, cmd) || args == nil {
		return
	}
	sc := s.script
	if right, known := s.right("actions"); known && right != "write" && s.usesOwnToken() && !written(cmd.args, "-R", "--repo") {
		p := c.add(codeDispatchRight, sc.source(cmd.place), "gh workflow run needs actions: write, and this job's token does not have it")
		p.Fix = c.grant(s.job, "actions", "write")
	}
	target := positional(args, "-r", "--ref", "-f", "--raw-field", "-F", "--field", "-R", "--repo")
	if target.node == nil || strings.Contains(target.text, unknownLeft) || written(cmd.args, "-R", "--repo") {
		return
	}
	c.judgeDispatched(s, args, target)
}

// judgeDispatched looks at the file that is to be started.
func (c *checker) judgeDispatched(s *step, args []word, target word) {
	if ext := path.Ext(target.text); c.repo == nil || ext != ".yml" && ext != ".yaml" {
		return // a name or a number: GitHub alone knows it
	}
	offset := s.script.source(target.start)
	other := c.repo.workflow(path.Join(workflowDir, path.Base(target.text)))
	if other == nil {
		c.add(codeDispatchTarget, offset, fmt.Sprintf("there is no %s/%s%s", workflowDir, path.Base(target.text), near(path.Base(target.text), c.repo.names())))
		return
	}
	trigger, found := other.event("workflow_dispatch")
	if !found {
		c.add(codeDispatchTarget, offset, path.Base(target.text)+" has no workflow_dispatch trigger")
		return
	}
	var known []string
	declared := entries(lookup(trigger.val, "inputs").val)
	for _, f := range declared {
		known = append(known, f.key.Value)
	}
	given := map[string]bool{}
	vague := flagged(args, "--json")
	for _, a := range options(args, "-f", "--raw-field", "-F", "--field") {
		name, _, _ := strings.Cut(a.text, "=")
		vague = vague || strings.Contains(name, unknownLeft)
		given[strings.ToLower(name)] = true
		if !slices.ContainsFunc(known, func(k string) bool { return strings.EqualFold(k, name) }) && !strings.Contains(name, unknownLeft) {
			c.add(codeDispatchInput, s.script.source(a.start), fmt.Sprintf("%s has no input %q%s", path.Base(target.text), name, near(name, known)))
		}
	}
	for _, f := range declared {
		if lookup(f.val, "required").is("true") && !lookup(f.val, "default").there() && !given[strings.ToLower(f.key.Value)] && !vague {
			c.add(codeDispatchInput, offset, fmt.Sprintf("%s requires the input %q", path.Base(target.text), f.key.Value))
		}
	}
}

// usesOwnToken tells whether gh has the run's own token, and not that of a person or an app.
func (s *step) usesOwnToken() bool {
	for _, name := range []string{"GH_TOKEN", "GITHUB_TOKEN"} {
		if value := s.envOf(name); value != nil {
			lower := strings.ToLower(value.Value)
			return strings.Contains(lower, "github.token") || strings.Contains(lower, "secrets.github_token")
		}
	}
	return false
}

// positional is the first argument that is no option; withValue are the options that take the argument behind them.
func positional(args []word, withValue ...string) word {
	for i := 0; i < len(args); i++ {
		switch text := args[i].text; {
		case slices.Contains(withValue, text):
			i++
		case strings.HasPrefix(text, "-"):
		default:
			return args[i]
		}
	}
	return word{}
}
