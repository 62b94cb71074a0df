//go:build linux

package containerd

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// TestWeigh: the engine weighs more than one process of a busy machine, and its cgroup goes with it.
func TestWeigh(t *testing.T) {
	if os.Geteuid() != 0 || !isDir(filepath.Join(cgroupRoot, "cpu")) {
		t.Skip("making a cgroup needs root, and its weight matters with cgroup v1")
	}
	l, err := newLayout(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = removeTrees(l.cgroupDirs()) }) // of a test that failed
	for range 2 {                                         // a second time changes nothing
		if err := l.weigh(); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(cgroupRoot, "cpu", l.cgroup())
	raw, err := os.ReadFile(filepath.Join(dir, "cpu.shares"))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(raw)), strconv.Itoa(4096*runtime.NumCPU()); got != want {
		t.Errorf("the engine weighs %s, want %s", got, want)
	}
	if err := l.removeCgroups(t.Context()); err != nil {
		t.Fatal(err)
	}
	if isDir(dir) {
		t.Errorf("%s is still there", dir)
	}
}
