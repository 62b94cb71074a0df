package dispatch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Names are those of secrets and variables; nil: not known. GitHub shows nobody a secret's value.
type Names struct{ Secrets, Variables []string }

// Wanted is what to look for.
type Wanted struct {
	Secrets, Variables bool
	Environments       []string // besides the repository's, those of these environments
}

// Visible is what the workflows of a repository see.
type Visible struct {
	Names                         // of the repository and of its organization
	Environments map[string]Names // by the environment's name as it was asked for
}

// Visible lists the names of the secrets and variables that workflows see. What GitHub does not show stays nil; the error
// then says what it is, why, and the cure, and the rest is as good as without it. It takes two requests, and two more for
// each kind and environment: ctx should have a deadline.
// https://docs.github.com/en/rest/actions/secrets https://docs.github.com/en/rest/actions/variables
func (c *Client) Visible(ctx context.Context, want Wanted) (Visible, error) {
	seen := Visible{Environments: map[string]Names{}}
	var facts struct {
		Fork  bool `json:"fork"`
		Owner struct {
			Type string `json:"type"`
		} `json:"owner"`
	}
	if _, err := c.get(ctx, c.repositoryPath(""), &facts); err != nil {
		return seen, c.unseen("the repository", atRepository, err)
	}
	look := &look{client: c, organization: facts.Owner.Type != "User"}
	if want.Secrets {
		seen.Secrets = look.repository(ctx, secretsList)
	}
	if want.Variables {
		seen.Variables = look.repository(ctx, variablesList)
	}
	for _, name := range want.Environments {
		var own Names
		if seen.Secrets != nil {
			own.Secrets = look.environment(ctx, secretsList, name)
		}
		if seen.Variables != nil {
			own.Variables = look.environment(ctx, variablesList, name)
		}
		seen.Environments[name] = own
	}
	if facts.Fork && seen.empty() {
		return Visible{}, look.failed // a fork's workflows are written for the repository that it came from
	}
	return seen, look.failed
}

// empty tells whether no name at all was seen.
func (v Visible) empty() bool {
	n := len(v.Secrets) + len(v.Variables)
	for _, own := range v.Environments {
		n += len(own.Secrets) + len(own.Variables)
	}
	return n == 0
}

// list is one of the two kinds of names.
type list struct {
	name string // in paths, and in the answer
	page int    // the most that GitHub gives at once
}

var (
	secretsList   = list{"secrets", 100}
	variablesList = list{"variables", 30}
)

// look gathers names. After a refusal other lists are still asked for: a token may see one and not the other.
type look struct {
	client       *Client
	organization bool  // the repository's owner may be one
	failed       error // the first failure: one is enough to tell
}

// repository are the names of the repository and of its organization; nil when either is not shown.
func (l *look) repository(ctx context.Context, kind list) []string {
	own := l.names(ctx, kind, "/actions/"+kind.name, "the "+kind.name)
	if own == nil || !l.organization {
		return own
	}
	shared := l.names(ctx, kind, "/actions/organization-"+kind.name, "the organization's "+kind.name)
	if shared == nil {
		return nil
	}
	return append(own, shared...)
}

// environment are the names that an environment has of its own; nil when they are not shown.
func (l *look) environment(ctx context.Context, kind list, name string) []string {
	return l.names(ctx, kind, "/environments/"+url.PathEscape(name)+"/"+kind.name, "the "+kind.name+" of the environment "+name)
}

// names reads all pages of a list.
func (l *look) names(ctx context.Context, kind list, path, what string) []string {
	names := []string{}
	for page := 1; ; page++ {
		query := url.Values{"per_page": {strconv.Itoa(kind.page)}, "page": {strconv.Itoa(page)}}
		got, total, err := l.client.page(ctx, kind, path+"?"+query.Encode())
		if err != nil {
			if l.failed == nil {
				l.failed = l.client.unseen(what, atNames, err)
			}
			return nil
		}
		if names = append(names, got...); len(got) == 0 || len(names) >= total {
			return names
		}
	}
}

// page reads one page of a list, and how long the list is.
func (c *Client) page(ctx context.Context, kind list, path string) ([]string, int, error) {
	type named struct {
		Name string `json:"name"`
	}
	var answer struct {
		Total     int     `json:"total_count"`
		Secrets   []named `json:"secrets"`
		Variables []named `json:"variables"`
	}
	if _, err := c.get(ctx, c.repositoryPath(path), &answer); err != nil {
		return nil, 0, err
	}
	entries := answer.Secrets
	if kind == variablesList {
		entries = answer.Variables
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names, answer.Total, nil
}

// unseen explains why something is not shown.
func (c *Client) unseen(what string, at stage, err error) error {
	p := place{repository: c.Repository, token: c.Token}
	prefix := fmt.Sprintf("could not look at %s of %s", what, c.Repository)
	if at == atRepository {
		prefix = "could not look at " + c.Repository.String()
	}
	var failed *APIError
	if !errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", prefix, err)
	}
	reason, _ := p.reason(at, failed)
	switch reason {
	case ReasonBadCredentials, ReasonNoRepository, ReasonSSO, ReasonIPAllowList, ReasonRateLimit:
		return fmt.Errorf("%s: %w", prefix, p.explain(at, err))
	}
	if failed.Status != http.StatusForbidden && failed.Status != http.StatusNotFound {
		return fmt.Errorf("%s: %w", prefix, err)
	}
	return fmt.Errorf("%s: %s may not see them, or they are not there\n  %s\n  %w",
		prefix, c.Token, strings.ReplaceAll(c.namesCure(), "\n", "\n  "), failed)
}

// namesCure says what a token needs to see names.
func (c *Client) namesCure() string {
	if c.Token.temporary() {
		return "a workflow's own token never may: use one of an app with Secrets: read, Variables: read and Environments: read"
	}
	return fmt.Sprintf("a classic token needs the scope repo (gh auth refresh --hostname %s --scopes repo) and a user with write access, a fine-grained one Secrets: read, Variables: read and Environments: read (https://%s/settings/personal-access-tokens)",
		c.Repository.Host, c.Repository.Host)
}
