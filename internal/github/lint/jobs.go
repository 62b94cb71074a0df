package lint

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	words "github.com/medusa-deploy/medusa-deploy/internal/github/near"
)

// judgeJob looks at a job as a whole.
func (c *checker) judgeJob(j *job) {
	if uses := j.get("uses"); uses.there() {
		c.judgeReference(uses.val, uses.text())
		return
	}
	if j.deploys() {
		c.judgeDeployJob(j)
	}
	c.judgeFork(j)
	c.judgeImages(j)
	c.judgeAWS(j)
}

// judgeDeployJob looks at how a deploy is started, bounded and watched.
func (c *checker) judgeDeployJob(j *job) {
	w := j.workflow
	if !w.onlyPreviews() {
		c.judgeCancel(j.get("concurrency"))
	}
	if !w.concurrency.there() && !j.get("concurrency").there() && !w.onlyCalled() {
		c.at(codeConcurrency, j.id, "nothing keeps two deploys by the job "+j.id.Value+" apart")
	}
	if !j.get("timeout-minutes").there() && slices.ContainsFunc(j.steps, func(s *step) bool { return !s.get("timeout-minutes").there() }) {
		c.at(codeTimeout, j.id, "the job "+j.id.Value+" deploys and has no timeout")
	}
	if keeps := j.get("continue-on-error"); keeps.is("true") {
		c.at(codeContinues, keeps.key, "the job "+j.id.Value+" deploys, and may fail without failing the run")
	}
	c.judgePullRequest(j)
	c.judgeAwaited(j)
}

// judgePullRequest finds a deploy that was meant for a push and that pull requests cause, too.
func (c *checker) judgePullRequest(j *job) {
	w := j.workflow
	if !w.startedBy("pull_request") || w.onlyPreviews() || c.guardedJob(j, 0) {
		return
	}
	for _, s := range j.steps {
		if s.effect().deploys && !guarded(s.get("if")) {
			c.at(codePullRequest, s.place(), "a pull request starts this deploy, too")
			return
		}
	}
}

// guardedJob tells whether the job, or one that it waits for, asks for what started the workflow.
func (c *checker) guardedJob(j *job, depth int) bool {
	if j == nil || depth > len(j.workflow.jobs) {
		return false
	}
	if guarded(j.get("if")) {
		return true
	}
	return slices.ContainsFunc(texts(j.get("needs").val), func(id string) bool { return c.guardedJob(j.workflow.job(id), depth+1) })
}

// watching are words that the name of a script or a program has that looks whether a deploy went well.
var watching = []string{"wait", "verif", "smoke", "health", "check", "test", "curl", "monitor"}

// judgeAwaited finds a deployment that the job starts and then leaves alone.
func (c *checker) judgeAwaited(j *job) {
	var at *step
	var which *command
	for _, s := range j.steps {
		if len(s.commands) == 0 {
			if e := s.effect(); e.rolls && !e.waits {
				at, which = s, nil
			} else if e.waits {
				at = nil
			}
			continue
		}
		for _, cmd := range s.commands {
			switch e := cmd.effect(); {
			case e.rolls:
				at, which = s, cmd
			case e.waits, slices.ContainsFunc(watching, func(w string) bool { return strings.Contains(cmd.name(), w) }):
				at = nil
			}
		}
	}
	if at == nil || c.watchedLater(j) {
		return
	}
	offset := c.offsetOf(at.place())
	if which != nil {
		offset = at.script.source(which.place)
	}
	c.add(codeNotAwaited, offset, "the deployment is started, and nobody waits for its end")
}

// watchedLater tells whether a job that comes behind this one looks at the deployment, or may do so.
func (c *checker) watchedLater(j *job) bool {
	return slices.ContainsFunc(j.workflow.jobs, func(other *job) bool {
		if !slices.Contains(texts(other.get("needs").val), j.id.Value) {
			return false
		}
		return other.get("uses").there() || slices.ContainsFunc(other.steps, func(s *step) bool {
			return s.effect().waits || slices.ContainsFunc(s.commands, func(cmd *command) bool {
				return slices.ContainsFunc(watching, func(w string) bool { return strings.Contains(cmd.name(), w) })
			})
		})
	})
}

// judgeFork finds workflows that run a stranger's code with secrets at hand.
// https://docs.github.com/en/actions/reference/security/securely-using-pull_request_target
func (c *checker) judgeFork(j *job) {
	w := j.workflow
	if !w.startedBy("pull_request_target", "workflow_run") || trusts(j.get("if")) {
		return
	}
	for _, s := range j.steps {
		if trusts(s.get("if")) {
			continue
		}
		if s.action() == checkoutAction {
			for _, name := range []string{"ref", "repository"} {
				if f := s.input(name); f.there() && strangers(f.text()) {
					c.at(codeFork, f.val, "the checkout takes the code of whoever opened the pull request")
					break
				}
			}
		}
		for _, cmd := range s.commands {
			if cmd.is("gh", "pr", "checkout") || cmd.is("git", "fetch") && strings.Contains(s.script.original(cmd.call), "pull/") {
				c.add(codeFork, s.script.source(cmd.place), "the script takes the code of whoever opened the pull request")
			}
		}
	}
}

// trusts tells whether a condition leaves strangers out.
func trusts(condition field) bool {
	text := condition.text()
	return slices.ContainsFunc([]string{"head.repo", "head_repository", "workflow_run.event", "author_association", ".user.login", "actor", ".label"}, func(s string) bool {
		return strings.Contains(text, s)
	})
}

// strangers tells whether a text names the head of a pull request.
func strangers(text string) bool {
	if strings.Contains(text, "refs/pull/") {
		return true
	}
	found, _ := expressions(text)
	for _, e := range found {
		for _, read := range flows(e.node) {
			if read == "github.head_ref" || strings.HasPrefix(read, "github.event.pull_request.head.") || strings.HasPrefix(read, "github.event.workflow_run.head_") {
				return true
			}
		}
	}
	return false
}

// judgeEnv finds variables that AWS's tools do not know, beside the names that they do.
// https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html
func (c *checker) judgeEnv(document *yaml.Node) {
	if c.workflow.action {
		return
	}
	c.judgeEnvOf(c.workflow.env)
	for _, j := range c.workflow.jobs {
		c.judgeEnvOf(j.get("env"))
		for _, s := range j.steps {
			c.judgeEnvOf(s.get("env"))
		}
	}
}

// awsKeys are the variables for credentials, and mistakes are names that people take for them.
var (
	awsKeys     = []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
	awsMistakes = map[string]string{
		"AWS_ACCESS_KEY": awsKeys[0], "AWS_KEY_ID": awsKeys[0], "AWS_KEY": awsKeys[0], "AWS_ACCESS_ID": awsKeys[0],
		"AWS_SECRET_KEY": awsKeys[1], "AWS_SECRET": awsKeys[1], "AWS_SECRET_ACCESS_KEY_ID": awsKeys[1], "AWS_SECRET_KEY_ID": awsKeys[1], "AWS_TOKEN": awsKeys[2],
	}
)

func (c *checker) judgeEnvOf(env field) {
	for _, f := range entries(env.val) {
		meant := awsMistakes[f.key.Value]
		for _, name := range awsKeys {
			if meant == "" && strings.HasPrefix(f.key.Value, "AWS_") && f.key.Value != name && words.Distance(f.key.Value, name) <= 2 {
				meant = name
			}
		}
		if meant == "" || lookup(env.val, meant).there() || slices.Contains(awsKeys, f.key.Value) {
			continue
		}
		c.at(codeVariable, f.key, f.key.Value+" is not what AWS's tools read: that is "+meant)
	}
}
