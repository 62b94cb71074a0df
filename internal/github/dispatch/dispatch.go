package dispatch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Run is one run of a workflow, as GitHub tells of it.
type Run struct {
	ID         int64     `json:"id"`
	URL        string    `json:"html_url"`
	Title      string    `json:"display_title"`
	Status     string    `json:"status"`     // queued, in_progress, waiting, pending, requested, completed
	Conclusion string    `json:"conclusion"` // once it is completed
	Branch     string    `json:"head_branch"`
	Event      string    `json:"event"`
	Attempt    int       `json:"run_attempt"`
	Path       string    `json:"path"` // the workflow's, with @REF at its end in some versions
	CreatedAt  time.Time `json:"created_at"`
	StartedAt  time.Time `json:"run_started_at"`
}

// dispatchBody is what a dispatch sends.
// https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
type dispatchBody struct {
	Ref              string            `json:"ref"`
	Inputs           map[string]string `json:"inputs,omitempty"`
	ReturnRunDetails bool              `json:"return_run_details,omitempty"`
}

// How long a run is looked for: GitHub makes it a few seconds after the dispatch.
const (
	lookFor   = 45 * time.Second
	lookEvery = 1500 * time.Millisecond
)

// Dispatch starts the workflow and gives its run. A dispatch whose answer got lost is not sent again before its run has
// been looked for: a deploy must not start twice.
func (c *Client) Dispatch(ctx context.Context, plan Plan) (Run, error) {
	p := place{repository: plan.Repository, token: c.Token, workflow: plan.Workflow, ref: plan.Ref}
	body := dispatchBody{Ref: plan.Ref, Inputs: plan.Inputs, ReturnRunDetails: true}
	nonce := ""
	if plan.trigger.ShowsNonce && !given(plan.Inputs, nonceInput) {
		nonce = rand.Text()
		body.Inputs = maps.Clone(plan.Inputs)
		if body.Inputs == nil {
			body.Inputs = map[string]string{}
		}
		body.Inputs[nonceInput] = nonce
	}
	const mostLost = 3
	for lost := 1; ; lost++ {
		run, err := c.send(ctx, plan, body)
		switch {
		case err == nil && run.ID != 0:
			return run, nil
		case err == nil:
			return c.find(ctx, plan, nonce, true)
		case !uncertain(err):
			return Run{}, p.explain(atDispatch, err)
		}
		c.notice("warning", "the answer to the dispatch got lost: looking for its run before anything is sent again")
		if run, findErr := c.find(ctx, plan, nonce, false); findErr != nil || run.ID != 0 {
			return run, findErr
		}
		if nonce == "" || lost == mostLost {
			return Run{}, fmt.Errorf("%w\n  no run of it is to be seen; look at %s/actions/workflows/%s before you dispatch again", err, plan.Repository.Web(), plan.Workflow)
		}
	}
}

// uncertain reports whether a dispatch may or may not have had its effect.
func uncertain(err error) bool {
	var failed *APIError
	if errors.As(err, &failed) {
		return failed.Status >= http.StatusInternalServerError
	}
	var network *net.OpError
	if errors.As(err, &network) && network.Op == "dial" {
		return false // it was never sent
	}
	return errors.Is(err, errLost)
}

// send posts the dispatch. The run is empty where the server does not tell it.
func (c *Client) send(ctx context.Context, plan Plan, body dispatchBody) (Run, error) {
	r := request{
		method: http.MethodPost, accept: jsonBody, body: body,
		path: c.repositoryPath("/actions/workflows/" + url.PathEscape(plan.Workflow) + "/dispatches"),
	}
	a, err := c.do(ctx, r)
	if body.ReturnRunDetails && refusesField(err) { // GitHub Enterprise from before February 2026
		body.ReturnRunDetails = false
		return c.send(ctx, plan, body)
	}
	if err != nil || a.status == http.StatusNoContent || len(a.body) == 0 {
		return Run{}, err
	}
	var details struct {
		ID  int64  `json:"workflow_run_id"`
		URL string `json:"html_url"`
	}
	if json.Unmarshal(a.body, &details) != nil {
		return Run{}, nil // it was dispatched, whatever the answer says: the run is looked for
	}
	return Run{ID: details.ID, URL: details.URL}, nil
}

// refusesField reports whether a server does not know return_run_details.
func refusesField(err error) bool {
	var failed *APIError
	return errors.As(err, &failed) && (failed.Status == http.StatusBadRequest || failed.Status == http.StatusUnprocessableEntity) &&
		strings.Contains(failed.Message, "return_run_details")
}

// find looks for the run of a dispatch: by its nonce in the run's name, else as the only dispatched run of the same user
// on the same ref since then. When none is found that is an error if it must be there, else an empty run.
func (c *Client) find(ctx context.Context, plan Plan, nonce string, must bool) (Run, error) {
	query := url.Values{"event": {eventName}, "created": {">=" + plan.since.UTC().Format(time.RFC3339)}, "per_page": {"100"}}
	if nonce == "" {
		if actor := c.user(ctx); actor != "" {
			query.Set("actor", actor)
		}
	}
	path := c.repositoryPath("/actions/workflows/" + url.PathEscape(plan.Workflow) + "/runs?" + query.Encode())
	for waited := time.Duration(0); waited < lookFor; waited += lookEvery {
		var list struct {
			Runs []Run `json:"workflow_runs"`
		}
		if _, err := c.poll(ctx, path, &list); err != nil {
			return Run{}, fmt.Errorf("the workflow was dispatched, and its run is to be found at %s/actions/workflows/%s: %w", plan.Repository.Web(), plan.Workflow, err)
		}
		run, err := pick(list.Runs, plan, nonce)
		if err != nil || run.ID != 0 {
			return run, err
		}
		if err := pause(ctx, lookEvery); err != nil {
			return Run{}, err
		}
	}
	if must {
		return Run{}, fmt.Errorf("the workflow was dispatched, but its run does not show within %s\n  look at %s/actions/workflows/%s, then: medusa-deploy trigger --follow RUN", lookFor, plan.Repository.Web(), plan.Workflow)
	}
	return Run{}, nil
}

// pick tells which of the runs since the dispatch is ours.
func pick(runs []Run, plan Plan, nonce string) (Run, error) {
	var ours []Run
	for _, run := range runs {
		switch {
		case run.Event != eventName || run.CreatedAt.Before(plan.since.Truncate(time.Second)):
		case nonce != "" && strings.Contains(run.Title, nonce):
			return run, nil
		case nonce == "" && run.Branch == strings.TrimPrefix(strings.TrimPrefix(plan.Ref, "refs/heads/"), "refs/tags/"):
			ours = append(ours, run)
		}
	}
	switch len(ours) {
	case 0:
		return Run{}, nil
	case 1:
		return ours[0], nil
	}
	text := "the workflow was dispatched, but more than one run began since, and nothing tells which is ours:"
	for _, run := range ours {
		text += "\n  medusa-deploy trigger --follow " + fmt.Sprint(run.ID) + "   " + run.URL
	}
	return Run{}, errors.New(text + "\n  an input nonce that the workflow shows in its run-name would tell")
}

// user is the token's; empty when it has none, as in a workflow.
func (c *Client) user(ctx context.Context) string {
	var user struct {
		Login string `json:"login"`
	}
	if _, err := c.get(ctx, "/user", &user); err != nil {
		return ""
	}
	return user.Login
}
