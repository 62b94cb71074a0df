package seal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/seal"
)

func open(t *testing.T, path string) *seal.Box {
	t.Helper()
	box, err := seal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return box
}

func TestSeal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	box := open(t, path)
	value := []byte("correct horse battery staple")
	sealed := box.Seal(value, "here")
	if bytes.Contains(sealed, value[:8]) {
		t.Error("the value is readable")
	}
	if bytes.Equal(sealed, box.Seal(value, "here")) {
		t.Error("the same value looks the same twice")
	}
	again := open(t, path)
	if got, err := again.Unseal(sealed, "here"); err != nil || !bytes.Equal(got, value) {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	broken := bytes.Clone(sealed)
	broken[len(broken)-1]++
	other := open(t, filepath.Join(t.TempDir(), "key"))
	for what, unseal := range map[string]func() ([]byte, error){
		"another place":  func() ([]byte, error) { return box.Unseal(sealed, "there") },
		"another key":    func() ([]byte, error) { return other.Unseal(sealed, "here") },
		"a changed byte": func() ([]byte, error) { return box.Unseal(broken, "here") },
		"nothing at all": func() ([]byte, error) { return box.Unseal(nil, "here") },
	} {
		if got, err := unseal(); !errors.Is(err, seal.ErrSealed) || got != nil {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: others may read the key", info.Mode())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
	if err := os.WriteFile(path, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.Open(path); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "restore the file") {
		t.Errorf("a damaged key: %v", err)
	}
	if _, err := seal.Open(filepath.Join(t.TempDir(), "none", "key")); err == nil {
		t.Error("a key was made in a directory that does not exist")
	}
}
