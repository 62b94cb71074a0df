package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"
)

// State is how a file compares with what is there.
type State string

// The states.
const (
	New       State = "new"
	Unchanged State = "unchanged"
	Different State = "different"
)

// Change is a file that is to be written, and what it would change.
type Change struct {
	File
	State State
	Diff  string // unified, from what is there; only when it is different
	at    string
}

// Compare looks at what is there, below dir. Whatever is there and is no plain file is an error: it is not ours to touch.
func Compare(dir string, files []File) ([]Change, error) {
	var all []Change
	for _, f := range files {
		c := Change{File: f, State: New, at: filepath.Join(dir, filepath.FromSlash(f.Path))}
		info, err := os.Lstat(c.at)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			all = append(all, c)
			continue
		case err != nil:
			return nil, fmt.Errorf("look at %s: %w", f.Path, err)
		case !info.Mode().IsRegular():
			return nil, fmt.Errorf("%s is no plain file (%s): move it away, or take it out of the way", f.Path, info.Mode().Type())
		}
		old, err := os.ReadFile(c.at)
		if err != nil {
			return nil, fmt.Errorf("look at %s: %w", f.Path, err)
		}
		if c.State = Unchanged; !bytes.Equal(old, f.Content) {
			c.State, c.Diff = Different, string(diff.Diff(f.Path, old, f.Path+" (generated)", f.Content))
		}
		all = append(all, c)
	}
	return all, nil
}

// Write writes the file, making its directory. A file that is there keeps its mode, and is replaced in one step: there is
// never half a file.
func (c Change) Write() error {
	dir := filepath.Dir(c.at)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write %s: %w", c.Path, err)
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(c.at); err == nil {
		mode = info.Mode().Perm()
	}
	next, err := os.CreateTemp(dir, ".medusa-deploy-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", c.Path, err)
	}
	_, err = next.Write(c.Content)
	err = errors.Join(err, next.Chmod(mode), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), c.at)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", c.Path, errors.Join(err, os.Remove(next.Name())))
	}
	return nil
}
