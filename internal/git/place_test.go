package git

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLocate(t *testing.T) {
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	for name, test := range map[string]struct {
		commands [][]string
		below    string
		want     Place // without Root
	}{
		"new":       {nil, "", Place{Branch: "trunk"}},
		"below":     {nil, "shop/api", Place{Branch: "trunk", Prefix: "shop/api"}},
		"with main": {[][]string{{"commit", "--allow-empty", "-qm", "x"}, {"branch", "main"}}, "", Place{Branch: "main"}},
		"remote": {[][]string{{"remote", "add", "origin", "https://user:secret@github.com/a/b.git"}, {"commit", "--allow-empty", "-qm", "x"},
			{"update-ref", "refs/remotes/origin/release/2", "HEAD"}, {"symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/release/2"}},
			"", Place{Branch: "release/2", Remote: "https://github.com/a/b.git"}},
		"detached": {[][]string{{"commit", "--allow-empty", "-qm", "x"}, {"checkout", "-q", "--detach"}}, "", Place{}},
	} {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range append([][]string{{"init", "-q", "-b", "trunk"}}, test.commands...) {
			command := exec.Command("git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com"}, args...)...)
			command.Dir = dir
			if out, err := command.CombinedOutput(); err != nil {
				t.Fatalf("git %v: %v\n%s", args, err, out)
			}
		}
		at := filepath.Join(dir, test.below)
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		got, err := Locate(t.Context(), at)
		test.want.Root = dir
		if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	if _, err := Locate(t.Context(), t.TempDir()); !errors.Is(err, ErrNotRepository) {
		t.Errorf("outside of a repository: %v", err)
	}
}
