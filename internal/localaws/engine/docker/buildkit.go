package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const (
	buildkitBoot   = 60 * time.Second // until a started buildkitd answers, on a busy machine
	buildkitTrial  = 5 * time.Second  // until one that runs already answers, before it is replaced
	maxSocketPath  = 107              // sun_path of unix(7), less the final zero
	buildkitRun    = "/run/medusa-deploy"
	buildkitSocket = "b.sock"
	buildkitConfig = "/etc/buildkit/buildkitd.toml"
	labelConfig    = "medusa-deploy.config" // what BuildKit was started with
)

// openBuildKit leaves BuildKit running in a container on the host's network, where it reaches local ECR as everybody does.
// Where it cannot, which is not where the containers' daemon is apart, or its programs are missing, there is none.
func (e *Engine) openBuildKit(ctx context.Context) error {
	for _, name := range []string{"buildkitd", "runc"} { // containerd.BuildKitNames
		if !e.hasProgram(name) {
			e.log.InfoContext(ctx, "no BuildKit: a program is missing", "program", name, "dir", e.config.BinDir)
			return nil
		}
	}
	if e.apart {
		e.log.InfoContext(ctx, "no BuildKit: where Docker runs, it would not reach the registry of this machine")
		return nil
	}
	if err := os.MkdirAll(e.place.socketDir(), 0o700); err != nil {
		return err
	}
	image, err := e.ensureBuildKitImage(ctx)
	if err != nil {
		return err
	}
	address := "unix://" + e.buildkitSocket()
	if len(e.buildkitSocket()) > maxSocketPath {
		if !e.hasProgram("buildctl") {
			return fmt.Errorf("the path %s is too long for a socket\n  name a shorter state directory", e.buildkitSocket())
		}
		address = "docker-container://" + e.place.buildkitName()
	}
	if err := e.ensureBuildKit(ctx, image); err != nil {
		return fmt.Errorf("start BuildKit: %w", err)
	}
	e.buildkit = address
	e.tasks.Go(func() { e.superviseBuildKit(image) })
	return nil
}

func (e *Engine) buildkitSocket() string { return filepath.Join(e.place.socketDir(), buildkitSocket) }

// superviseBuildKit starts BuildKit again when it ends, as with the Docker Engine, until the engine is closed.
func (e *Engine) superviseBuildKit(image string) {
	retry := time.NewTicker(retryInterval)
	defer retry.Stop()
	for {
		err := e.awaitStop(e.life, e.place.buildkitName())
		if e.life.Err() != nil {
			return
		}
		if there, lost := found(err); lost == nil { // else Docker does not answer
			e.log.Warn("BuildKit ended; starting it again", "removed", !there)
			if err := e.ensureBuildKit(e.life, image); err != nil && e.life.Err() == nil {
				e.log.Error("cannot start BuildKit again", "error", err)
			}
		}
		select {
		case <-e.life.Done():
			return
		case <-retry.C:
		}
	}
}

// buildkitSettings are buildkitd's. RUN uses the host's network: a build needs what the developer's machine can reach.
func (e *Engine) buildkitSettings() string {
	settings := fmt.Sprintf(`root = "/var/lib/buildkit"

[grpc]
address = ["unix://%s"]
gid = %d

[otel]
socketPath = "/run/otel.sock"

[cdi]
disabled = true

[worker.containerd]
enabled = false

[worker.oci]
enabled = true
binary = "/usr/bin/runc"
networkMode = "host"
gc = true
reservedSpace = "2GB"
maxUsedSpace = "20GB"
minFreeSpace = "10%%"
`, buildkitRun+"/"+buildkitSocket, os.Getgid())
	if e.config.Registry != "" {
		settings += fmt.Sprintf("\n[registry.%q]\nhttp = true\n", e.config.Registry)
	}
	return settings
}

// ensureBuildKit adopts the BuildKit that runs as this one should, or starts one.
func (e *Engine) ensureBuildKit(ctx context.Context, image string) error {
	settings, name := e.buildkitSettings(), e.place.buildkitName()
	out, err := e.api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	there, err := found(err)
	if err != nil {
		return err
	}
	if there && out.Container.State.Running && out.Container.Config.Image == image && out.Container.Config.Labels[labelConfig] == settings &&
		e.awaitBuildKit(ctx, buildkitTrial) == nil {
		e.log.DebugContext(ctx, "adopted BuildKit", "container", name)
		return nil
	}
	if err := e.discard(ctx, name); err != nil {
		return err
	}
	err = e.startBuildKit(ctx, image, settings, true)
	if err != nil && strings.Contains(err.Error(), "unable to apply caps") {
		// The daemon has not all capabilities itself, as in a container or a restricted machine, and so cannot give all.
		e.log.InfoContext(ctx, "the Docker Engine cannot run a privileged container; giving BuildKit what it needs", "error", err)
		if err = e.discard(ctx, name); err == nil {
			err = e.startBuildKit(ctx, image, settings, false)
		}
	}
	if err != nil {
		return err
	}
	if err := e.awaitBuildKit(ctx, buildkitBoot); err != nil {
		return fmt.Errorf("%w; its last words:\n%s\n  all of its log: docker logs %s", err, e.lastWords(ctx, name), name)
	}
	return nil
}

// startBuildKit starts BuildKit's container: privileged, as it is used everywhere, or with no more than the rights that it
// uses.
func (e *Engine) startBuildKit(ctx context.Context, image, settings string, privileged bool) error {
	name := e.place.buildkitName()
	config := &container.Config{
		Image: image, Env: append([]string{"PATH=/usr/bin"}, proxies()...),
		Labels: map[string]string{labelEngine: e.place.tag, labelHelper: "true", labelConfig: settings},
	}
	host := &container.HostConfig{
		NetworkMode: "host", Privileged: privileged, UsernsMode: "host",
		LogConfig: container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "8m", "max-file": "1"}},
		Mounts: []mount.Mount{
			{Type: mount.TypeVolume, Source: e.place.cacheVolume(), Target: "/var/lib/buildkit"},
			{Type: mount.TypeBind, Source: e.place.socketDir(), Target: buildkitRun},
		},
	}
	if !privileged {
		if err := e.placeProgram(ctx); err != nil {
			return err
		}
		config.Entrypoint = append([]string{path.Join(programDir, programName), actCgroups}, buildkitCommand()...)
		host.Mounts = append(host.Mounts, e.programMount(true))
		host.CapAdd = []string{"SYS_ADMIN", "NET_ADMIN", "SYS_PTRACE"}
		host.SecurityOpt = []string{"seccomp=unconfined", "apparmor=unconfined", "label=disable"}
		host.MaskedPaths, host.ReadonlyPaths = []string{}, []string{}
	}
	if err := e.createOwn(ctx, name, config, host); err != nil {
		return err
	}
	file := archive(archived{name: "buildkitd.toml", contents: []byte(settings), mode: 0o644})
	_, err := e.api.CopyToContainer(ctx, name, client.CopyToContainerOptions{DestinationPath: filepath.Dir(buildkitConfig), Content: file})
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("configure it: %w", err)
	}
	return e.setGoing(ctx, name)
}

// proxies are what the user set for programs that use the network.
func proxies() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return !slices.Contains([]string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}, strings.ToUpper(name))
	})
}

// awaitBuildKit waits until BuildKit answers. Where its socket's path is too long to be asked, running is good enough.
func (e *Engine) awaitBuildKit(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	path := e.buildkitSocket()
	if len(path) > maxSocketPath {
		return e.stillRuns(ctx, e.place.buildkitName())
	}
	conn, err := grpc.NewClient("passthrough:///buildkit", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		conn.ResetConnectBackoff() // it listens soon, and a wait between tries would be longer
		if _, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{}); err == nil {
			return nil
		}
		if err := e.stillRuns(ctx, e.place.buildkitName()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("BuildKit does not answer: %w", err)
		case <-tick.C:
		}
	}
}
