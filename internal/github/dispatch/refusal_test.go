package dispatch_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
	"github.com/medusa-deploy/medusa-deploy/internal/github/githubtest"
)

// refusalCase is one way in which a dispatch is blocked.
type refusalCase struct {
	name   string
	reason dispatch.Reason
	world  func(w *world)
	ref    string
	inputs map[string]string
	file   string
	posted bool     // only GitHub's answer to the dispatch can tell
	says   []string // parts of the message
}

// blind takes the workflow's file away from the token, so that only the dispatch itself finds what is wrong.
func blind(w *world) {
	w.server.Answer("contents", githubtest.Answer{Status: http.StatusForbidden, Message: "Resource not accessible by integration"})
}

func answers(kind string, status int, message string) func(*world) {
	return func(w *world) { w.server.Answer(kind, githubtest.Answer{Status: status, Message: message}) }
}

func scopes(list string) func(*world) {
	return func(w *world) { w.server.Scopes = &list }
}

func state(s string) func(*world) {
	return func(w *world) { w.server.Workflows["deploy.yml"].State = s }
}

func file(content string) func(*world) {
	return func(w *world) { w.server.Workflows["deploy.yml"].Files["main"] = content }
}

func refusalCases() []refusalCase {
	return slices.Concat(accessCases(), workflowCases(), inputCases())
}

func accessCases() []refusalCase {
	return []refusalCase{
		{name: "wrong token", reason: dispatch.ReasonBadCredentials, world: func(w *world) { w.as("ghp_wrong_wrong") }, says: []string{"the token of GH_TOKEN", "gh auth login --hostname github.com", "401: Bad credentials"}},
		{name: "repository unknown", reason: dispatch.ReasonNoRepository, world: answers("repository", 404, "Not Found"), says: []string{"acme/shop does not exist", "--scopes repo", "Configure SSO"}},
		{name: "single sign-on", reason: dispatch.ReasonSSO, world: func(w *world) {
			w.server.Answer("repository", githubtest.Answer{Status: 403, Message: "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.", Header: map[string]string{"X-GitHub-SSO": "required; url=https://github.com/orgs/acme/sso?authorization_request=AAA"}})
		}, says: []string{"let it in: https://github.com/orgs/acme/sso?authorization_request=AAA"}},
		{name: "IP allow list", reason: dispatch.ReasonIPAllowList, world: answers("repository", 403, "Although you appear to have the correct authorization credentials, the `acme` organization has an IP allow list enabled, and your IP address is not permitted to access this resource."), says: []string{"VPN"}},
		{name: "archived", reason: dispatch.ReasonArchived, world: func(w *world) { w.server.Archived = true }, says: []string{"https://github.com/acme/shop/settings"}},
		{name: "archived meanwhile", reason: dispatch.ReasonArchived, posted: true, world: answers("dispatch", 403, "Repository was archived so is read-only."), says: []string{"Unarchive"}},
		{name: "no scope", reason: dispatch.ReasonTokenScope, world: scopes("gist, read:org"), says: []string{"it has: gist, read:org", "gh auth refresh"}},
		{name: "scope for public ones only", reason: dispatch.ReasonTokenScope, world: func(w *world) { scopes("public_repo")(w); w.server.Private = true }, says: []string{"lacks the scope repo"}},
		{name: "reader", reason: dispatch.ReasonNoWrite, world: func(w *world) { scopes("repo")(w); w.server.NoPush = true }, says: []string{"https://github.com/acme/shop/settings/access"}},
		{name: "reader, found out late", reason: dispatch.ReasonNoWrite, posted: true, world: answers("dispatch", 403, "Must have admin rights to Repository."), says: []string{"role Write"}},
		{name: "workflow's own token", reason: dispatch.ReasonIntegration, posted: true, world: answers("dispatch", 403, "Resource not accessible by integration"), says: []string{"permissions: {actions: write}"}},
		{name: "fine-grained token", reason: dispatch.ReasonTokenPermission, posted: true, world: answers("dispatch", 403, "Resource not accessible by personal access token"), says: []string{"Actions is Read and write", "settings/personal-access-tokens"}},
		{name: "hidden", reason: dispatch.ReasonHidden, posted: true, world: answers("dispatch", 404, "Not Found"), says: []string{"GitHub hides what a token may not do"}},
		{name: "forbidden otherwise", reason: dispatch.ReasonForbidden, posted: true, world: answers("dispatch", 403, "Something new."), says: []string{"403: Something new."}},
		{name: "Actions off", reason: dispatch.ReasonActionsOff, posted: true, world: answers("dispatch", 422, "Actions has been disabled for this repository."), says: []string{"https://github.com/acme/shop/settings/actions"}},
		{name: "rate limit for long", reason: dispatch.ReasonRateLimit, world: func(w *world) {
			w.server.Answer("repository", githubtest.Answer{Status: 403, Message: "API rate limit exceeded for user ID 1.", Header: map[string]string{"Retry-After": "3000"}})
		}, says: []string{"try again later"}},
	}
}

func workflowCases() []refusalCase {
	return []refusalCase{
		{name: "misspelt workflow", reason: dispatch.ReasonNoWorkflow, file: "deplyo.yml", says: []string{"no workflow deplyo.yml (did you mean deploy.yml?); it has deploy.yml"}},
		{name: "only on a branch", reason: dispatch.ReasonNotDefault, ref: "feature", world: func(w *world) {
			state("")(w)
			w.server.Refs = append(w.server.Refs, "feature")
			w.server.Workflows["deploy.yml"].Files["feature"] = withNonce
		}, says: []string{"at feature, but not on the default branch main"}},
		{name: "disabled by hand", reason: dispatch.ReasonDisabled, world: state("disabled_manually"), says: []string{"gh workflow enable deploy.yml --repo acme/shop", "https://github.com/acme/shop/actions/workflows/deploy.yml"}},
		{name: "disabled meanwhile", reason: dispatch.ReasonDisabled, posted: true, world: answers("dispatch", 422, "Cannot trigger a 'workflow_dispatch' on a disabled workflow"), says: []string{"Enable workflow"}},
		{name: "disabled by inactivity", reason: dispatch.ReasonInactive, world: state("disabled_inactivity"), says: []string{"60 days"}},
		{name: "no such ref", reason: dispatch.ReasonNoRef, ref: "gone", says: []string{"no branch or tag gone", "git push origin gone"}},
		{name: "no such ref, found out late", reason: dispatch.ReasonNoRef, ref: "gone", posted: true, world: blind, says: []string{"422: No ref found for: gone"}},
		{name: "older branch", reason: dispatch.ReasonNotAtRef, ref: "old", world: func(w *world) { w.server.Refs = append(w.server.Refs, "old") }, says: []string{"no such file at old"}},
		{name: "broken file", reason: dispatch.ReasonBadFile, world: file("on: [push\njobs:\n"), says: []string{"medusa-deploy check --workflow"}},
		{name: "no trigger", reason: dispatch.ReasonNoTrigger, world: file("on: [push]\njobs: {}\n"), says: []string{"add workflow_dispatch:", "blob/main/.github/workflows/deploy.yml"}},
		{name: "no trigger, found out late", reason: dispatch.ReasonNoTrigger, posted: true, world: func(w *world) { blind(w); file("on:\n  push: {}\n")(w) }, says: []string{"422: Workflow does not have 'workflow_dispatch' trigger"}},
	}
}

func inputCases() []refusalCase {
	with := func(name, value string) map[string]string {
		return map[string]string{"target": "production", name: value}
	}
	return []refusalCase{
		{name: "misspelt input", reason: dispatch.ReasonUnknownInput, inputs: with("relaese", "v1"), says: []string{"relaese (did you mean release?); it has target, action, release, nonce"}},
		{name: "misspelt input, found out late", reason: dispatch.ReasonUnknownInput, posted: true, world: blind, inputs: with("relaese", "v1"), says: []string{`422: Unexpected inputs provided: ["relaese"]`}},
		{name: "missing input", reason: dispatch.ReasonMissingInput, inputs: map[string]string{"action": "ship"}, says: []string{"target is required and has no default; there is production, staging"}},
		{name: "missing input, found out late", reason: dispatch.ReasonMissingInput, posted: true, world: blind, inputs: map[string]string{"action": "ship"}, says: []string{"422: Required input 'target' not provided"}},
		{name: "value not offered", reason: dispatch.ReasonBadValue, inputs: map[string]string{"target": "prodction"}, says: []string{"target=prodction (did you mean production?); there is production, staging"}},
		{name: "value not offered, found out late", reason: dispatch.ReasonBadValue, posted: true, world: blind, inputs: map[string]string{"target": "prod"}, says: []string{"422: Provided value 'prod' for input 'target' not in the list of allowed values"}},
		{name: "no boolean", reason: dispatch.ReasonBadValue, world: file(withoutNonce), inputs: with("dry", "yes"), says: []string{"dry=yes: it is true or false"}},
		{name: "no number", reason: dispatch.ReasonBadValue, world: file(withoutNonce), inputs: with("count", "many"), says: []string{"count=many: it is a number"}},
		{name: "several faults", reason: dispatch.ReasonUnknownInput, inputs: map[string]string{"x": "1", "action": "fly"}, says: []string{"also: action=fly", "also: target is required"}},
		{name: "too much", reason: dispatch.ReasonTooLarge, inputs: with("release", strings.Repeat("x", 70000)), says: []string{"65,535"}},
		{name: "refused in other words", reason: dispatch.ReasonInvalid, posted: true, world: answers("dispatch", 422, "Validation Failed"), says: []string{"422: Validation Failed"}},
	}
}

func TestEveryRefusalHasItsCauseAndCure(t *testing.T) {
	seen := map[dispatch.Reason]bool{dispatch.ReasonNoToken: true, dispatch.ReasonNoRun: true} // they have tests of their own
	for _, c := range refusalCases() {
		seen[c.reason] = true
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, withNonce)
			if c.world != nil {
				c.world(w)
			}
			request := dispatch.Request{Workflow: "deploy.yml", Ref: "main", Inputs: production()}
			if c.ref != "" {
				request.Ref = c.ref
			}
			if c.inputs != nil {
				request.Inputs = c.inputs
			}
			if c.file != "" {
				request.Workflow = c.file
			}
			plan, err := w.client.Prepare(t.Context(), request)
			if err == nil && c.posted {
				_, err = w.client.Dispatch(t.Context(), plan)
			}
			var refusal *dispatch.Refusal
			if !errors.As(err, &refusal) || refusal.Reason != c.reason {
				t.Fatalf("got %v, want the reason %s", err, c.reason)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.ContainsAny(refusal.Cause+refusal.Cure, "{}") && c.reason != dispatch.ReasonIntegration {
				t.Errorf("a placeholder was left: %s", err)
			}
			if strings.Contains(err.Error(), githubtest.Token) {
				t.Errorf("the token shows: %s", err)
			}
			if posts := len(w.server.Requests("dispatch")); c.posted != (posts == 1) {
				t.Errorf("%d dispatches were sent", posts)
			}
			if len(w.server.Dispatches()) != 0 {
				t.Error("a run was started")
			}
		})
	}
	for _, e := range dispatch.Reasons() {
		if !seen[e.Reason] {
			t.Errorf("no test makes the reason %s", e.Reason)
		}
	}
}

// TestTwoRequestsTellMostOfIt: of what can be known before, nothing costs more than three requests.
func TestTwoRequestsTellMostOfIt(t *testing.T) {
	w := newWorld(t, withNonce)
	if _, err := w.client.Prepare(t.Context(), dispatch.Request{Workflow: "deploy.yml", Inputs: production()}); err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, r := range w.server.Requests() {
		kinds = append(kinds, r.Kind)
		if r.Header.Get("User-Agent") != "test" || r.Header.Get("X-GitHub-Api-Version") == "" {
			t.Errorf("%s lacks a header: %v", r.Path, r.Header)
		}
	}
	if !slices.Equal(kinds, []string{"repository", "workflow", "contents"}) {
		t.Errorf("asked for %v", kinds)
	}
}

// TestATokenOfAnAppIsNotJudgedByItsUser: it has rights of its own, which only the dispatch tells.
func TestATokenOfAnAppIsNotJudgedByItsUser(t *testing.T) {
	w := newWorld(t, withNonce)
	w.server.NoPush = true
	if _, err := w.start(production()); err != nil {
		t.Error(err)
	}
}
