//go:build linux

package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Docker is a Docker Engine of its own with docker buildx, and a client's configuration that knows nothing else.
type Docker struct {
	*Dockerd
	Config string // DOCKER_CONFIG, which other users may read
	engine string // directory of the engine's binaries
}

// builderImage is what builders of the driver docker-container run, made from the engine's binaries.
const builderImage = "medusa-deploy/buildkit:local"

// StartDocker starts a Docker Engine and gives its client the buildx of engineDir. Stop it.
func StartDocker(ctx context.Context, engineDir string) (*Docker, error) {
	daemon, err := StartDockerd(ctx, "")
	if err != nil {
		return nil, err
	}
	d := &Docker{Dockerd: daemon, Config: filepath.Join(daemon.Dir, "client"), engine: engineDir}
	err = CopyProgram(filepath.Join(engineDir, "buildx"), filepath.Join(d.Config, "cli-plugins", "docker-buildx"))
	if err == nil {
		err = d.stayWithinBounds(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, daemon.Stop())
	}
	return d, nil
}

// Env is the variables that lead the docker client here.
func (d *Docker) Env() []string {
	return []string{"DOCKER_HOST=" + d.Host, "DOCKER_CONFIG=" + d.Config, "BUILDX_CONFIG=" + filepath.Join(d.Config, "buildx")}
}

// Run runs the docker client and gives its output.
func (d *Docker) Run(ctx context.Context, args ...string) (string, error) {
	return d.feed(ctx, nil, args...)
}

func (d *Docker) feed(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, "docker", args...)
	command.Env = append(os.Environ(), d.Env()...)
	command.Stdin, command.Stdout, command.Stderr = stdin, &stdout, &stderr
	if err := command.Run(); err != nil {
		return "", fmt.Errorf("docker %s: %w: %s", strings.Join(args, " "), err, stderr.Bytes())
	}
	return strings.TrimSpace(stdout.String()), nil
}

// CreateBuilder makes a builder of docker buildx in a container, with the machine's network where it is asked for.
func (d *Docker) CreateBuilder(ctx context.Context, name string, hostNetwork bool) error {
	if err := d.makeBuilderImage(ctx); err != nil {
		return err
	}
	options := "image=" + builderImage
	if hostNetwork {
		options += ",network=host"
	}
	_, err := d.Run(ctx, "buildx", "create", "--name", name, "--driver", "docker-container", "--driver-opt", options)
	return err
}

// makeBuilderImage makes the image of builders in containers from the engine's own BuildKit.
func (d *Docker) makeBuilderImage(ctx context.Context) error {
	root := filepath.Join(d.Dir, "builder")
	for _, dir := range []string{"tmp", "run", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return fmt.Errorf("make the builder's image: %w", err)
		}
	}
	for name, from := range map[string]string{"buildkitd": "buildkitd", "buildctl": "buildctl", "buildkit-runc": "runc"} {
		if err := CopyProgram(filepath.Join(d.engine, from), filepath.Join(root, "usr/bin", name)); err != nil {
			return err
		}
	}
	archive, err := exec.CommandContext(ctx, "tar", "-C", root, "-c", ".").Output()
	if err != nil {
		return fmt.Errorf("make the builder's image: %w", err)
	}
	_, err = d.feed(ctx, bytes.NewReader(archive), "import", "-c", `ENTRYPOINT ["/usr/bin/buildkitd"]`, "-c", "ENV PATH=/usr/bin", "-", builderImage)
	return err
}

// sysResource is the number of CAP_SYS_RESOURCE. A machine inside a sandbox may lack it, and a privileged container, which
// a builder's is, does not start there.
const sysResource = 24

// boundedRuntime is runc for such a machine: it asks for one capability less.
const boundedRuntime = `#!/bin/sh
previous=
for word in "$@"; do
	case "$previous" in
	--bundle) sed -i 's/"CAP_SYS_RESOURCE",//g' "$word/config.json" ;;
	--process) sed -i 's/"CAP_SYS_RESOURCE",//g' "$word" ;;
	esac
	previous=$word
done
exec runc "$@"
`

// stayWithinBounds has containers ask for no capability that this machine lacks.
func (d *Docker) stayWithinBounds(ctx context.Context) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, bounding, _ := strings.Cut(string(status), "CapBnd:")
	bounding, _, _ = strings.Cut(bounding, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(bounding), 16, 64)
	if err != nil || set&(1<<sysResource) != 0 {
		return err
	}
	runtime := filepath.Join(d.Dir, "runc-within-bounds")
	settings := fmt.Sprintf(`{"runtimes": {"bounded": {"path": %q}}, "default-runtime": "bounded"}`, runtime)
	err = errors.Join(os.WriteFile(runtime, []byte(boundedRuntime), 0o700), os.WriteFile(filepath.Join(d.Dir, "daemon.json"), []byte(settings), 0o600))
	if err == nil {
		err = d.command.Process.Signal(syscall.SIGHUP) // it reads its settings again
	}
	if err != nil {
		return fmt.Errorf("bound dockerd's containers: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, dockerdBoot)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if runtime, err := d.Run(ctx, "info", "--format", "{{.DefaultRuntime}}"); err == nil && runtime == "bounded" {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not take its settings: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}
