package build_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/buildkit/client"
)

// patience is what a daemon gets to start or stop on a machine that is busy with other things.
const patience = 60 * time.Second

// startBuildKit runs containerd and buildkitd of their own from bin/engine until the test ends, and gives the address
// of buildkitd. The test is skipped where they cannot run.
func startBuildKit(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root: containerd mounts snapshots")
	}
	bin, err := filepath.Abs("../../bin/engine")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"containerd", "buildkitd", "runc", "containerd-shim-runc-v2"} {
		if _, err := os.Stat(filepath.Join(bin, name)); err != nil {
			t.Skipf("needs %s: build it with `make engine`", name)
		}
	}
	dir := shortDir(t)
	start(t, bin, dir, "containerd", containerdConfig(dir))
	waitFor(t, dir, "containerd", func(context.Context) error {
		_, err := os.Stat(filepath.Join(dir, "c.sock"))
		return err
	})
	start(t, bin, dir, "buildkitd", buildkitConfig(bin, dir))
	address := "unix://" + filepath.Join(dir, "b.sock")
	waitFor(t, dir, "buildkitd", func(ctx context.Context) error { return greet(ctx, address) })
	return address
}

// shortDir is a directory whose sockets have short enough paths, which t.TempDir's may not. After the daemons have
// stopped, what they left mounted is unmounted and the directory removed.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mdb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, mount := range mountsBelow(t, dir) {
			t.Errorf("left mounted: %s", mount)
			if err := syscall.Unmount(mount, syscall.MNT_DETACH); err != nil {
				t.Errorf("unmount %s: %v", mount, err)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
		removeCgroups(t, dir)
	})
	return dir
}

// cgroupOf is the cgroup below which the steps of a build run.
func cgroupOf(dir string) string { return "/" + filepath.Base(dir) }

// removeCgroups removes what is left of it, which is empty: in the one hierarchy of cgroup v2, or in each of v1.
func removeCgroups(t *testing.T, dir string) {
	t.Helper()
	for _, hierarchy := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"} {
		for _, group := range []string{"/buildkit", ""} { // BuildKit makes a group of its own in it
			left, err := filepath.Glob(hierarchy + cgroupOf(dir) + group)
			if err != nil {
				t.Error(err)
			}
			for _, path := range left {
				if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Error(err)
				}
			}
		}
	}
}

func mountsBelow(t *testing.T, dir string) []string {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			found = append(found, fields[4])
		}
	}
	slices.Reverse(found) // the innermost first
	return found
}

func start(t *testing.T, bin, dir, name, config string) {
	t.Helper()
	file := filepath.Join(dir, name+".toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(logOf(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(bin, name), "--config", file)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir}
	cmd.Stdout, cmd.Stderr = log, log
	// The daemon dies with the test process even if that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, cmd, log) })
}

func stop(t *testing.T, cmd *exec.Cmd, log *os.File) {
	t.Helper()
	defer func() { _ = log.Close() }()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("stop %s: %v", cmd.Path, err)
	}
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_ = cmd.Wait() // how a daemon exits on SIGTERM is its own affair
}

func logOf(dir, name string) string { return filepath.Join(dir, name+".log") }

func waitFor(t *testing.T, dir, name string, ready func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			said, _ := os.ReadFile(logOf(dir, name))
			t.Fatalf("%s does not answer: %v; it said:\n%s", name, err, said)
		}
	}
}

func greet(ctx context.Context, address string) error {
	c, err := client.New(ctx, address)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = c.Info(ctx)
	return err
}

func containerdConfig(dir string) string {
	return fmt.Sprintf(`version = 3
root = %q
state = %q
temp = %q
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
  "io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.image-verifier.v1.bindir",
]
imports = []
[grpc]
address = %q
[plugins."io.containerd.shim.v1.manager"]
socket_dir = %q
`, dir+"/root", dir+"/state", dir+"/tmp", dir+"/c.sock", dir+"/s")
}

func buildkitConfig(bin, dir string) string {
	return fmt.Sprintf(`root = %q
[grpc]
address = ["unix://%s"]
[otel]
socketPath = %q
[cdi]
disabled = true
[worker.oci]
enabled = false
[worker.containerd]
enabled = true
address = %q
namespace = "buildkit"
rootless = false
networkMode = "host"
defaultCgroupParent = %q
[worker.containerd.runtime]
name = "io.containerd.runc.v2"
path = %q
[worker.containerd.runtime.options]
BinaryName = %q
Root = %q
`, dir+"/bk", dir+"/b.sock", dir+"/o.sock", dir+"/c.sock", cgroupOf(dir), bin+"/containerd-shim-runc-v2", bin+"/runc", dir+"/runc")
}
