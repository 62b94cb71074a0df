package lint

import (
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// judgeCommands looks at the commands of a script one by one.
func (c *checker) judgeCommands(s *step) {
	if s.script == nil {
		return
	}
	c.judgeWorkflowCommands(s.script)
	for _, cmd := range s.commands {
		e := cmd.effect()
		if e.matters() || cmd.is("aws", "ecs", "wait") {
			c.judgeFailure(s.script, cmd)
		}
		c.judgeCurl(s, cmd)
		c.judgeLogin(s, cmd)
		c.judgeDispatch(s, cmd)
	}
	c.judgeSetE(s)
	if (s.effect().deploys || s.effect().pushes) && s.get("continue-on-error").is("true") {
		c.at(codeContinues, s.get("continue-on-error").key, "this step deploys, and may fail without failing the job")
	}
}

// judgeFailure says where the exit code of a deploying command gets lost.
func (c *checker) judgeFailure(sc *script, cmd *command) {
	what := title(cmd)
	if cmd.forgiven != nil {
		c.add(codeSwallowed, sc.source(int(cmd.forgiven.OpPos.Offset())), "when "+what+" fails, the script goes on as if it had not")
		return
	}
	if cmd.piped != nil && !sc.shell.pipefail && !setsPipefail(sc, cmd) && !cmd.captured {
		c.add(codePipe, sc.source(cmd.place), "the exit code of "+what+" is lost in the pipe into "+cmd.piped.name())
	}
	if cmd.stmt != nil && cmd.stmt.Background && !strings.Contains(sc.value, "wait") {
		c.add(codeSwallowed, sc.source(int(cmd.stmt.Semicolon.Offset())), what+" runs in the background, and nobody asks how it ended")
	}
}

// title is a command for a message: its first words.
func title(c *command) string {
	var words []string
	for _, a := range c.args {
		if strings.HasPrefix(a.text, "-") || strings.Contains(a.text, unknownLeft) || len(words) == 3 {
			break
		}
		words = append(words, a.text)
	}
	return strings.Join(words, " ")
}

// setsPipefail tells whether the script says `set -o pipefail` before the command.
func setsPipefail(sc *script, cmd *command) bool {
	i := strings.Index(sc.value, "pipefail")
	return i >= 0 && i < cmd.place
}

// judgeSetE finds a deploy behind `set +e` in a script that never looks at an exit code again.
func (c *checker) judgeSetE(s *step) {
	off := -1
	for _, cmd := range s.commands {
		switch {
		case cmd.is("set") && len(cmd.args) > 1 && cmd.args[1].text == "+e":
			off = cmd.place
		case cmd.is("set") && len(cmd.args) > 1 && strings.HasPrefix(cmd.args[1].text, "-") && strings.Contains(cmd.args[1].text, "e"):
			off = -1
		case off >= 0 && cmd.effect().matters() && !cmd.asked && !strings.Contains(s.script.value[cmd.place:], "$?") && cmd != s.commands[len(s.commands)-1]:
			c.add(codeSwallowed, s.script.source(off), "behind set +e the script goes on when "+title(cmd)+" fails")
			return
		}
	}
}

// workflowCommand finds the commands that a script used to give the runner by printing them.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
var (
	workflowCommand = regexp.MustCompile(`::(set-output|save-state|set-env)\s+name=|::(add-path)::`)
	plainSetOutput  = regexp.MustCompile(`(?m)^([ \t]*)echo "::(set-output|save-state) name=([A-Za-z_][A-Za-z0-9_-]*)::([^"\n]*)"[ \t]*$`)
)

// files are what to write to in place of a command.
var commandFiles = map[string]string{"set-output": "GITHUB_OUTPUT", "save-state": "GITHUB_STATE", "set-env": "GITHUB_ENV", "add-path": "GITHUB_PATH"}

func (c *checker) judgeWorkflowCommands(sc *script) {
	for _, m := range workflowCommand.FindAllStringSubmatchIndex(sc.value, -1) {
		name := sc.value[max(m[2], m[4]):max(m[3], m[5])]
		code := codeDeprecatedCommand
		if name == "set-env" || name == "add-path" {
			code = codeDisabledCommand
		}
		p := c.add(code, sc.source(m[0]), "::"+name+":: is a command of old")
		p.Cure = `write to the file: echo "NAME=VALUE" >> "$` + commandFiles[name] + `"`
		if code == codeDeprecatedCommand {
			p.Fix = outputFix(sc, m[0])
		}
	}
}

// outputFix rewrites a line that is nothing but the old command.
func outputFix(sc *script, at int) *Fix {
	for _, m := range plainSetOutput.FindAllStringSubmatchIndex(sc.value, -1) {
		if at < m[0] || at > m[1] || !sc.canEdit() || sc.file == nil {
			continue
		}
		command, name, value := sc.value[m[4]:m[5]], sc.value[m[6]:m[7]], sc.value[m[8]:m[9]]
		text := `echo "` + name + "=" + value + `" >> "$` + commandFiles[command] + `"`
		return &Fix{Title: "write to $" + commandFiles[command], Edits: []Edit{sc.replace(m[3], m[1], text)}}
	}
	return nil
}

// healthy finds addresses that are asked whether an app is well.
var healthy = regexp.MustCompile(`(?i)/(health\w*|ready\w*|livez?|status|ping|up)\b`)

// judgeCurl finds health checks that cannot fail.
func (c *checker) judgeCurl(s *step, cmd *command) {
	if cmd.name() != "curl" || cmd.captured || cmd.piped != nil {
		return
	}
	asks := slices.ContainsFunc(cmd.args, func(a word) bool { return healthy.MatchString(a.text) })
	if !asks || written(cmd.args, "--fail", "--fail-with-body", "--fail-early", "-w", "--write-out") || shortFlag(cmd.args, 'f') {
		return
	}
	p := c.add(codeCurl, s.script.source(cmd.args[0].start), "curl ends well also when the app answers 500")
	if s.script.canEdit() && s.script.file != nil {
		end := cmd.args[0].end
		p.Fix = &Fix{Title: "let curl fail", Edits: []Edit{s.script.replace(end, end, " --fail-with-body")}}
	}
}

// shortFlag tells whether a letter is among the short options: -sSf.
func shortFlag(args []word, letter byte) bool {
	return slices.ContainsFunc(args, func(a word) bool {
		return len(a.text) > 1 && a.text[0] == '-' && a.text[1] != '-' && strings.IndexByte(a.text, letter) > 0
	})
}

// judgeSecretUse finds secrets that are printed, or that other processes can read.
func (c *checker) judgeSecretUse(s *step) {
	for _, cmd := range s.commands {
		switch cmd.name() {
		case "echo", "printf":
			if cmd.piped == nil && !cmd.captured && !redirected(cmd) && !masks(cmd) {
				c.secretArgument(s, cmd, cmd.args[1:], codePrinted, "is printed")
			}
		case "docker", "podman", "helm", "crane", "oras":
			if cmd.is(cmd.name(), "login") || cmd.is(cmd.name(), "registry", "login") {
				c.secretArgument(s, cmd, options(cmd.args, "-p", "--password"), codeArgument, "is an argument of "+cmd.name()+" login")
			}
		}
	}
}

// masks tells whether what is printed is the command that makes GitHub mask it.
func masks(cmd *command) bool {
	return slices.ContainsFunc(cmd.args, func(a word) bool { return strings.Contains(a.text, "::add-mask::") })
}

func (c *checker) secretArgument(s *step, cmd *command, args []word, code, what string) {
	for _, a := range args {
		for _, name := range secretsIn(a.text) {
			c.add(code, s.script.source(a.start), "the secret "+name+" "+what)
		}
	}
}

var secretSymbol = regexp.MustCompile(`(?i)` + unknownLeft + `[^` + unknownRight + `]*\bsecrets\.([a-z_0-9]+)`)

// secretsIn are the secrets in a text.
func secretsIn(text string) []string {
	var all []string
	for _, m := range secretSymbol.FindAllStringSubmatch(text, -1) {
		all = append(all, strings.ToUpper(m[1]))
	}
	return all
}

// redirected tells whether the command's output goes to a file, its own or that of what encloses it.
func redirected(cmd *command) bool {
	return cmd.stmt != nil && slices.ContainsFunc(cmd.stmt.Redirs, func(r *syntax.Redirect) bool {
		return r.Op == syntax.RdrOut || r.Op == syntax.AppOut || r.Op == syntax.RdrAll || r.Op == syntax.AppAll || r.Op == syntax.RdrClob
	})
}
