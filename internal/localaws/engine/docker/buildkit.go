package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
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
	if err := e.ensureBuildKit(ctx, image); err != nil {
		return fmt.Errorf("start BuildKit: %w", err)
	}
	return nil
}

// hasProgram says whether one of the engine's programs is there.
func (e *Engine) hasProgram(name string) bool {
	info, err := os.Stat(filepath.Join(e.config.BinDir, name))
	return e.config.BinDir != "" && err == nil && info.Mode().IsRegular()
}

func buildkitCommand() []string { return []string{"/usr/bin/buildkitd", "--config", buildkitConfig} }

// certificates are where distributions of Linux keep the certificates of the authorities that they trust.
func certificates() []string {
	return []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"}
}

// ensureBuildKitImage makes BuildKit's image of the same programs that the built-in engine runs, so that both build the
// same digests. Its name says which programs those were, by their size and time.
func (e *Engine) ensureBuildKitImage(ctx context.Context) (string, error) {
	files := []archived{
		{name: "tmp", mode: 0o1777, dir: true},
		{name: "run", mode: 0o755, dir: true},
		{name: "etc/buildkit", mode: 0o755, dir: true},
		{name: "var/lib/buildkit", mode: 0o700, dir: true},
	}
	for _, name := range []string{"buildkitd", "runc", "buildctl"} { // the last is what docker-container:// calls
		if e.hasProgram(name) {
			files = append(files, archived{name: "usr/bin/" + name, file: filepath.Join(e.config.BinDir, name), mode: 0o755})
		}
	}
	for _, file := range certificates() {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			files = append(files, archived{name: "etc/ssl/certs/ca-certificates.crt", file: file, mode: 0o644})
			break
		}
	}
	identity, err := identify(files)
	if err != nil {
		return "", err
	}
	image := buildkitRepository + ":" + identity
	return image, e.ensureImage(ctx, image, `ENTRYPOINT ["`+strings.Join(buildkitCommand(), `", "`)+`"]`, func() io.ReadCloser { return archive(files...) })
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
		NetworkMode: "host", Privileged: privileged,
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
	if err := e.create(ctx, name, config, host); err != nil {
		return err
	}
	file := archive(archived{name: "buildkitd.toml", contents: []byte(settings), mode: 0o644})
	_, err := e.api.CopyToContainer(ctx, name, client.CopyToContainerOptions{DestinationPath: filepath.Dir(buildkitConfig), Content: file})
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("configure it: %w", err)
	}
	_, err = e.api.ContainerStart(ctx, name, client.ContainerStartOptions{})
	return err
}

// proxies are what the user set for programs that use the network.
func proxies() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return !slices.Contains([]string{"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}, strings.ToUpper(name))
	})
}

// awaitBuildKit waits until BuildKit answers, and then knows its address: the socket, or the way of the docker command where
// the socket's path is too long or the socket does not reach this process.
func (e *Engine) awaitBuildKit(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	path := filepath.Join(e.place.socketDir(), buildkitSocket)
	if len(path) > maxSocketPath {
		if !e.hasProgram("buildctl") {
			return fmt.Errorf("the path %s is too long for a socket\n  name a shorter state directory", path)
		}
		e.buildkit = "docker-container://" + e.place.buildkitName()
		return nil
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
			e.buildkit = "unix://" + path
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

// lastWords are the end of a helper's log.
func (e *Engine) lastWords(ctx context.Context, name string) string {
	stream, err := e.api.ContainerLogs(ctx, name, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Tail: "3"})
	if err != nil {
		return err.Error()
	}
	defer func() { _ = stream.Close() }()
	var words tail
	if _, err := stdcopy.StdCopy(&words, &words, stream); err != nil {
		return err.Error()
	}
	return strings.TrimSpace(words.String())
}

// stillRuns says whether a container that should run for ever has ended.
func (e *Engine) stillRuns(ctx context.Context, name string) error {
	out, err := e.api.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
	if err == nil && !out.Container.State.Running {
		return fmt.Errorf("it ended with exit code %d", out.Container.State.ExitCode)
	}
	return err
}
