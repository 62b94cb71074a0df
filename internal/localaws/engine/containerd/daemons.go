//go:build linux

package containerd

import (
	"context"
	"fmt"
	"path/filepath"

	client "github.com/containerd/containerd/v2/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

const (
	overlayfs = "overlayfs"
	native    = "native" // copies each layer: slow, but works on every file system
)

// containerdDaemon has no Kubernetes parts, and every path that defaults to /opt, /etc or /var is off or below Dir.
func (e *Engine) containerdDaemon() *daemon {
	l := e.layout
	config := fmt.Sprintf(`version = 3
root = %q
state = %q
temp = %q
disabled_plugins = [
  "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.opt", "io.containerd.image-verifier.v1.bindir", "io.containerd.internal.v1.tracing",
  "io.containerd.tracing.processor.v1.otlp", "io.containerd.monitor.container.v1.restart",
  "io.containerd.snapshotter.v1.blockfile", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs", "io.containerd.snapshotter.v1.zfs", "io.containerd.differ.v1.erofs",
  "io.containerd.mount-handler.v1.erofs",
]
imports = []

[grpc]
address = %q

[plugins."io.containerd.shim.v1.manager"]
socket_dir = %q
`, l.path("containerd"), l.run("containerd"), l.path("tmp"), l.containerdSocket(), l.shimSockets())
	return &daemon{
		name: "containerd", exe: filepath.Join(e.config.BinDir, "containerd"), layout: l, config: config,
		env: daemonEnvironment(e.config.BinDir, l), health: e.containerdAnswers, log: e.log,
	}
}

func (e *Engine) containerdAnswers(ctx context.Context) error {
	c, err := client.New(e.layout.containerdSocket(), client.WithDefaultNamespace(namespace), client.WithTimeout(pollInterval*10))
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = c.Version(ctx)
	return err
}

// hubPrefix is where local ECR may hold images of Docker Hub: "docker.io/library/node" for "FROM node". BuildKit looks
// there first and goes to Docker Hub for what is not there, as with a pull-through cache of Amazon ECR.
const hubPrefix = "docker.io"

// buildkitDaemon builds into containerd's own store, in the namespace "buildkit", so that a pull of what was just built
// finds the blobs there. RUN uses the host's network: a build needs what the developer's machine can reach.
func (e *Engine) buildkitDaemon() *daemon {
	l := e.layout
	config := fmt.Sprintf(`root = %q

[grpc]
address = ["unix://%s"]

[otel]
socketPath = %q

# What a step prints may be a secret, which only the program's faces mask.
[history]
maxEntries = 0
[cdi]
disabled = true

[worker.oci]
enabled = false

[worker.containerd]
enabled = true
address = %q
namespace = "buildkit"
snapshotter = %q
rootless = false
networkMode = "host"
defaultCgroupParent = %q
gc = true
reservedSpace = "2GB"
maxUsedSpace = "20GB"
minFreeSpace = "10%%"

[worker.containerd.runtime]
name = "io.containerd.runc.v2"
path = %q

[worker.containerd.runtime.options]
BinaryName = %q
Root = %q
`, l.path("buildkit"), l.buildkitSocket(), l.run("o.sock"), l.containerdSocket(), e.snapshotter, l.cgroup(),
		filepath.Join(e.config.BinDir, "containerd-shim-runc-v2"), filepath.Join(e.config.BinDir, "runc"), l.runcRoot())
	if e.config.Registry != "" {
		config += fmt.Sprintf("\n[registry.%q]\nhttp = true\n\n[registry.\"docker.io\"]\nmirrors = [%q]\n", e.config.Registry, e.config.Registry+"/"+hubPrefix)
	}
	return &daemon{
		name: "buildkitd", exe: filepath.Join(e.config.BinDir, "buildkitd"), layout: l, config: config,
		env: daemonEnvironment(e.config.BinDir, l), health: e.buildkitAnswers, log: e.log,
	}
}

func (e *Engine) buildkitAnswers(ctx context.Context) error {
	conn, err := grpc.NewClient("unix://"+e.layout.buildkitSocket(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_, err = grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return err
}

// chooseSnapshotter asks containerd whether overlayfs works where Dir is, and falls back to copying.
func (e *Engine) chooseSnapshotter(ctx context.Context) (string, error) {
	found, err := e.client.IntrospectionService().Plugins(ctx, `type==io.containerd.snapshotter.v1,id==`+overlayfs)
	if err != nil {
		return "", fmt.Errorf("ask containerd for its snapshotters: %w", err)
	}
	for _, plugin := range found.Plugins {
		if plugin.InitErr == nil {
			return overlayfs, nil
		}
		e.log.WarnContext(ctx, "overlayfs does not work here; copying layers instead, which is slow and needs more disk",
			"dir", e.layout.dir, "error", plugin.InitErr.GetMessage())
	}
	return native, nil
}
