package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// rehearse builds and runs one of the programs below internal/rehearsal, as make does, and gives what it printed. It
// checks its own claims and must find them kept.
func rehearse(t *testing.T, program string, flags ...string) string {
	t.Helper()
	stage := newStage(t) // for its checks of what the machine has
	binary := filepath.Join(t.TempDir(), program)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "github.com/medusa-deploy/medusa-deploy/internal/rehearsal/"+program).CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", program, err, out)
	}
	command := exec.CommandContext(t.Context(), binary, append([]string{"-program", stage.Program, "-engine", stage.EngineDir}, flags...)...)
	command.Dir = root(t)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", program, err, stderr.Bytes(), out)
	}
	return string(out)
}

// matrixRow is what the matrix tells of one cell.
type matrixRow struct {
	Kind       string
	Strategy   string
	Breaker    bool
	Tasks      int
	Outcome    string
	Exit       int
	Serves     string
	Latest     string
	Sent       int
	Failed     int
	TakenDown  int `json:"taken_down"`
	Cause      string
	Violations []string
}

// TestMatrix ships one good version and one of each kind of bad ones: `make matrix` does so in every combination.
func TestMatrix(t *testing.T) {
	causes := map[string]string{ // a part of the explanation
		"good":                    "",
		"crash at start":          "exit code 3",
		"crash after 5 s":         "exit code 4",
		"crash after taking over": "exit code 4",
		"never healthy":           "never passed",
		"cannot pull":             "is not in the registry",
		"wrong architecture":      "another CPU architecture",
		"OOM":                     "used more memory",
		"missing secret":          "secret",
	}
	seen := map[any]int{}
	for line := range strings.Lines(rehearse(t, "matrix", "-reduced", "-json", "-parallel", "9")) {
		var r matrixRow
		decode(t, line, &r)
		seen[r.Kind]++
		seen[r.Strategy]++
		seen[r.Breaker]++
		seen[r.Tasks]++
		outcome, exit, runs := "rolled_back", 6, "old"
		if r.Kind == "good" {
			outcome, exit, runs = "succeeded", 0, "new"
		}
		cause, known := causes[r.Kind]
		if !known || r.Outcome != outcome || r.Exit != exit || !strings.HasSuffix(r.Serves, " "+runs) || strings.Contains(r.Serves, ",") ||
			r.Latest != runs || !strings.Contains(r.Cause, cause) || (r.Cause == "") != (cause == "") || r.Sent == 0 || len(r.Violations) > 0 {
			t.Errorf("cell %+v, want %s, exit %d, all tasks and :latest on the %s version, and %q as the cause", r, outcome, exit, runs, cause)
		}
		if r.Failed > r.TakenDown && r.Kind != "crash after taking over" {
			t.Errorf("cell %+v: requests failed", r)
		}
	}
	for kind := range causes {
		if seen[kind] != 1 {
			t.Errorf("%d cells of the kind %q, want 1", seen[kind], kind)
		}
	}
	for _, value := range []any{"latest", "pinned", true, false, 1, 4} {
		if seen[value] == 0 {
			t.Errorf("no cell with %v", value)
		}
	}
}

// TestRollouts deploys under load: `make rollouts` does so 50 times.
func TestRollouts(t *testing.T) {
	var r struct {
		Seconds   []float64
		KeepAlive rehearsal.LoadReport `json:"keep_alive"`
		Fresh     rehearsal.LoadReport
		Sockets   rehearsal.SocketsReport
	}
	decode(t, rehearse(t, "rollouts", "-rollouts", "4", "-json"), &r)
	for _, load := range []rehearsal.LoadReport{r.KeepAlive, r.Fresh} {
		if load.Sent == 0 || load.Failed > 0 || len(load.Bodies) != 2 {
			t.Errorf("load = %+v, want answers of both versions and no failure", load)
		}
	}
	if s := r.Sockets; s.Sent == 0 || s.Lost > 0 || s.Broken > 0 || s.Reconnects == 0 {
		t.Errorf("WebSockets = %+v, want that they followed the rollouts and nothing was lost", s)
	}
	if len(r.Seconds) != 4 || slices.Min(r.Seconds) <= 0 {
		t.Errorf("seconds = %v, want those of 4 rollouts", r.Seconds)
	}
}

// TestLatency measures one rollout of each kind: `make latency` measures many. No number is asserted.
func TestLatency(t *testing.T) {
	out := rehearse(t, "latency", "-rounds", "1", "-lanes", "1")
	for _, want := range []string{"1 × succeeded, exit 0", "1 × rolled_back, exit 6", "1 × stable, exit 0"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}
