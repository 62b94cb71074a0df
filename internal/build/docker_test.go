//go:build linux

package build_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// docking is a Docker Engine with docker buildx, for tests that share it.
type docking struct {
	daemon  *rehearsal.Dockerd
	plugins string // a DOCKER_CONFIG that has nothing but the plugin
}

const (
	containerBuilder = "cont" // of the driver docker-container
	remoteBuilder    = "rem"  // of the driver remote, on the BuildKit of the test
	builderImage     = "mdtest/buildkit:local"
)

// startDocker starts a Docker Engine and makes it and buildx the test's own.
func startDocker(t *testing.T) *docking {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil || os.Getuid() != 0 {
		t.Skip("needs root and docker")
	}
	if _, err := rehearsal.FindDockerd(); err != nil {
		t.Skip(err)
	}
	plugin := filepath.Join(engineBin(t), "buildx")
	if _, err := os.Stat(plugin); err != nil {
		t.Skip("needs buildx: build it with `make engine`")
	}
	daemon, err := rehearsal.StartDockerd(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := daemon.Stop(); err != nil {
			t.Error(err)
		}
	})
	d := &docking{daemon: daemon, plugins: filepath.Join(daemon.Dir, "plugins")} // other users reach it there
	if err := os.MkdirAll(filepath.Join(d.plugins, "cli-plugins"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(plugin, filepath.Join(d.plugins, "cli-plugins", "docker-buildx")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_HOST", daemon.Host)
	t.Setenv("DOCKER_CONFIG", d.plugins)
	t.Setenv("BUILDX_CONFIG", t.TempDir())
	d.allowPrivileged(t)
	return d
}

func engineBin(t *testing.T) string {
	t.Helper()
	bin, err := filepath.Abs("../../bin/engine")
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// makeBuilders gives buildx a builder in a container, from this house's own BuildKit, and one that is remote.
func (d *docking) makeBuilders(t *testing.T, remote string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "root")
	for _, dir := range []string{"usr/bin", "tmp", "run", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, from := range map[string]string{"buildkitd": "buildkitd", "buildctl": "buildctl", "buildkit-runc": "runc"} {
		d.run(t, nil, "cp", filepath.Join(engineBin(t), from), filepath.Join(root, "usr/bin", name))
	}
	archive := d.run(t, nil, "tar", "-C", root, "-c", ".")
	d.run(t, archive, "docker", "import", "-c", `ENTRYPOINT ["/usr/bin/buildkitd"]`, "-c", "ENV PATH=/usr/bin", "-", builderImage)
	d.run(t, nil, "docker", "buildx", "create", "--name", containerBuilder, "--driver", "docker-container", "--driver-opt", "image="+builderImage+",network=host")
	d.run(t, nil, "docker", "buildx", "create", "--name", remoteBuilder, "--driver", "remote", remote)
}

// run runs a command that must succeed and gives its output.
func (d *docking) run(t *testing.T, stdin []byte, argv ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, stderr.Bytes())
	}
	return out
}

// sysResource is the number of a capability that a machine in a sandbox may not have, while Docker gives all to a
// privileged container and fails where one is not to be had.
const sysResource = 24

// allowPrivileged makes a runtime the default that leaves out the capability, where this machine lacks it.
func (d *docking) allowPrivileged(t *testing.T) {
	t.Helper()
	if has(t, sysResource) {
		return
	}
	script := `#!/bin/sh
before=
for word in "$@"; do
	case "$before" in
	--bundle) sed -i 's/"CAP_SYS_RESOURCE",//g' "$word/config.json" ;;
	--process) sed -i 's/"CAP_SYS_RESOURCE",//g' "$word" ;;
	esac
	before=$word
done
exec runc "$@"
`
	runtime := filepath.Join(d.daemon.Dir, "runc-within-bounds")
	if err := os.WriteFile(runtime, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{"runtimes": {"bounded": {"path": %q}}, "default-runtime": "bounded"}`, runtime)
	if err := os.WriteFile(filepath.Join(d.daemon.Dir, "daemon.json"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(d.daemon.Dir, "dockerd.pid"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGHUP); err != nil { // it reads its configuration again
		t.Fatal(err)
	}
	waitFor(t, d.daemon.Dir, "dockerd", func(ctx context.Context) error {
		out, err := exec.CommandContext(ctx, "docker", "info", "--format", "{{.DefaultRuntime}}").Output()
		if err == nil && strings.TrimSpace(string(out)) != "bounded" {
			err = fmt.Errorf("the default runtime is %s", out)
		}
		return err
	})
}

// has says whether this process may give a capability away.
func has(t *testing.T, capability int) bool {
	t.Helper()
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if bounding, ok := strings.CutPrefix(line, "CapBnd:"); ok {
			set, err := strconv.ParseUint(strings.TrimSpace(bounding), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return set&(1<<capability) != 0
		}
	}
	t.Fatal("no CapBnd in /proc/self/status")
	return false
}

// id is the ID that the engine gives a name; empty: it has none of the name.
func (d *docking) id(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", "image", "inspect", "--format", "{{.Id}}", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}
