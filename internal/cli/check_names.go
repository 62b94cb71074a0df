package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
	"github.com/medusa-deploy/medusa-deploy/internal/github/lint"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// longestLimit is how long a rate limit is waited for: the names are an extra.
const longestLimit = 2 * time.Second

// lookTime bounds the look-up, gh's part in it too. Nobody waits for an extra any longer.
const lookTime = 10 * time.Second

// errSlow says that the time for the look-up is over.
var errSlow = fmt.Errorf("there was no answer within %s", lookTime)

// addNames asks GitHub which secrets and variables there are, when the workflows read any, a remote says where, and there
// is a token. When GitHub does not tell, the workflows are checked without.
func (f *workflowFlags) addNames(ctx context.Context, o *lint.Options, files []string) error {
	if f.noGitHub || f.secrets != nil {
		return nil
	}
	refer, err := lint.Refer(files)
	if err != nil || !refer.Secrets && !refer.Variables {
		return err
	}
	bounded, cancel := context.WithTimeoutCause(ctx, lookTime, errSlow)
	defer cancel()
	client, why := f.namesClient(bounded, o.Root, files)
	if client == nil {
		f.notes = append(f.notes, release.Notice{Level: "info", Text: "GitHub is not asked which secrets and variables there are: " + why})
		return nil
	}
	seen, err := client.Visible(bounded, dispatch.Wanted{Secrets: refer.Secrets, Variables: refer.Variables, Environments: refer.Environments})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		text := err.Error() + "\n  or name the secrets that there are: --secrets NAME,…; or do not ask: --no-github"
		f.notices = append(f.notices, release.Notice{Level: "info", Text: text})
	}
	o.Secrets, o.Variables, o.Environments = seen.Secrets, seen.Variables, map[string]lint.Names{}
	for name, own := range seen.Environments {
		o.Environments[name] = lint.Names(own)
	}
	return nil
}

// namesClient is a client for the repository that the files belong to; nil, and why, when it cannot be asked.
func (f *workflowFlags) namesClient(ctx context.Context, root string, files []string) (*dispatch.Client, string) {
	if !allBelow(root, files) {
		return nil, "not all files are of the repository here"
	}
	remote, err := git.Remote(ctx, root)
	if err != nil || remote == "" {
		return nil, "there is no git remote"
	}
	host := f.getenv("GH_HOST")
	repository, err := repositoryOfRemote(remote, cmp.Or(host, dispatch.PublicHost), host != "")
	if err != nil {
		return nil, err.Error()
	}
	token, err := dispatch.Finder{Getenv: f.getenv}.Find(ctx, repository.Host)
	var refusal *dispatch.Refusal
	switch {
	case errors.As(err, &refusal):
		return nil, refusal.Cause
	case err != nil:
		return nil, err.Error()
	case !f.isGitHub(repository.Host) && !token.OfLogin():
		return nil, fmt.Sprintf("nothing says that %s is a GitHub host, and so it does not get %s (if it is one: GH_HOST=%s)", repository.Host, token, repository.Host)
	}
	f.mask.Add("", token.Secret())
	return dispatch.NewClient(dispatch.Config{
		Repository: repository, Token: token, UserAgent: "medusa-deploy/" + Version, MaxWait: longestLimit,
	}), ""
}

// isGitHub tells whether a host is known to be GitHub's. A remote alone does not say so, and a token that is meant for
// some GitHub Enterprise must not reach the host of any remote.
func (f *workflowFlags) isGitHub(host string) bool {
	if host == dispatch.PublicHost || strings.HasSuffix(host, ".ghe.com") || host == f.getenv("GH_HOST") {
		return true
	}
	server, err := url.Parse(f.getenv("GITHUB_SERVER_URL"))
	return err == nil && server.Host == host
}

// allBelow tells whether the files are in the repository.
func allBelow(root string, files []string) bool {
	if root == "" {
		return false
	}
	for _, file := range files {
		whole, err := filepath.Abs(file)
		if err != nil {
			return false
		}
		if short, err := filepath.Rel(root, whole); err != nil || !filepath.IsLocal(short) {
			return false
		}
	}
	return true
}
