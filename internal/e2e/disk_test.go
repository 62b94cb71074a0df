package e2e

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// smallDisk puts a disk of a size below the stage's state, before its local AWS runs. What it returns stops local AWS and
// takes the disk away: defer it.
func smallDisk(t *testing.T, stage *rehearsal.Stage, name, size string) (remove func()) {
	t.Helper()
	dir := filepath.Join(stage.State, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	return func() {
		must(t, stage, "local", "down")
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount the small disk: %v", err)
		}
	}
}
