package git

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestHead(t *testing.T) {
	dir := repository(t)
	if _, err := (Repository{dir}).Head(t.Context()); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("without a commit: %v, want release.ErrNotFound", err)
	}
	sha := commit(t, dir, "first")
	put(t, filepath.Join(dir, "new"), "x")
	if c, err := (Repository{dir}).Head(t.Context()); err != nil || c.SHA != sha || !c.Dirty || c.Branch != "main" {
		t.Errorf("head = %+v, %v", c, err)
	}
	if _, err := (Repository{t.TempDir()}).Head(t.Context()); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("outside of a repository: %v, want release.ErrNotFound", err)
	}
}

func TestFind(t *testing.T) {
	dir := repository(t)
	sha := commit(t, dir, "first")
	git(t, dir, "tag", "-a", "v1", "-m", "annotated")
	for _, revision := range []string{"HEAD", "main", "v1", sha, sha[:7]} {
		if c, err := (Repository{dir}).Find(t.Context(), revision); err != nil || c.SHA != sha || c.Subject != "first" || c.Author != "Ada" || c.Time.IsZero() {
			t.Errorf("Find(%q) = %+v, %v", revision, c, err)
		}
	}
	for _, revision := range []string{"nope", "", "--all", strings.Repeat("0", 40)} {
		if _, err := (Repository{dir}).Find(t.Context(), revision); !errors.Is(err, release.ErrNotFound) {
			t.Errorf("Find(%q): %v, want release.ErrNotFound", revision, err)
		}
	}
}

func TestKnown(t *testing.T) {
	dir := repository(t)
	first, second := commit(t, dir, "first\x01"), commit(t, dir, "second: with | and \"quotes\"")
	shas := []string{first, second, strings.Repeat("a", 40), first[:12], "", "HEAD"}
	for n := range 2 * shasPerCall { // more than one call takes
		shas = append(shas, fmt.Sprintf("%040x", n+1))
	}
	known, err := Repository{dir}.Known(t.Context(), shas)
	if err != nil || len(known) != 2 || known[second].Subject != "second: with | and \"quotes\"" || known[first].SHA != first {
		t.Errorf("known = %+v, %v", known, err)
	}
	if known, err = (Repository{dir}).Known(t.Context(), []string{strings.Repeat("b", 40)}); err != nil || len(known) != 0 {
		t.Errorf("one that it does not have: %+v, %v", known, err)
	}
	if known, err = (Repository{t.TempDir()}).Known(t.Context(), []string{first}); err != nil || len(known) != 0 {
		t.Errorf("outside of a repository: %+v, %v", known, err)
	}
}

func TestBetween(t *testing.T) {
	dir := repository(t)
	base := commit(t, dir, "base")
	git(t, dir, "checkout", "-q", "-b", "side")
	side := commit(t, dir, "on the side")
	git(t, dir, "checkout", "-q", "main")
	one, two := commit(t, dir, "one"), commit(t, dir, "two")
	git(t, dir, "checkout", "-q", "--orphan", "apart")
	apart := commit(t, dir, "apart")
	git(t, dir, "checkout", "-q", "main")
	tests := map[string]struct {
		from, to    string
		relation    release.Relation
		gains, lost []string
	}{
		"the same":                  {two, two, release.RelationSame, nil, nil},
		"the same, abbreviated":     {two[:8], two, release.RelationSame, nil, nil},
		"ahead":                     {base, two, release.RelationAhead, []string{two, one}, nil},
		"behind":                    {two, base, release.RelationBehind, nil, []string{two, one}},
		"diverged":                  {side, two, release.RelationDiverged, []string{two, one}, []string{side}},
		"with nothing in common":    {apart, two, release.RelationUnrelated, []string{two, one, base}, []string{apart}},
		"one that is not here":      {strings.Repeat("a", 40), two, release.RelationUnknown, nil, nil},
		"one that is not here, too": {two, strings.Repeat("a", 12), release.RelationUnknown, nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := Repository{dir}.Between(t.Context(), tt.from, tt.to)
			if err != nil {
				t.Fatal(err)
			}
			if c.Relation != tt.relation || c.From != tt.from || c.To.SHA != tt.to || c.Count != len(tt.gains) || c.TakenBack != len(tt.lost) {
				t.Errorf("changes = %+v, want %s", c, tt.relation)
			}
			if got := shasOf(c.Commits); got != strings.Join(tt.gains, " ") {
				t.Errorf("gains %s, want %s", got, tt.gains)
			}
			if got := shasOf(c.Lost); got != strings.Join(tt.lost, " ") {
				t.Errorf("loses %s, want %s", got, tt.lost)
			}
			if c.Relation == release.RelationUnknown && (!strings.Contains(c.Reason, "is not in this clone") || !strings.Contains(c.Cure, "git fetch")) {
				t.Errorf("reason %q, cure %q", c.Reason, c.Cure)
			}
			if c.Commits == nil || c.Lost == nil {
				t.Error("lists are to be empty, not nil: they are JSON")
			}
		})
	}
	if _, err := (Repository{dir}).Between(t.Context(), "--all", two); !errors.Is(err, ErrUnknownCommit) {
		t.Errorf("a flag for a sha: %v", err)
	}
}

func shasOf(commits []release.Commit) string {
	var all []string
	for _, c := range commits {
		all = append(all, c.SHA)
	}
	return strings.Join(all, " ")
}

func TestBetweenListsTheNewestOnly(t *testing.T) {
	dir := repository(t)
	base := commit(t, dir, "base")
	for range release.ChangesListed + 3 {
		commit(t, dir, "another")
	}
	head := git(t, dir, "rev-parse", "HEAD")
	c, err := Repository{dir}.Between(t.Context(), base, head)
	if err != nil || c.Count != release.ChangesListed+3 || len(c.Commits) != release.ChangesListed || c.Commits[0].SHA != head {
		t.Errorf("%d commits of %d, %v", len(c.Commits), c.Count, err)
	}
}

// TestBetweenInAShallowClone is what actions/checkout makes unless it is told otherwise.
func TestBetweenInAShallowClone(t *testing.T) {
	origin := repository(t)
	base := commit(t, origin, "base")
	git(t, origin, "checkout", "-q", "-b", "side")
	side := commit(t, origin, "on the side")
	git(t, origin, "checkout", "-q", "main")
	commit(t, origin, "one")
	head := commit(t, origin, "two")
	clone := filepath.Join(t.TempDir(), "clone")
	git(t, origin, "clone", "-q", "--depth", "1", "file://"+origin, clone)
	unknown := func(from, reason string) {
		t.Helper()
		c, err := Repository{clone}.Between(t.Context(), from, head)
		if err != nil || c.Relation != release.RelationUnknown || !strings.Contains(c.Reason, reason) || !strings.Contains(c.Cure, "--unshallow") || c.Count != 0 {
			t.Errorf("changes = %+v, %v, want unknown because %q", c, err, reason)
		}
	}
	unknown(base, "is not in this clone")
	git(t, clone, "fetch", "-q", "--depth", "1", "origin", "side")
	unknown(side, "this clone is shallow")
	git(t, clone, "fetch", "-q", "--unshallow", "origin", "main", "side")
	if c, err := (Repository{clone}).Between(t.Context(), side, head); err != nil || c.Relation != release.RelationDiverged || c.Count != 2 || c.TakenBack != 1 {
		t.Errorf("after the cure: %+v, %v", c, err)
	}
}

func FuzzParseCounts(f *testing.F) {
	for _, seed := range []string{"1\t2\n", "", "a\tb", "1 2", "-1\t3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, out string) {
		left, right, err := parseCounts(out)
		if err != nil && (left != 0 || right != 0) {
			t.Errorf("parseCounts(%q) = %d, %d, %v", out, left, right, err)
		}
	})
}
