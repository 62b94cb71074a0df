package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// patience is how long a test waits for something that takes a second on a quiet machine.
const patience = 3 * time.Minute

// root is the repository, with what `make` built in bin.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if dir, err = rehearsal.FindRoot(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// newStage makes a stage with the example app. It is closed at the end of the test, which fails when anything is left.
func newStage(t *testing.T) *rehearsal.Stage {
	t.Helper()
	stage := openStage(t)
	t.Cleanup(func() { closeStage(t, stage) })
	return stage
}

// openStage makes a stage that its caller closes.
func openStage(t *testing.T) *rehearsal.Stage {
	t.Helper()
	if testing.Short() {
		t.Skip("end-to-end tests are not short")
	}
	if os.Geteuid() != 0 {
		t.Skip("real containers need root: run `sudo make test`")
	}
	dir := root(t)
	program, engine := filepath.Join(dir, "bin", "medusa-deploy"), filepath.Join(dir, "bin", "engine")
	for _, path := range []string{program, filepath.Join(engine, "containerd")} {
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%v: run `make build engine` first", err)
		}
	}
	stage, err := rehearsal.New(program, engine, filepath.Join(dir, "examples", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	return stage
}

func closeStage(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	if t.Failed() {
		if log, err := os.ReadFile(filepath.Join(stage.State, "local.log")); err == nil {
			t.Logf("local AWS's log:\n%s", log)
		}
	}
	if err := stage.Close(context.Background()); err != nil {
		t.Errorf("close the stage: %v", err)
		return
	}
	left, err := rehearsal.Leftovers(stage.State)
	if err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

// upStage is a stage whose local AWS runs.
func upStage(t *testing.T) *rehearsal.Stage {
	t.Helper()
	stage := newStage(t)
	if err := stage.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return stage
}

// green runs a release command that must end with outcome.
func green(t *testing.T, stage *rehearsal.Stage, outcome release.Outcome, args ...string) rehearsal.Result {
	t.Helper()
	result, err := stage.Green(t.Context(), outcome, args...)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// must runs any command that must succeed, and gives its stdout.
func must(t *testing.T, stage *rehearsal.Stage, args ...string) string {
	t.Helper()
	out, err := stage.Must(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out.Stdout
}

func statusOf(t *testing.T, stage *rehearsal.Stage) release.Status {
	t.Helper()
	var status release.Status
	decode(t, must(t, stage, "status", "--output", "json"), &status)
	if len(status.Services) == 0 {
		t.Fatal("status names no service")
	}
	return status
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("decode %q: %v", text, err)
	}
}

// page fetches the app's page through its load balancer.
func page(t *testing.T, url string) string {
	t.Helper()
	body, err := rehearsal.Get(t.Context(), http.DefaultClient, url)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// edit changes the app's greeting and commits it.
func edit(t *testing.T, stage *rehearsal.Stage, from, to string) string {
	t.Helper()
	if err := stage.Edit("main.go", from, to); err != nil {
		t.Fatal(err)
	}
	sha, err := stage.Commit(to)
	if err != nil {
		t.Fatal(err)
	}
	return sha
}

// eventually waits for a condition, looking often.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, patience)
		case <-tick.C:
		}
	}
}
