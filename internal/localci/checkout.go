package localci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Checkout is what the stand-in of actions/checkout is asked for.
type Checkout struct {
	Workspace string // $GITHUB_WORKSPACE
	Path      string // below it
	Ref       string // branch, tag or commit; empty: the run's own
	RunRef    string // $GITHUB_REF
	RunSHA    string // $GITHUB_SHA
	Depth     int    // commits; 0: all, with all branches and tags
	Clean     bool   // remove what is there and not in the commit
}

// CheckoutInputs reads the stand-in's inputs from the environment. What it cannot do is an error: a checkout that lacks
// something would fail later, and elsewhere.
func CheckoutInputs(getenv func(string) string) (Checkout, error) {
	c := Checkout{
		Workspace: getenv("GITHUB_WORKSPACE"), Path: getenv("STANDIN_PATH"), Ref: getenv("STANDIN_REF"),
		RunRef: getenv("GITHUB_REF"), RunSHA: getenv("GITHUB_SHA"), Clean: getenv("STANDIN_CLEAN") != "false",
	}
	if c.Workspace == "" {
		return c, errors.New("there is no GITHUB_WORKSPACE: this runs as a step of a workflow")
	}
	if c.Path != "" && !filepath.IsLocal(c.Path) {
		return c, fmt.Errorf("path %q is not below the workspace", c.Path)
	}
	if named := getenv("STANDIN_REPOSITORY"); named != "" && named != getenv("GITHUB_REPOSITORY") {
		return c, fmt.Errorf("repository %q: local CI has only the workflow's own, %s", named, getenv("GITHUB_REPOSITORY"))
	}
	for _, name := range []string{"SUBMODULES", "LFS", "SPARSE_CHECKOUT"} {
		if value := getenv("STANDIN_" + name); value != "" && value != "false" {
			return c, fmt.Errorf("%s: local CI's checkout cannot do that", strings.ReplaceAll(strings.ToLower(name), "_", "-"))
		}
	}
	depth, err := strconv.Atoi(getenv("STANDIN_FETCH_DEPTH"))
	if err != nil || depth < 0 {
		return c, fmt.Errorf("fetch-depth %q is not a number of commits", getenv("STANDIN_FETCH_DEPTH"))
	}
	c.Depth = depth
	return c, nil
}

var fullSHA = regexp.MustCompile(`^[0-9a-f]{40}(?:[0-9a-f]{24})?$`)

// Checkout puts a commit of the repository into a step's workspace as actions/checkout does: a branch is checked out as a
// branch, a tag or a commit leaves the head detached, and `origin` is where the repository came from. It gives the commit.
func (d Dir) Checkout(ctx context.Context, c Checkout) (sha string, err error) {
	s, err := d.load()
	if err != nil {
		return "", err
	}
	ref, sha, err := d.resolve(ctx, c)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(c.Workspace, c.Path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("check out: %w", err)
	}
	if _, err := git(ctx, dir, "init", "--quiet"); err != nil {
		return "", err
	}
	if err := setOrigin(ctx, dir, s.Origin); err != nil {
		return "", err
	}
	// A path would be copied whole, whatever the depth.
	fetch := []string{"fetch", "--quiet", "--force", "--no-tags", "file://" + d.Repository()}
	if c.Depth == 0 {
		fetch = append(fetch, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", sha)
	} else {
		fetch = append(fetch, "--depth="+strconv.Itoa(c.Depth), sha)
	}
	if _, err := git(ctx, dir, fetch...); err != nil {
		return "", err
	}
	checkout := []string{"checkout", "--quiet", "--force", "--detach", sha, "--"}
	if branch, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		checkout = []string{"checkout", "--quiet", "--force", "-B", branch, sha, "--"}
	}
	if _, err := git(ctx, dir, checkout...); err != nil {
		return "", err
	}
	if c.Clean {
		if _, err := git(ctx, dir, "clean", "-ffdx", "--quiet"); err != nil {
			return "", err
		}
	}
	return sha, nil
}

// resolve finds what is asked for: the full ref, empty for a commit, and the commit.
func (d Dir) resolve(ctx context.Context, c Checkout) (ref, sha string, err error) {
	switch {
	case c.Ref == "":
		return c.RunRef, c.RunSHA, nil
	case fullSHA.MatchString(c.Ref):
		if _, err := git(ctx, d.Repository(), "cat-file", "-e", c.Ref+"^{commit}"); err != nil {
			return "", "", fmt.Errorf("ref %s: local CI has no such commit; push it: git push %s HEAD", c.Ref, RemoteName)
		}
		return "", c.Ref, nil
	}
	for _, full := range []string{c.Ref, "refs/heads/" + c.Ref, "refs/tags/" + c.Ref} {
		if !strings.HasPrefix(full, "refs/") {
			continue
		}
		if out, err := git(ctx, d.Repository(), "rev-parse", "--quiet", "--verify", "--end-of-options", full+"^{commit}"); err == nil {
			return full, strings.TrimSpace(out), nil
		}
	}
	return "", "", fmt.Errorf("ref %q: local CI has no such branch or tag; push it: git push %s %s", c.Ref, RemoteName, c.Ref)
}

// setOrigin makes `origin` what it is in the work tree, and nothing where there is none.
func setOrigin(ctx context.Context, dir, url string) error {
	if url == "" {
		return nil
	}
	_, err := git(ctx, dir, "config", "remote.origin.url", url)
	return err
}
