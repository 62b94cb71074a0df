package git

import (
	"context"
	"path/filepath"
	"strings"
)

// Root gives the top of the work tree that dir is in, named the way dir is: links in dir's path stay as they are.
func Root(ctx context.Context, dir string) (string, error) {
	up, err := run(ctx, dir, "rev-parse", "--show-cdup")
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.FromSlash(strings.TrimSpace(up))), nil
}
