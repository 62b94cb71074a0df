package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/shop"
)

// told is a show that has said that.
func told(text string) *show {
	s := &show{stage: newStage(&strings.Builder{}), Shop: &shop.Shop{Stage: &rehearsal.Stage{State: "/tmp/md-1/s"}}}
	s.text.WriteString(text)
	return s
}

const tale = `
base image: debian made (85.9 s)
base image: 100 MB compressed, made in 96.3 s
$ medusa-deploy ship
build: commit a1b2c3d4e5f6 for linux/amd64 with BuildKit (the built-in engine)
  [build 3/3] RUN npx --no-install medusa build (3m31s)
  still in build after 7m10s: exporting layers
build: 9b818e843398, 0 of 10 steps cached (8m13s)
  02:40:19 aae7c20a {"level":"info","message":"Migrated","timestamp":"2026-11-26 02:40:19"}
  medusa-server in progress: 0 of 2 running, 2 pending
verify: 3 tasks verified by digest (12.5 s)
ship to local: succeeded 9b818e843398 (commit a1b2c3d4e5f6) in 9m35s (check 0.0, build 493.0, migrate 78.1)
requests sent meanwhile: 12345, failed: 0, slowest: 0.3 s
state in /tmp/md-1/s
`

func TestTranscript(t *testing.T) {
	path := filepath.Join(t.TempDir(), "transcript.md")
	if err := told(tale).script().compare(path, true); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"[build 3/3]", "still in", "in progress", `"level"`, "/tmp/md-1", "debian made"} {
		if strings.Contains(string(written), gone) {
			t.Errorf("the transcript has %q:\n%s", gone, written)
		}
	}
	for _, kept := range []string{"8m13s", "9b818e843398", "12345", "~/.local/state/medusa-deploy/local"} {
		if !strings.Contains(string(written), kept) {
			t.Errorf("the transcript lacks %q:\n%s", kept, written)
		}
	}
	same := strings.NewReplacer(
		"made in 96.3 s", "found in the cache in 1.4 s", "base image: debian made (85.9 s)\n", "", "a1b2c3d4e5f6", "0123456789ab", "9b818e843398", "abcdefabcdef",
		"8m13s", "58.2 s", "0 of 10 steps", "7 of 10 steps", "12345", "99", "493.0", "58.2", "9m35s", "61.0 s", "12.5 s", "0.3 s",
	).Replace(tale)
	if err := told(same).script().compare(path, false); err != nil {
		t.Errorf("another run of the same story: %v", err)
	}
	for from, to := range map[string]string{"succeeded": "rolled back", "failed: 0": "failed: 1", "3 tasks": "2 tasks", "$ medusa-deploy ship": "$ medusa-deploy deploy"} {
		if err := told(strings.Replace(tale, from, to, 1)).script().compare(path, false); err == nil {
			t.Errorf("%q in place of %q is the same story", to, from)
		}
	}
}
