package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
	"github.com/medusa-deploy/medusa-deploy/internal/github/githubtest"
)

const (
	byPerson = "Resource not accessible by personal access token"
	byApp    = "Resource not accessible by integration"
)

// settled is a world whose repository, organization and environment each have something.
func settled(t *testing.T) *world {
	w := newWorld(t, withNonce)
	w.server.Settings = githubtest.Settings{Secrets: []string{"AWS_ROLE_ARN"}, Variables: []string{"REGION"}}
	w.server.Organization = githubtest.Settings{Secrets: []string{"NPM_TOKEN"}}
	w.server.Environments = map[string]githubtest.Settings{"live/eu": {Secrets: []string{"DB"}}}
	return w
}

func many(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("NAME_%03d", i)
	}
	return names
}

func TestTheNamesThatAWorkflowSees(t *testing.T) {
	all := dispatch.Wanted{Secrets: true, Variables: true, Environments: []string{"live/eu"}}
	whole := dispatch.Visible{
		Names:        dispatch.Names{Secrets: []string{"AWS_ROLE_ARN", "NPM_TOKEN"}, Variables: []string{"REGION"}},
		Environments: map[string]dispatch.Names{"live/eu": {Secrets: []string{"DB"}, Variables: []string{}}},
	}
	nothing := dispatch.Visible{Environments: map[string]dispatch.Names{"live/eu": {}}}
	cases := []struct {
		name    string
		want    dispatch.Wanted
		arrange func(w *world)
		seen    func() dispatch.Visible
		err     string // empty: none
	}{
		{name: "all", want: all, seen: func() dispatch.Visible { return whole }},
		{name: "only secrets", want: dispatch.Wanted{Secrets: true}, seen: func() dispatch.Visible {
			return dispatch.Visible{Names: dispatch.Names{Secrets: []string{"AWS_ROLE_ARN", "NPM_TOKEN"}}, Environments: map[string]dispatch.Names{}}
		}},
		{name: "a user's repository has no organization", want: all, arrange: func(w *world) { w.server.OwnerType = "User" }, seen: func() dispatch.Visible {
			v := whole
			v.Secrets = []string{"AWS_ROLE_ARN"}
			return v
		}},
		{
			name: "403 for secrets leaves the variables", want: all, err: "the secrets of acme/shop",
			arrange: func(w *world) {
				w.server.Answer("secrets", githubtest.Answer{Status: http.StatusForbidden, Message: byPerson})
			},
			seen: func() dispatch.Visible {
				return dispatch.Visible{Names: dispatch.Names{Variables: []string{"REGION"}}, Environments: map[string]dispatch.Names{"live/eu": {Variables: []string{}}}}
			},
		},
		{
			name: "404 for the organization's variables makes all variables unknown", want: all, err: "the organization's variables of acme/shop",
			arrange: func(w *world) {
				w.server.Answer("organization-variables", githubtest.Answer{Status: http.StatusNotFound, Message: "Not Found"})
			},
			seen: func() dispatch.Visible {
				return dispatch.Visible{Names: dispatch.Names{Secrets: whole.Secrets}, Environments: map[string]dispatch.Names{"live/eu": {Secrets: []string{"DB"}}}}
			},
		},
		{
			name: "404 for an environment leaves the repository's", want: all, err: "the secrets of the environment live/eu of acme/shop",
			arrange: func(w *world) { w.server.Environments = nil },
			seen:    func() dispatch.Visible { v := whole; v.Environments = nothing.Environments; return v },
		},
		{
			name: "404 for the repository", want: all, err: "acme/shop does not exist, or the token of GH_TOKEN may not see it",
			arrange: func(w *world) {
				w.server.Answer("repository", githubtest.Answer{Status: http.StatusNotFound, Message: "Not Found"})
			},
			seen: func() dispatch.Visible { return dispatch.Visible{Environments: map[string]dispatch.Names{}} },
		},
		{
			name: "401", want: all, err: "gh auth login", arrange: func(w *world) { w.as("wrong") },
			seen: func() dispatch.Visible { return dispatch.Visible{Environments: map[string]dispatch.Names{}} },
		},
		{
			name: "a rate limit that lasts", want: all, err: "GitHub's rate limit for the token of GH_TOKEN is used up",
			arrange: func(w *world) {
				for _, kind := range []string{"secrets", "variables"} {
					w.server.Answer(kind, githubtest.Answer{Status: http.StatusForbidden, Message: "API rate limit exceeded", Header: map[string]string{"Retry-After": "3600"}})
				}
			},
			seen: func() dispatch.Visible { return nothing },
		},
		{
			name: "pages", want: dispatch.Wanted{Secrets: true, Variables: true},
			arrange: func(w *world) {
				w.server.Settings = githubtest.Settings{Secrets: many(201), Variables: many(60)}
				w.server.Organization = githubtest.Settings{}
			},
			seen: func() dispatch.Visible {
				return dispatch.Visible{Names: dispatch.Names{Secrets: many(201), Variables: many(60)}, Environments: map[string]dispatch.Names{}}
			},
		},
		{
			name: "a fork with nothing of its own says nothing", want: dispatch.Wanted{Secrets: true},
			arrange: func(w *world) {
				w.server.Fork, w.server.Settings, w.server.Organization = true, githubtest.Settings{}, githubtest.Settings{}
			},
			seen: func() dispatch.Visible { return dispatch.Visible{} },
		},
		{name: "a fork that has some", want: all, arrange: func(w *world) { w.server.Fork = true }, seen: func() dispatch.Visible { return whole }},
	}
	for _, c := range cases {
		bubble(t, c.name, func(t *testing.T) {
			w := settled(t)
			if c.arrange != nil {
				c.arrange(w)
			}
			seen, err := w.client.Visible(t.Context(), c.want)
			if diff := cmp.Diff(c.seen(), seen); diff != "" {
				t.Errorf("seen (-want +got):\n%s", diff)
			}
			if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("the error is %v, want %q", err, c.err)
			}
		})
	}
}

// TestPagesAreAskedForOnce: 201 secrets are three pages of 100, 60 variables two of 30, and none is asked for behind them.
func TestPagesAreAskedForOnce(t *testing.T) {
	w := settled(t)
	w.server.OwnerType, w.server.Settings = "User", githubtest.Settings{Secrets: many(201), Variables: many(60)}
	if _, err := w.client.Visible(t.Context(), dispatch.Wanted{Secrets: true, Variables: true}); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, r := range w.server.Requests("secrets", "variables") {
		paths = append(paths, strings.TrimPrefix(r.Path, "/repos/acme/shop/actions/"))
	}
	want := []string{
		"secrets?page=1&per_page=100", "secrets?page=2&per_page=100", "secrets?page=3&per_page=100",
		"variables?page=1&per_page=30", "variables?page=2&per_page=30",
	}
	if diff := cmp.Diff(want, paths); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if n := len(w.server.Requests("organization-secrets", "organization-variables")); n != 0 {
		t.Errorf("a user's repository was asked %d times for its organization's", n)
	}
}

// TestTheCureNamesWhatTheTokenLacks: for a person's token, and for one that no permission helps.
func TestTheCureNamesWhatTheTokenLacks(t *testing.T) {
	for token, want := range map[string]string{
		githubtest.Token: "a fine-grained one Secrets: read, Variables: read and Environments: read (https://github.com/settings/personal-access-tokens)",
		"ghs_workflow":   "a workflow's own token never may",
	} {
		w := settled(t)
		w.as(token)
		// The server refuses an unknown token before it looks further, and a workflow's sees the repository.
		w.server.Accept = token
		w.server.Answer("secrets", githubtest.Answer{Status: http.StatusForbidden, Message: byApp})
		_, err := w.client.Visible(t.Context(), dispatch.Wanted{Secrets: true})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "GitHub answered 403: "+byApp) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

// TestALookEndsWithItsTime: a server that is down is not waited for beyond the deadline.
func TestALookEndsWithItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := settled(t)
		w.server.Answer("secrets", githubtest.Answer{Status: http.StatusBadGateway})
		slow := errors.New("too slow")
		begun := time.Now()
		ctx, cancel := context.WithTimeoutCause(t.Context(), 3*time.Second, slow)
		defer cancel()
		seen, err := w.client.Visible(ctx, dispatch.Wanted{Secrets: true, Variables: true})
		if !errors.Is(err, slow) || seen.Secrets != nil || seen.Variables != nil {
			t.Errorf("saw %+v, error %v", seen, err)
		}
		if took := time.Since(begun); took != 3*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}
