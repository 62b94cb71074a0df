package localci

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/childenv"
)

// git runs git in dir and gives what it printed. Hooks of the user's are not run, and nobody is asked for a password.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	full := append([]string{"-C", dir, "-c", "core.hooksPath=" + os.DevNull, "-c", "protocol.file.allow=always", "-c", "advice.detachedHead=false"}, args...)
	command := exec.CommandContext(ctx, "git", full...)
	command.Env = append(withoutGit(childenv.ForHelper(os.Environ())), "LC_ALL=C", "GIT_TERMINAL_PROMPT=0")
	var out, problem strings.Builder
	command.Stdout, command.Stderr = &out, &problem
	err := command.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("git is not installed: install it and try again")
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return "", &gitError{verb: args[0], problem: strings.TrimSpace(problem.String()), err: err}
	}
	return out.String(), nil
}

// gitError is git's own complaint.
type gitError struct {
	verb, problem string
	err           error
}

// Error tells what git said, or how it ended when it said nothing.
func (e *gitError) Error() string {
	if e.problem == "" {
		return fmt.Sprintf("git %s: %v", e.verb, e.err)
	}
	return fmt.Sprintf("git %s: %v: %s", e.verb, e.err, e.problem)
}

// Unwrap gives the cause.
func (e *gitError) Unwrap() error { return e.err }

// withoutGit drops what a hook's environment says about the repository that it was started for.
func withoutGit(env []string) []string {
	return slices.DeleteFunc(env, func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return strings.HasPrefix(name, "GIT_") && !strings.HasPrefix(name, "GIT_CONFIG")
	})
}

// tree is what a work tree says about the repository that it belongs to.
type tree struct {
	branch string // what GitHub would call the default branch
	origin string // URL of the remote `origin`; empty: there is none
	name   string // OWNER/NAME
}

// look asks a work tree; an empty dir and one that is in no repository give the defaults.
func look(ctx context.Context, dir string) (tree, error) {
	t := tree{branch: "main", name: "local/app"}
	if dir == "" {
		return t, nil
	}
	top, err := git(ctx, dir, "rev-parse", "--show-toplevel")
	if failed := (*gitError)(nil); errors.As(err, &failed) && strings.Contains(failed.problem, "not a git repository") {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	t.name = "local/" + nameOf(strings.TrimSuffix(top, "\n"))
	if head, err := git(ctx, dir, "symbolic-ref", "--quiet", "HEAD"); err == nil {
		t.branch = strings.TrimPrefix(strings.TrimSpace(head), "refs/heads/")
	}
	if head, err := git(ctx, dir, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"); err == nil {
		t.branch = strings.TrimPrefix(strings.TrimSpace(head), "refs/remotes/origin/")
	}
	if origin, err := git(ctx, dir, "config", "--get", "remote.origin.url"); err == nil {
		t.origin = withoutPassword(strings.TrimSpace(origin))
	}
	if name, ok := ownerAndName(t.origin); ok {
		t.name = name
	}
	return t, nil
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// nameOf makes a repository's name of a directory's.
func nameOf(dir string) string {
	if name := strings.Trim(notInNames.ReplaceAllString(filepath.Base(dir), "-"), "-"); name != "" {
		return name
	}
	return "app"
}

var lastTwo = regexp.MustCompile(`([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+?)(?:\.git)?/?$`)

// ownerAndName are the last two parts of a remote's path: git@HOST:OWNER/NAME.git, https://HOST/OWNER/NAME.
func ownerAndName(remote string) (string, bool) {
	if filepath.IsAbs(remote) || strings.HasPrefix(remote, "file:") {
		return "", false
	}
	m := lastTwo.FindStringSubmatch(remote)
	if m == nil {
		return "", false
	}
	return m[1] + "/" + m[2], true
}

// withoutPassword drops a user's secrets from a remote: checkouts are made with it, and steps can read them.
func withoutPassword(remote string) string {
	u, err := url.Parse(remote)
	if err != nil || u.Host == "" || u.User == nil {
		return remote
	}
	if u.Scheme == "ssh" {
		u.User = url.User(u.User.Username())
	} else {
		u.User = nil
	}
	return u.String()
}

// RemoteName is the remote that AddRemote makes.
const RemoteName = "local"

// AddRemote gives a work tree the remote `local`. One that is there stays as it is; url is where it points then. A dir in no
// repository gets none: url is empty.
func (d Dir) AddRemote(ctx context.Context, dir string) (url string, added bool, err error) {
	found, err := git(ctx, dir, "rev-parse", "--is-inside-work-tree")
	if failed := (*gitError)(nil); errors.As(err, &failed) && strings.Contains(failed.problem, "not a git repository") {
		return "", false, nil
	}
	if err != nil || strings.TrimSpace(found) != "true" {
		return "", false, err
	}
	if url, err := git(ctx, dir, "config", "--get", "remote."+RemoteName+".url"); err == nil {
		return strings.TrimSpace(url), false, nil
	}
	if _, err := git(ctx, dir, "remote", "add", "--", RemoteName, d.Repository()); err != nil {
		return "", false, err
	}
	return d.Repository(), true, nil
}
