package git

import (
	"context"
	"errors"
	"strings"
)

// Place is where a directory lies in its repository, and what that repository is called elsewhere. It needs no commit.
type Place struct {
	Root   string // absolute: the work tree
	Prefix string // the directory, from Root, with / between names; empty: Root itself
	Remote string // where the repository came from, without credentials; empty: nowhere that anyone else can reach
	Branch string // the default branch: the remote's where it is known, else main or master where it exists, else the current one
}

// Locate gives the place of dir.
func Locate(ctx context.Context, dir string) (Place, error) {
	out, err := run(ctx, dir, "rev-parse", "--show-toplevel", "--show-prefix")
	if err != nil {
		return Place{}, err
	}
	root, prefix, _ := strings.Cut(strings.TrimSuffix(out, "\n"), "\n")
	p := Place{Root: root, Prefix: strings.TrimSuffix(strings.TrimSuffix(prefix, "\n"), "/")}
	if p.Remote, err = remote(ctx, dir); err != nil {
		return Place{}, err
	}
	p.Branch, err = defaultBranch(ctx, dir)
	return p, err
}

// defaultBranch asks for what a clone would check out.
func defaultBranch(ctx context.Context, dir string) (string, error) {
	if ref, err := answer(ctx, dir, "symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"); err != nil || ref != "" {
		return strings.TrimPrefix(ref, "refs/remotes/origin/"), err
	}
	for _, name := range []string{"main", "master"} {
		if sha, err := answer(ctx, dir, "rev-parse", "--quiet", "--verify", "refs/heads/"+name); err != nil || sha != "" {
			return name, err
		}
	}
	ref, err := answer(ctx, dir, "symbolic-ref", "--quiet", "HEAD") // also before the first commit
	return strings.TrimPrefix(ref, "refs/heads/"), err
}

// answer is what git says; empty when it says by its exit code that there is no such thing.
func answer(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := run(ctx, dir, args...)
	if failed := (interface{ ExitCode() int })(nil); errors.As(err, &failed) && failed.ExitCode() == 1 {
		return "", nil
	}
	return strings.TrimSpace(out), err
}
