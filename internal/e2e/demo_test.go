package e2e

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDemo runs the demonstration twice, as `make demo` does. It checks its own claims; here is that it made them.
func TestDemo(t *testing.T) {
	stage := newStage(t) // for its checks of what the machine has
	demo := filepath.Join(t.TempDir(), "demo")
	if out, err := exec.Command("go", "build", "-o", demo, "github.com/medusa-deploy/medusa-deploy/internal/rehearsal/demo").CombinedOutput(); err != nil {
		t.Fatalf("build the demonstration: %v\n%s", err, out)
	}
	for _, run := range []string{"first", "second"} {
		out, err := exec.CommandContext(t.Context(), demo, "-program", stage.Program, "-engine", stage.EngineDir, "-example", filepath.Join(root(t), "examples", "hello")).CombinedOutput()
		if err != nil {
			t.Fatalf("%s demonstration: %v\n%s", run, err, out)
		}
		for _, claim := range []string{"failed 0", "Hello again from", "no process, mount or interface of it is left"} {
			if !strings.Contains(string(out), claim) {
				t.Errorf("%s demonstration does not say %q:\n%s", run, claim, out)
			}
		}
	}
}
