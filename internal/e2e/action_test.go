package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// pinned is the reference by which the workflows of this test use the action: a commit, as init writes it.
const pinned = "medusa-deploy/medusa-deploy@0123456789abcdef0123456789abcdef01234567"

// TestActionUnderAct runs the real action.yml under act, from a pinned reference: with the program whose checksum is
// expected it runs it, with a tampered one it refuses and nothing runs.
func TestActionUnderAct(t *testing.T) {
	stage := newStage(t)
	program, err := os.ReadFile(stage.Program)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(program)
	tampered := filepath.Join(stage.Dir, "tampered")
	if err := os.WriteFile(tampered, append(program, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		binary string
		green  bool
		says   string
	}{
		"the program":  {stage.Program, true, "medusa-deploy "},
		"tampered":     {tampered, false, "refused " + tampered + ": its SHA-256 is "},
		"no such file": {filepath.Join(stage.Dir, "none"), false, "is not a program"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runAct(t, stage, fmt.Sprintf(`
on: push
permissions: {}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - id: tool
        uses: %s # v1.2.3
        with:
          command: version
          binary: %s
          sha256: %s
      - run: echo "the step after it ran"
`, pinned, tt.binary, hex.EncodeToString(sum[:])))
			if (err == nil) != tt.green || !strings.Contains(out, tt.says) || strings.Contains(out, "the step after it ran") != tt.green {
				t.Errorf("act: %v, want green: %v and %q in:\n%s", err, tt.green, tt.says, out)
			}
		})
	}
}

// runAct commits a workflow and runs it with act, the action of the reference mapped to this repository's.
func runAct(t *testing.T, stage *rehearsal.Stage, workflow string) (string, error) {
	t.Helper()
	if err := stage.Write(".github/workflows/test.yml", []byte(workflow)); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("a workflow"); err != nil {
		t.Fatal(err)
	}
	action := filepath.Join(stage.Dir, "action")
	if _, err := os.Stat(action); err != nil {
		if err := os.CopyFS(filepath.Join(action, "action"), os.DirFS(filepath.Join(root(t), "action"))); err != nil {
			t.Fatal(err)
		}
		if err := rehearsal.CopyProgram(filepath.Join(root(t), "action.yml"), filepath.Join(action, "action.yml")); err != nil {
			t.Fatal(err)
		}
	}
	return act(t, stage, nil, "push", "--workflows", filepath.Join(stage.App, ".github/workflows/test.yml"), "--local-repository", pinned+"="+action)
}

// act runs act in the stage's app, steps as processes of this machine, in a home of their own and with env besides.
func act(t *testing.T, stage *rehearsal.Stage, env []string, args ...string) (string, error) {
	t.Helper()
	home := actHome(t, stage)
	command := exec.CommandContext(t.Context(), filepath.Join(stage.EngineDir, "act"), append(args, "--directory", stage.App,
		"--platform", "ubuntu-latest=-self-hosted", "--action-cache-path", filepath.Join(home, "cache"), "--no-cache-server", "--secret", "GITHUB_TOKEN=")...)
	command.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "DOCKER_HOST=unix:///nonexistent", "GIT_CONFIG_GLOBAL=/dev/null")
	command.Env = append(command.Env, env...)
	out, err := command.CombinedOutput()
	return string(out), err
}

// actHome is the home of the steps.
func actHome(t *testing.T, stage *rehearsal.Stage) string {
	t.Helper()
	home := filepath.Join(stage.Dir, "act")
	if err := os.MkdirAll(home, 0o755); err != nil {
		t.Fatal(err)
	}
	return home
}
