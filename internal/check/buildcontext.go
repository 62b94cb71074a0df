package check

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// Bounds of a build context that deserves no word.
const (
	hugeBytes = 500_000_000
	hugeFiles = 100_000
	// mostEntries is where counting ends: a second or two on a slow disk. Whoever has that many is told.
	mostEntries = 300_000
)

// contextFiles is what a build reads of its context.
type contextFiles struct {
	files, entries int
	bytes          int64
	parts          map[string]*part // by first directory; ".": the files at the top
	unneeded       []string         // directories that no image needs
	ignoreFile     string           // path; empty: there is none
	secretFiles    []string         // that are named like files with secrets, and have some
	cutShort       bool
}

// part is one directory at the top of the context.
type part struct {
	name  string
	files int
	bytes int64
}

func (c contextFiles) huge() bool {
	return c.bytes > hugeBytes || c.files > hugeFiles || c.cutShort
}

// largest gives up to three parts, the largest first.
func (c contextFiles) largest() []*part {
	var all []*part
	for _, p := range c.parts {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *part) int {
		return cmp.Or(cmp.Compare(b.bytes, a.bytes), cmp.Compare(b.files, a.files), cmp.Compare(a.name, b.name))
	})
	return all[:min(3, len(all))]
}

// ignoreError is a .dockerignore that the build would refuse.
type ignoreError struct {
	path string
	err  error
}

func (e *ignoreError) Error() string { return e.err.Error() }
func (e *ignoreError) Unwrap() error { return e.err }

// walker goes through a build context.
type walker struct {
	ctx     context.Context
	root    string
	ignored *patternmatcher.PatternMatcher
	wanted  []source
	limit   int // of entries
	found   contextFiles
}

// lookAtContext counts what a build reads: what the sources name, less what .dockerignore leaves out.
func lookAtContext(ctx context.Context, root, dockerfile string, wanted []source) (contextFiles, error) {
	ignored, ignoreFile, err := readIgnore(root, dockerfile)
	if err != nil {
		return contextFiles{}, err
	}
	w := &walker{ctx: ctx, root: root, ignored: ignored, wanted: wanted, limit: mostEntries}
	w.found = contextFiles{parts: map[string]*part{}, ignoreFile: ignoreFile}
	err = w.directory("", patternmatcher.MatchInfo{}, false)
	if errors.Is(err, errCutShort) {
		w.found.cutShort, err = true, nil
	}
	slices.Sort(w.found.unneeded)
	slices.Sort(w.found.secretFiles)
	return w.found, err
}

// readIgnore reads the ignore file of the Dockerfile itself, or the context's.
// https://docs.docker.com/build/concepts/context/#dockerignore-files
func readIgnore(root, dockerfile string) (*patternmatcher.PatternMatcher, string, error) {
	for _, file := range []string{dockerfile + ".dockerignore", filepath.Join(root, ".dockerignore")} {
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, "", &ignoreError{file, err}
		}
		patterns, err := ignorefile.ReadAll(bytes.NewReader(raw))
		if err != nil {
			return nil, "", &ignoreError{file, err}
		}
		matcher, err := patternmatcher.New(patterns)
		if err != nil {
			return nil, "", &ignoreError{file, fmt.Errorf("a pattern cannot be read: %w", err)}
		}
		return matcher, file, nil
	}
	matcher, err := patternmatcher.New(nil)
	return matcher, "", err
}

// errCutShort ends a walk that has gone on for long enough.
var errCutShort = errors.New("there are too many files to count")

// directory goes through one directory. Inside tells that everything in it is wanted.
func (w *walker) directory(dir string, parent patternmatcher.MatchInfo, inside bool) error {
	entries, err := os.ReadDir(filepath.Join(w.root, dir))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if w.found.entries++; w.found.entries > w.limit || w.ctx.Err() != nil {
			return errCutShort
		}
		name := path.Join(dir, e.Name())
		ignored, info, err := w.ignored.MatchesUsingParentResults(name, parent)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		covered, leads := inside || covers(w.wanted, name), leadsTo(w.wanted, name)
		switch {
		case !covered && !leads:
		case e.IsDir():
			err = w.subdirectory(name, info, ignored, covered)
		case !ignored && covered:
			err = w.file(name, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) subdirectory(name string, info patternmatcher.MatchInfo, ignored, covered bool) error {
	if ignored && !w.keepsBelow(name) {
		return nil
	}
	if !ignored && covered && w.needless(name) {
		w.found.unneeded = append(w.found.unneeded, name)
	}
	return w.directory(name, info, covered)
}

// needless reports whether a directory is one that no image needs, unless a source asks for it by name. Those inside of
// another one go without saying.
func (w *walker) needless(dir string) bool {
	base := path.Base(dir)
	if base != ".git" && base != "node_modules" {
		return false
	}
	named := slices.ContainsFunc(w.wanted, func(s source) bool { return len(s) > 0 && s[len(s)-1] == base })
	return !named && !slices.ContainsFunc(w.found.unneeded, func(above string) bool { return strings.HasPrefix(dir, above+"/") })
}

// keepsBelow reports whether a line that begins with ! may keep something of an ignored directory.
func (w *walker) keepsBelow(dir string) bool {
	for _, p := range w.ignored.Patterns() {
		if p.Exclusion() && (strings.HasPrefix(p.String()+"/", dir+"/") || strings.ContainsAny(p.String(), "*?[")) {
			return true
		}
	}
	return false
}

func (w *walker) file(name string, e fs.DirEntry) error {
	info, err := e.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // gone since the directory was read
	}
	if err != nil {
		return err
	}
	size := int64(0)
	if info.Mode().IsRegular() {
		size = info.Size()
		if mayHoldSecrets(filepath.Join(w.root, name)) {
			w.found.secretFiles = append(w.found.secretFiles, name)
		}
	}
	first, _, below := strings.Cut(name, "/")
	if !below {
		first = "."
	}
	p := w.found.parts[first]
	if p == nil {
		p = &part{name: first}
		w.found.parts[first] = p
	}
	p.files++
	p.bytes += size
	w.found.files++
	w.found.bytes += size
	return nil
}
