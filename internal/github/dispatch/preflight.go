package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/github/near"
)

// Request is what is to be dispatched.
type Request struct {
	Workflow string // file name, or a path that ends in it
	Ref      string // branch or tag; empty: the default branch
	Inputs   map[string]string
}

// Plan is a dispatch that nothing speaks against.
type Plan struct {
	Repository Repository
	Workflow   string // file name
	Path       string // in the repository
	Ref        string
	Inputs     map[string]string
	trigger    Trigger
	since      time.Time // by the server's clock: no run of ours is older
}

// Pairs are the inputs as NAME=VALUE, in the order of their names.
func (p Plan) Pairs() []string {
	var pairs []string
	for _, name := range sortedKeys(p.Inputs) {
		pairs = append(pairs, name+"="+p.Inputs[name])
	}
	return pairs
}

// Prepare looks whether the dispatch can work, with requests that only read, and says what is in its way.
func (c *Client) Prepare(ctx context.Context, r Request) (Plan, error) {
	p := place{repository: c.Repository, token: c.Token, workflow: base(r.Workflow), ref: r.Ref}
	repository, err := c.checkRepository(ctx, p)
	if err != nil {
		return Plan{}, err
	}
	if p.ref == "" {
		p.ref = repository.DefaultBranch
	}
	plan := Plan{Repository: c.Repository, Workflow: p.workflow, Ref: p.ref, Inputs: r.Inputs}
	if plan.Path, plan.since, err = c.checkWorkflow(ctx, p, repository.DefaultBranch); err != nil {
		return Plan{}, err
	}
	return plan, c.checkFile(ctx, p, &plan)
}

type repositoryFacts struct {
	DefaultBranch string `json:"default_branch"`
	Archived      bool   `json:"archived"`
	Disabled      bool   `json:"disabled"`
	Private       bool   `json:"private"`
	Permissions   *struct {
		Push bool `json:"push"`
	} `json:"permissions"`
}

// checkRepository looks at the repository, and at what the token may do with it.
func (c *Client) checkRepository(ctx context.Context, p place) (repositoryFacts, error) {
	var facts repositoryFacts
	a, err := c.get(ctx, c.repositoryPath(""), &facts)
	switch {
	case err != nil:
		return facts, p.explain(atRepository, err)
	case facts.Archived:
		return facts, p.refuse(ReasonArchived, "", nil)
	case facts.Disabled:
		return facts, p.refuse(ReasonForbidden, "", nil)
	}
	scopes, classic := a.header["X-Oauth-Scopes"] // only classic and OAuth tokens have scopes
	if !classic || c.Token.temporary() {
		return facts, nil
	}
	if facts.Permissions != nil && !facts.Permissions.Push {
		return facts, p.refuse(ReasonNoWrite, "", nil)
	}
	if !enough(strings.Join(scopes, ","), facts.Private) {
		had := strings.Join(scopes, ",")
		if had == "" {
			had = "none"
		}
		return facts, p.refuse(ReasonTokenScope, had, nil)
	}
	return facts, nil
}

// enough reports whether scopes allow a dispatch; for a public repository public_repo does.
func enough(scopes string, private bool) bool {
	for scope := range strings.SplitSeq(scopes, ",") {
		if scope = strings.TrimSpace(scope); scope == "repo" || scope == "public_repo" && !private {
			return true
		}
	}
	return false
}

// checkWorkflow looks whether GitHub knows the workflow and lets it run. It gives its path, and the server's time.
func (c *Client) checkWorkflow(ctx context.Context, p place, defaultBranch string) (string, time.Time, error) {
	var facts struct {
		Path  string `json:"path"`
		State string `json:"state"`
	}
	a, err := c.get(ctx, c.repositoryPath("/actions/workflows/"+url.PathEscape(p.workflow)), &facts)
	if err != nil {
		err = p.explain(atWorkflow, err)
		var refusal *Refusal
		if errors.As(err, &refusal) && refusal.Reason == ReasonNoWorkflow {
			err = c.whyNoWorkflow(ctx, p, defaultBranch, refusal.Err)
		}
		return "", time.Time{}, err
	}
	switch facts.State {
	case "active":
		return facts.Path, a.time(), nil
	case "disabled_inactivity", "disabled_fork":
		return "", time.Time{}, p.refuse(ReasonInactive, facts.State, nil)
	}
	return "", time.Time{}, p.refuse(ReasonDisabled, "", nil)
}

const workflowFolder = ".github/workflows/"

// whyNoWorkflow tells a misspelt workflow from one that is not on the default branch yet.
func (c *Client) whyNoWorkflow(ctx context.Context, p place, defaultBranch string, answered error) error {
	if p.ref != defaultBranch {
		if _, err := c.file(ctx, workflowFolder+p.workflow, p.ref); err == nil {
			return p.refuse(ReasonNotDefault, defaultBranch, answered)
		}
	}
	var list struct {
		Workflows []struct {
			Path string `json:"path"`
		} `json:"workflows"`
	}
	const few = "?per_page=100"
	if _, err := c.get(ctx, c.repositoryPath("/actions/workflows"+few), &list); err != nil || len(list.Workflows) == 0 {
		return p.refuse(ReasonNoWorkflow, "", answered)
	}
	var known []string
	for _, w := range list.Workflows {
		known = append(known, base(w.Path))
	}
	detail := "; it has " + strings.Join(known, ", ")
	if meant := near.Word(p.workflow, known); meant != "" {
		detail = fmt.Sprintf(" (did you mean %s?)", meant) + detail
	}
	return p.refuse(ReasonNoWorkflow, detail, answered)
}

// file reads a file at a ref.
func (c *Client) file(ctx context.Context, path, ref string) ([]byte, error) {
	a, err := c.do(ctx, request{
		method: http.MethodGet, accept: rawBody,
		path: c.repositoryPath("/contents/" + (&url.URL{Path: path}).EscapedPath() + "?ref=" + url.QueryEscape(ref)),
	})
	return a.body, err
}

// checkFile reads the workflow at the ref that would run: its trigger must be there, and its inputs must fit.
func (c *Client) checkFile(ctx context.Context, p place, plan *Plan) error {
	content, err := c.file(ctx, plan.Path, p.ref)
	if err != nil {
		err = p.explain(atFile, err)
		var refusal *Refusal
		if errors.As(err, &refusal) && slices.Contains([]Reason{ReasonIntegration, ReasonTokenPermission}, refusal.Reason) {
			c.notice("warning", "%s may not read %s (Contents: read), so that its inputs are checked by GitHub alone", c.Token, plan.Path)
			return nil
		}
		return err
	}
	trigger, err := ParseTrigger(content)
	if err != nil {
		return p.refuse(ReasonBadFile, err.Error(), nil)
	}
	if plan.trigger = trigger; !trigger.Dispatchable {
		return p.refuse(ReasonNoTrigger, "", nil)
	}
	faults := trigger.faults(plan.Inputs)
	if len(faults) == 0 {
		return nil
	}
	// All that is wrong is said at once, under the reason of the first.
	var details []string
	for _, f := range faults {
		if f.reason == faults[0].reason {
			details = append(details, f.detail)
		}
	}
	refusal := p.refuse(faults[0].reason, strings.Join(details, "; "), nil)
	for _, f := range faults {
		if f.reason != faults[0].reason {
			refusal.Cause += "\n  also: " + f.detail
		}
	}
	return refusal
}
