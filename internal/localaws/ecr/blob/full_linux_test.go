package blob

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDiskFull writes to a file system of 256 KiB until it is full.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := open(t, dir)
	kept := begin(t, s)
	appendText(t, s, kept, 0, "before", 6)

	full := begin(t, s)
	if _, err := s.Append(scope, full, 0, strings.NewReader(strings.Repeat("x", 1<<20))); !errors.Is(err, ErrNoSpace) {
		t.Errorf("append: %v", err)
	}
	if _, err := s.UploadSize(scope, full); !errors.Is(err, ErrUploadNotFound) {
		t.Errorf("the failed upload is still there: %v", err)
	}
	big := []byte(strings.Repeat("y", 1<<20))
	if err := s.Put(DigestOf(big), big); !errors.Is(err, ErrNoSpace) {
		t.Errorf("put: %v", err)
	}
	wantFiles(t, s, 0, 1, 0)

	// There is room again for what fits.
	appendText(t, s, kept, 6, " and after", 16)
	if _, err := s.Commit(scope, kept, DigestOf([]byte("before and after"))); err != nil {
		t.Error(err)
	}
	wantFiles(t, s, 1, 0, 0)
}
