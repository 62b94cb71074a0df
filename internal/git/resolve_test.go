package git

import (
	"errors"
	"testing"
)

func TestResolve(t *testing.T) {
	dir := repository(t)
	first := commit(t, dir, "first")
	second := commit(t, dir, "second")
	git(t, dir, "tag", "-a", "v1", "-m", "annotated", first)
	for revision, want := range map[string]string{
		"HEAD": second, "HEAD~1": first, "main": second, "v1": first, first[:8]: first, first: first,
		"": "", "--all": "", "nope": "", "HEAD:main.txt": "",
	} {
		got, err := Resolve(t.Context(), dir, revision)
		if got != want || (want == "") != errors.Is(err, ErrUnknownCommit) {
			t.Errorf("Resolve(%q) = %q, %v; want %q", revision, got, err, want)
		}
	}
}
