package git

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestRoot(t *testing.T) {
	real := t.TempDir()
	if _, err := run(t.Context(), real, "init", "--quiet"); err != nil {
		t.Fatal(err)
	}
	deep := filepath.Join(real, "apps", "shop")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{real: real, deep: real, filepath.Join(link, "apps", "shop"): link} {
		if got, err := Root(t.Context(), dir); err != nil || got != want {
			t.Errorf("Root(%s) = %s, %v; want %s", dir, got, err, want)
		}
	}
	if _, err := Root(t.Context(), t.TempDir()); !errors.Is(err, ErrNotRepository) {
		t.Errorf("outside of a repository: %v", err)
	}
}
