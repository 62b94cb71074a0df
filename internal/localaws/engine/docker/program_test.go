//go:build linux

package docker

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A program that needs libraries is refused before a container fails for want of them.
func TestCheckStatic(t *testing.T) {
	dir := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "static"), "./testdata/task")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := checkStatic(filepath.Join(dir, "static")); err != nil {
		t.Error(err)
	}
	dynamic, err := exec.LookPath("ls")
	if err != nil {
		t.Skip(err)
	}
	if err := checkStatic(dynamic); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("ls: %v, want the cure", err)
	}
}

// Become is for containers alone: any other process goes on.
func TestBecomeIsForContainersAlone(t *testing.T) {
	for _, args := range [][]string{nil, {"medusa-deploy"}, {"medusa-deploy", "local", "up"}, {"./" + programName, actEnd, "x"}} {
		Become(args)
	}
}

func TestEnvironment(t *testing.T) {
	got := environment([]string{"A=1", "B=2", "C=3"}, []string{"B=secret=x", "D=4"})
	if want := []string{"A=1", "C=3", "B=secret=x", "D=4"}; !slices.Equal(got, want) {
		t.Errorf("= %q", got)
	}
}

func TestSearchPath(t *testing.T) {
	if got := searchPath([]string{"PATH=/a:/b", "X=y"}); !slices.Equal(got, []string{"/a", "/b"}) {
		t.Errorf("= %q", got)
	}
	if got := searchPath(nil); !slices.Contains(got, "/usr/bin") {
		t.Errorf("= %q", got)
	}
}
