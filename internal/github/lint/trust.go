package lint

import (
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// trust is how far the text of a property can be relied on to be harmless in a script.
type trust int

const (
	harmless trust = iota // from a fixed alphabet: a commit, a number, a name of GitHub's
	plain                 // made by the workflow or its owners, but free text
	insider               // whoever may push a branch or start the workflow writes it
	outsider              // anybody writes it: a title, a branch of a fork, a message
)

// harmlessProperties are those of `github` that hold no free text.
// https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#github-context
var harmlessProperties = []string{
	"action", "action_path", "action_ref", "action_repository", "action_status", "actor", "actor_id", "api_url", "env", "event_name", "event_path",
	"graphql_url", "job", "path", "ref_protected", "ref_type", "repository", "repository_id", "repository_owner", "repository_owner_id",
	"repositoryurl", "retention_days", "run_attempt", "run_id", "run_number", "secret_source", "server_url", "sha", "triggering_actor",
	"workflow", "workflow_ref", "workflow_sha", "workspace",
}

// harmlessLeaves are members of an event's payload that hold numbers, commits, addresses and states, wherever they are.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads
var harmlessLeaves = []string{
	"id", "node_id", "number", "sha", "head_sha", "before", "after", "action", "draft", "merged", "login", "full_name", "owner", "private",
	"fork", "type", "visibility", "state", "status", "conclusion", "event", "forced", "created", "deleted", "prerelease", "size", "run_number",
	"run_attempt", "run_id", "additions", "deletions", "changed_files", "merge_commit_sha",
}

// harmlessLeaf are the endings of others of that kind.
var harmlessLeaf = regexp.MustCompile(`(?:_at|url|_id|_sha)$`)

// ownersTexts are members of an event's payload that only those write who may change the repository.
var ownersTexts = []string{"client_payload", "release", "deployment", "ref", "base_ref", "label", "milestone", "schedule"}

// trust judges a property that a step reads.
func (s *step) trust(read string) trust {
	context, rest, _ := strings.Cut(read, ".")
	switch context {
	case "github":
		return s.of.githubTrust(rest)
	case "inputs":
		return s.of.inputTrust(rest)
	case "env":
		return s.envTrust(rest)
	case "matrix":
		if s.job != nil && s.job.matrixIsWritten(rest) {
			return harmless
		}
		return plain
	case "steps", "needs":
		if leaf := read[strings.LastIndexByte(read, '.')+1:]; leaf == "outcome" || leaf == "conclusion" || leaf == "result" {
			return harmless
		}
		return plain
	case "runner", "job", "strategy":
		return harmless
	}
	return plain // secrets, vars
}

func (w *workflow) githubTrust(rest string) trust {
	first, more, _ := strings.Cut(rest, ".")
	switch {
	case first == "head_ref":
		return outsider
	case first == "ref" || first == "ref_name":
		if w.fixedRef() {
			return harmless
		}
		return insider
	case first == "base_ref":
		return insider
	case first == "event":
		return w.eventTrust(more)
	case first == "":
		return outsider // all of it: toJSON(github)
	case slices.Contains(harmlessProperties, first):
		return harmless
	}
	return plain
}

func (w *workflow) eventTrust(rest string) trust {
	first, more, _ := strings.Cut(rest, ".")
	leaf := rest[strings.LastIndexByte(rest, '.')+1:]
	switch {
	case first == "inputs":
		return w.inputTrust(more)
	case slices.Contains(ownersTexts, first) && !slices.Contains(harmlessLeaves, leaf):
		return insider
	case first == "repository" || first == "organization" || first == "enterprise" || first == "installation":
		return harmless
	case rest != "" && harmlessLeaf.MatchString(leaf) || slices.Contains(harmlessLeaves, leaf):
		return harmless
	case strings.HasPrefix(rest, "pull_request.base."):
		return insider
	}
	return outsider
}

// fixedRef tells whether every event that starts the workflow has a ref that its file names, or GitHub: no branch name that
// somebody chose.
func (w *workflow) fixedRef() bool {
	for _, e := range w.events {
		switch e.name {
		case "pull_request", "schedule": // N/merge, and the default branch
		case "push":
			branches := texts(lookup(e.val, "branches").val)
			if len(branches) == 0 || lookup(e.val, "tags").there() || slices.ContainsFunc(branches, func(b string) bool { return strings.ContainsAny(b, "*?[+!") }) {
				return false
			}
		default:
			return false
		}
	}
	return len(w.events) > 0
}

// inputTrust judges an input: its type may leave no room for text, and a called workflow's comes from its caller.
func (w *workflow) inputTrust(name string) trust {
	if w.action {
		return plain
	}
	free := func(trigger string) (there, isFree bool) {
		e, found := w.event(trigger)
		if !found {
			return false, false
		}
		in := lookupFold(lookup(e.val, "inputs").val, name)
		kind := lookup(in.val, "type").text()
		return in.there(), kind == "" || kind == "string" || kind == "environment"
	}
	dispatched, freeDispatch := free("workflow_dispatch")
	called, freeCall := free("workflow_call")
	switch {
	case dispatched && freeDispatch, !dispatched && !called:
		return insider
	case called && freeCall:
		return plain
	}
	return harmless
}

// envTrust judges a variable by what the file puts into it.
func (s *step) envTrust(name string) trust {
	scopes := []field{s.get("env")}
	if s.job != nil {
		scopes = append(scopes, s.job.get("env"))
	}
	for _, scope := range append(scopes, s.of.env) {
		if f := lookupFold(scope.val, name); f.there() && f.val.Kind == yaml.ScalarNode {
			return s.textTrust(f.val.Value)
		}
	}
	return plain // set while the job runs: $GITHUB_ENV
}

// textTrust judges a text of the file by what its expressions put into it.
func (s *step) textTrust(text string) trust {
	worst := harmless
	found, _ := expressions(text)
	for _, e := range found {
		for _, read := range flows(e.node) {
			if strings.HasPrefix(read, "env.") {
				worst = max(worst, plain) // one step is enough: a circle of variables has no end
				continue
			}
			worst = max(worst, s.trust(read))
		}
	}
	return worst
}

// matrixIsWritten tells whether the file writes all the values out that a property of the job's matrix can have.
func (j *job) matrixIsWritten(property string) bool {
	name, _, _ := strings.Cut(property, ".")
	matrix := lookup(j.get("strategy").val, "matrix").val
	if matrix == nil || matrix.Kind != yaml.MappingNode {
		return false
	}
	written := true
	look := func(n *yaml.Node) {
		visit(n, 0, func(n *yaml.Node, _ int) { written = written && !strings.Contains(n.Value, opening) })
	}
	look(lookupFold(matrix, name).val)
	include := lookup(matrix, "include").val
	if include != nil && include.Kind == yaml.ScalarNode {
		return false
	}
	for _, item := range items(include) {
		look(lookupFold(item, name).val)
	}
	return written
}
