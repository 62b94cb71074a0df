package git

import (
	"context"
	"fmt"
	"strings"
)

// Resolve gives the full sha of the commit that a revision names: a branch, a tag, a short sha, HEAD~1.
// ErrUnknownCommit when git knows no such commit.
func Resolve(ctx context.Context, dir, revision string) (string, error) {
	if revision == "" || strings.HasPrefix(revision, "-") {
		return "", fmt.Errorf("%q: %w", revision, ErrUnknownCommit)
	}
	out, err := run(ctx, dir, "rev-parse", "--verify", "--quiet", revision+"^{commit}")
	if err != nil {
		return "", fmt.Errorf("%q: %w: %w", revision, ErrUnknownCommit, err)
	}
	return strings.TrimSpace(out), nil
}
