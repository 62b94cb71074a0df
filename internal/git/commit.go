package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// fields of a commit, NUL-separated: sha, commit time, author, subject.
const fields = "%H%x00%cI%x00%an%x00%s"

// Describe gives the commit that is checked out in dir, with Dirty when anything in the work tree differs from it:
// also outside of dir, and also untracked files (not ignored ones), because a build could have read them.
// On a detached HEAD in GitHub Actions the branch is the one that the workflow runs for.
func Describe(ctx context.Context, dir string) (release.Commit, error) {
	var status, from string
	var c release.Commit
	var failed, unknown, remoteless error
	var all sync.WaitGroup // starting git takes longer than its answer
	all.Go(func() {
		status, failed = run(ctx, dir, "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=normal")
	})
	all.Go(func() { c, unknown = commitAt(ctx, dir, "HEAD") })
	all.Go(func() { from, remoteless = remote(ctx, dir) })
	all.Wait()
	if failed != nil {
		return release.Commit{}, failed
	}
	head := parseStatus(status)
	if head.sha == "" {
		return release.Commit{}, fmt.Errorf("%s has %w: git add . && git commit -m \"first\"", dir, ErrNoCommit)
	}
	if unknown == nil && c.SHA != head.sha { // somebody commits at this moment
		c, unknown = commitAt(ctx, dir, head.sha)
	}
	if err := errors.Join(unknown, remoteless); err != nil {
		return release.Commit{}, err
	}
	c.Dirty, c.Remote = head.dirty, from
	if c.Branch = head.branch; c.Branch == "" {
		c.Branch = branchOfWorkflow(c.SHA)
	}
	return c, nil
}

// commitAt gives what git knows of a commit itself.
func commitAt(ctx context.Context, dir, which string) (release.Commit, error) {
	out, err := run(ctx, dir, "log", "-1", "--no-show-signature", "--format="+fields, which, "--")
	if err != nil {
		return release.Commit{}, err
	}
	return parseCommit(strings.TrimSuffix(out, "\n"))
}

var shaPattern = regexp.MustCompile(`^[0-9a-f]{4,64}$`)

// Log gives the commits that to has and from has not, newest first; with an empty from all that lead to to.
// Both are shas (or the beginning of one). Branch, Remote and Dirty stay empty.
func Log(ctx context.Context, dir, from, to string) ([]release.Commit, error) {
	for _, sha := range []string{from, to} {
		if !shaPattern.MatchString(sha) && (sha != "" || sha == to) {
			return nil, fmt.Errorf("%q is not a commit's sha: %w", sha, ErrUnknownCommit)
		}
	}
	reach := to
	if from != "" {
		reach = from + ".." + to
	}
	out, err := run(ctx, dir, "log", "--no-show-signature", "-z", "--format="+fields, reach, "--")
	if err != nil {
		return nil, err
	}
	return parseLog(out)
}

// parseLog reads commits whose fields, and which themselves, are separated by NUL.
func parseLog(out string) ([]release.Commit, error) {
	var all []release.Commit
	const perCommit = 4
	parts := strings.Split(strings.TrimSuffix(out, "\x00"), "\x00")
	if len(parts) == 1 && parts[0] == "" {
		return nil, nil
	}
	if len(parts)%perCommit != 0 {
		return nil, fmt.Errorf("git log gave %d fields, expected a multiple of %d", len(parts), perCommit)
	}
	for len(parts) > 0 {
		c, err := parseCommit(strings.Join(parts[:perCommit], "\x00"))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
		parts = parts[perCommit:]
	}
	return all, nil
}

func parseCommit(line string) (release.Commit, error) {
	parts := strings.Split(line, "\x00")
	if len(parts) != 4 {
		return release.Commit{}, fmt.Errorf("git log gave %q, expected 4 fields", line)
	}
	at, err := time.Parse(time.RFC3339, parts[1])
	if err != nil {
		return release.Commit{}, fmt.Errorf("git log gave an unknown time: %w", err)
	}
	return release.Commit{SHA: parts[0], Time: at, Author: parts[2], Subject: parts[3]}, nil
}

// head is what git status says about the checkout.
type head struct {
	sha    string // empty: no commit yet
	branch string // empty: detached
	dirty  bool
}

// parseStatus reads `git status --porcelain=v2 --branch -z`.
// https://git-scm.com/docs/git-status#_porcelain_format_version_2
func parseStatus(out string) head {
	var h head
	for entry := range strings.SplitSeq(out, "\x00") {
		switch {
		case entry == "":
		case strings.HasPrefix(entry, "# branch.oid "):
			if sha := strings.TrimPrefix(entry, "# branch.oid "); sha != "(initial)" {
				h.sha = sha
			}
		case strings.HasPrefix(entry, "# branch.head "):
			if branch := strings.TrimPrefix(entry, "# branch.head "); branch != "(detached)" {
				h.branch = branch
			}
		case strings.HasPrefix(entry, "# "):
		default:
			h.dirty = true
		}
	}
	return h
}

// branchOfWorkflow is the branch that a GitHub Actions workflow runs for, when it runs for this very commit.
// https://docs.github.com/en/actions/reference/workflows-and-actions/variables
func branchOfWorkflow(sha string) string {
	if os.Getenv("GITHUB_ACTIONS") != "true" || os.Getenv("GITHUB_SHA") != sha || os.Getenv("GITHUB_REF_TYPE") == "tag" {
		return ""
	}
	if branch := os.Getenv("GITHUB_HEAD_REF"); branch != "" {
		return branch // of a pull request, whose ref name is only N/merge
	}
	return os.Getenv("GITHUB_REF_NAME")
}

// Remote is where dir's repository came from, without credentials: the remote called origin, else the first. It needs no
// commit. Empty when it came from nowhere that anyone else can reach.
func Remote(ctx context.Context, dir string) (string, error) { return remote(ctx, dir) }

// remote is where the repository came from: the remote called origin, else the first. Empty when it came from nowhere
// that anyone else can reach.
func remote(ctx context.Context, dir string) (string, error) {
	out, err := run(ctx, dir, "config", "-z", "--get-regexp", `^remote\..*\.url$`)
	if failed := (interface{ ExitCode() int })(nil); errors.As(err, &failed) && failed.ExitCode() == 1 {
		return "", nil // no remote at all
	}
	if err != nil {
		return "", err
	}
	first := ""
	for entry := range strings.SplitSeq(out, "\x00") {
		name, url, ok := strings.Cut(entry, "\n")
		if !ok {
			continue
		}
		if name == "remote.origin.url" {
			return publicURL(url), nil
		}
		if first == "" {
			first = url
		}
	}
	return publicURL(first), nil
}
