package lint

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// permissions are those that govern the job: its own, or else the workflow's.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#permissions
func (j *job) permissions() field {
	if own := j.get("permissions"); own.there() {
		return own
	}
	return j.workflow.permissions
}

// right is what the job's token may do in a scope: read, write or none. It is not known where the repository's settings
// or a calling workflow decide.
func (j *job) right(scope string) (value string, known bool) {
	p := j.permissions()
	if !p.there() {
		// A token for OIDC is never among the defaults.
		return "none", scope == "id-token" && !j.workflow.startedBy("workflow_call")
	}
	return rightIn(p, scope), true
}

// right is what the step's token may do.
func (s *step) right(scope string) (string, bool) {
	if s.job == nil {
		return "", false
	}
	return s.job.right(scope)
}

// rightIn reads one scope of a `permissions:`. What is not named is none.
func rightIn(p field, scope string) string {
	switch {
	case p.is("write-all"):
		return "write"
	case p.is("read-all") && scope != "id-token":
		return "read"
	}
	if value := lookup(p.val, scope).text(); value != "" {
		return value
	}
	return "none"
}

// grant is the fix that adds a permission to those that govern the job.
func (c *checker) grant(j *job, scope, value string) *Fix {
	p := j.permissions()
	entry := scope + ": " + value
	title := "grant " + entry
	switch {
	case !p.there():
		if jobs := lookup(c.workflow.root, "jobs"); jobs.there() && !flow(c.workflow.root) {
			if edit, ok := c.insertAbove(jobs.key, "permissions:", "  contents: read", "  "+entry); ok && c.readSuffices() {
				return &Fix{Title: title, Edits: []Edit{*edit}}
			}
		}
		return nil
	case p.val.Kind != yaml.MappingNode:
		return nil
	}
	if lookup(p.val, scope).there() {
		return nil // somebody has decided so
	}
	if at := c.offsetOf(p.val); len(p.val.Content) == 0 && strings.HasPrefix(c.src.text[at:], "{}") {
		return &Fix{Title: title, Edits: []Edit{{Start: at, End: at + len("{}"), Text: "{" + entry + "}"}}}
	}
	if edit, ok := c.insertEntry(p, entry); ok {
		return &Fix{Title: title, Edits: []Edit{*edit}}
	}
	return nil
}

// judgeRights looks at what the workflow's token may do.
func (c *checker) judgeRights() {
	w := c.workflow
	jobs := lookup(w.root, "jobs")
	bare := slices.ContainsFunc(w.jobs, func(j *job) bool { return !j.get("permissions").there() })
	if !w.permissions.there() && bare && !w.onlyCalled() && jobs.there() {
		p := c.at(codeNoPermissions, jobs.key, "the workflow says nowhere what its token may do")
		p.Fix = c.declareRead(jobs.key)
	}
	if w.permissions.is("write-all") {
		c.at(codeWriteAll, w.permissions.val, "write-all gives the token every permission")
	}
	for _, j := range w.jobs {
		c.judgeJobRights(j)
	}
}

func (c *checker) judgeJobRights(j *job) {
	if own := j.get("permissions"); own.is("write-all") {
		c.at(codeWriteAll, own.val, "write-all gives the job's token every permission")
	}
	for _, s := range j.steps {
		if why := s.needsOIDC(); why != "" {
			if right, known := j.right("id-token"); known && right != "write" {
				p := c.at(codeIDToken, s.place(), why+" needs a token of OIDC, and this job may not have one")
				p.Fix = c.grant(j, "id-token", "write")
			}
		}
		if s.action() == checkoutAction && !s.input("token").there() && !s.input("ssh-key").there() {
			if right, known := j.right("contents"); known && right == "none" {
				p := c.at(codeContents, s.uses.val, "checkout needs contents: read, and the permissions leave it out")
				p.Fix = c.grant(j, "contents", "read")
			}
		}
	}
	c.judgeCaller(j)
}

// needsOIDC says what in the step asks for a token of OIDC; empty: nothing.
// https://github.com/aws-actions/configure-aws-credentials#oidc
func (s *step) needsOIDC() string {
	if s.action() == credentialsAction && s.input("role-to-assume").there() && !s.input("aws-access-key-id").there() &&
		!s.input("web-identity-token-file").there() && !s.input("role-chaining").is("true") {
		return "role-to-assume"
	}
	if s.script != nil && strings.Contains(s.script.value, "ACTIONS_ID_TOKEN_REQUEST_TOKEN") {
		return "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	}
	return ""
}

// place is where the step says what it does.
func (s *step) place() *yaml.Node {
	switch {
	case s.uses.there():
		return s.uses.val
	case s.run.there():
		return s.run.key
	}
	return s.node
}

// declareRead is the fix that adds the least permissions, where they surely suffice.
func (c *checker) declareRead(jobs *yaml.Node) *Fix {
	if !c.readSuffices() || flow(c.workflow.root) {
		return nil
	}
	lines := []string{"permissions:", "  contents: read"}
	for _, s := range c.workflow.steps {
		if s.needsOIDC() != "" {
			lines = append(lines, "  id-token: write")
			break
		}
	}
	edit, ok := c.insertAbove(jobs, lines...)
	if !ok {
		return nil
	}
	return &Fix{Title: "declare the permissions", Edits: []Edit{*edit}}
}

// modest are actions, or their owners, that need no more of the token than to read the repository.
var modest = []string{
	"actions/checkout", "actions/setup-", "actions/cache", "actions/upload-artifact", "actions/download-artifact",
	"docker/", "aws-actions/", "pnpm/action-setup", "hadolint/hadolint-action",
}

// readSuffices tells whether nothing in the file uses the token for more than reading the repository.
func (c *checker) readSuffices() bool {
	lower := strings.ToLower(c.src.text)
	for _, use := range []string{"github.token", "github_token", "gh ", "git push", "ghcr.io", "token:"} {
		if use == "token:" {
			continue // id-token: is one
		}
		if strings.Contains(lower, use) {
			return false
		}
	}
	for _, j := range c.workflow.jobs {
		if j.get("uses").there() {
			return false
		}
	}
	for _, s := range c.workflow.steps {
		if name := s.action(); name != "" && !slices.ContainsFunc(modest, func(m string) bool { return strings.HasPrefix(name, m) }) {
			return false
		}
	}
	return true
}

// judgeCaller compares what a job grants with what the workflow that it calls asks for: GitHub refuses to start the caller
// when it is less.
// https://docs.github.com/en/actions/reference/workflows-and-actions/reusing-workflow-configurations
func (c *checker) judgeCaller(j *job) {
	uses := j.get("uses")
	if !isLocal(uses.text()) || c.repo == nil || !j.permissions().there() {
		return
	}
	name := uses.text()[len("./"):]
	called := c.repo.workflow(name)
	if called == nil {
		return // actionlint says so
	}
	for _, inner := range called.jobs {
		asked := inner.permissions()
		for _, f := range entries(asked.val) {
			have := rightIn(j.permissions(), f.key.Value)
			if rank(have) < rank(f.text()) {
				p := c.at(codeCallerGrants, uses.val, fmt.Sprintf("%s needs %s: %s in its job %s, and this job grants %s", name, f.key.Value, f.text(), inner.id.Value, have))
				p.Fix = c.grant(j, f.key.Value, f.text())
				return
			}
		}
	}
}

func rank(right string) int { return slices.Index([]string{"none", "read", "write"}, right) }
