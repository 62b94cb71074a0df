package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestKilledBuild kills the program in the middle of a step that would go on for ever. The builder gives the step up, and
// the next build of the same commit ends right.
func TestKilledBuild(t *testing.T) {
	stage := upStage(t)
	withProgram(t, stage)
	unprepared(t, stage)
	mark := markOf(stage)
	dockerfile(t, stage, "FROM scratch\nCOPY bin/hello /hello\nRUN [\"/hello\", %q]\n", mark)

	build := stage.Command(t.Context(), "build", "--output", "json")
	stdout, err := build.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := build.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		var event struct{ Type, Name, State, Line string }
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		if event.Type == "build_log" && strings.Contains(event.Line, "is listening on") {
			break
		}
		if event.Type == "result" {
			t.Fatalf("the build ended: %s", lines.Text())
		}
	}
	if len(running(mark)) == 0 {
		t.Error("the step runs, and no process of it is found: to find none later means nothing")
	}
	if err := build.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = build.Wait() // it was killed
	eventually(t, "the step of a killed build ends", func() bool { return len(running(mark)) == 0 })

	dockerfile(t, stage, "FROM scratch\nCOPY bin/hello /hello\nENV CRASH=0\nRUN [\"/hello\", %q]\n", mark)
	again := green(t, stage, release.OutcomeSucceeded, "push")
	if again.Digest == "" {
		t.Errorf("result = %+v", again)
	}
}

// running lists the processes that have a word as their last argument.
func running(word string) []int {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is a good one
	var found []int
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended meanwhile
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil && bytes.HasSuffix(raw, []byte("\x00"+word+"\x00")) {
			found = append(found, pid)
		}
	}
	return found
}
