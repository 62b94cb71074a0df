//go:build linux

package rehearsal_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// A daemon of its own runs a container, and nothing of either is left, whether it was stopped or had crashed.
func TestDockerdLeavesNothing(t *testing.T) {
	if testing.Short() || os.Geteuid() != 0 {
		t.Skip("dockerd needs root and seconds")
	}
	for name, crash := range map[string]bool{"stopped": false, "crashed": true} {
		t.Run(name, func(t *testing.T) {
			d, err := rehearsal.StartDockerd(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = d.Stop() }) // again, when the test ended early
			runContainer(t, d)
			if len(traces(t, d)) == 0 {
				t.Error("a daemon with a container leaves no trace: to find none later means nothing")
			}
			if crash {
				if err := d.Kill(); err != nil {
					t.Error(err)
				}
			}
			if err := d.Stop(); err != nil {
				t.Error(err)
			}
			if after := traces(t, d); len(after) > 0 {
				t.Errorf("left behind:\n%s", strings.Join(after, "\n"))
			}
		})
	}
}

// runContainer leaves a container of nothing but a sleeping program running.
func runContainer(t *testing.T, d *rehearsal.Dockerd) {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Hour) }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "pause"), source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output(t, build)
	archive := exec.CommandContext(t.Context(), "tar", "-C", dir, "-c", "pause")
	load := exec.CommandContext(t.Context(), "docker", "--host", d.Host, "import", "--change", `ENTRYPOINT ["/pause"]`, "-", "pause")
	load.Stdin = bytes.NewReader(output(t, archive))
	output(t, load)
	output(t, exec.CommandContext(t.Context(), "docker", "--host", d.Host, "run", "--detach", "pause"))
}

func output(t *testing.T, command *exec.Cmd) []byte {
	t.Helper()
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", command.Args, err, stderr.Bytes())
	}
	return out
}

// traces are what the daemon has on the machine.
func traces(t *testing.T, d *rehearsal.Dockerd) []string {
	t.Helper()
	found, err := rehearsal.Leftovers(d.Dir)
	if err != nil {
		t.Fatal(err)
	}
	name := "dk" + strings.TrimPrefix(filepath.Base(d.Dir), "dockerd-")
	for _, pattern := range []string{"/sys/class/net/", "/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		some, err := filepath.Glob(pattern + name)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, some...)
	}
	return found
}
