//go:build linux

package containerd

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/oci"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

const (
	initPath         = "/sbin/docker-init" // where Docker puts it
	defaultShmBytes  = 64 << 20
	minimumCPUShares = 2 // what Linux takes; Amazon ECS raises 0 and 1 to it as well
)

// specOptions turns a container of a task into a runtime spec with Docker's defaults, because an Amazon ECS container
// instance runs Docker's: capabilities, system-call filter, masked paths, no new mount on /run.
func (e *Engine) specOptions(spec engine.ContainerSpec, image ocispec.Image, sandbox sandboxRecord) ([]oci.SpecOpts, error) {
	args, err := processArgs(spec, image.Config)
	if err != nil {
		return nil, err
	}
	limits, err := e.rlimits(spec.Ulimits)
	if err != nil {
		return nil, err
	}
	var extra []specs.Mount
	if spec.InitProcess {
		args = append([]string{initPath, "--"}, args...)
		extra = append(extra, bind(filepath.Join(e.config.BinDir, initName), initPath, "ro"))
	}
	options := []oci.SpecOpts{
		oci.WithDefaultUnixDevices, oci.WithNewPrivileges, oci.WithoutRunMount,
		oci.WithDefaultPathEnv, oci.WithEnv(image.Config.Env), oci.WithEnv([]string{"HOSTNAME=" + sandbox.Hostname}), oci.WithEnv(spec.Env),
		oci.WithProcessArgs(args...), oci.WithProcessCwd(firstNonEmpty(spec.WorkingDir, image.Config.WorkingDir, "/")),
		oci.WithHostname(sandbox.Hostname),
		withUser(firstNonEmpty(spec.User, image.Config.User)),
		oci.WithCgroup(e.layout.cgroup() + "/" + spec.ID),
		oci.WithLinuxNamespace(specs.LinuxNamespace{Type: specs.NetworkNamespace, Path: sandbox.NetNS}),
		oci.WithDevShmSize(max(spec.SharedMemorySize, 0) / 1024),
		oci.WithMounts(append(e.mounts(spec), extra...)),
		withLimits(spec, limits), withNetworkSysctls,
	}
	if spec.SharedMemorySize <= 0 {
		options = append(options, oci.WithDevShmSize(defaultShmBytes/1024))
	}
	if spec.ReadonlyRootfs {
		options = append(options, oci.WithRootFSReadonly())
	}
	security, err := securityOptions(spec)
	return append(options, security...), err
}

// processArgs joins entrypoint and command as Docker does: a new entrypoint discards the image's command.
func processArgs(spec engine.ContainerSpec, image ocispec.ImageConfig) ([]string, error) {
	entrypoint, command := image.Entrypoint, image.Cmd
	if len(spec.Entrypoint) > 0 {
		entrypoint, command = spec.Entrypoint, nil
	}
	if len(spec.Command) > 0 {
		command = spec.Command
	}
	args := slices.Concat(entrypoint, command)
	if len(args) == 0 {
		return nil, errors.New("no command specified: neither the image nor the container definition has one")
	}
	return args, nil
}

func firstNonEmpty(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// withUser sets user and groups; names are looked up in the image. root keeps the groups that the image gives it.
func withUser(user string) oci.SpecOpts {
	return func(ctx context.Context, c oci.Client, container *containers.Container, s *oci.Spec) error {
		if user == "" {
			return oci.WithAdditionalGIDs("root")(ctx, c, container, s)
		}
		if err := oci.WithUser(user)(ctx, c, container, s); err != nil {
			return fmt.Errorf("user %q: %w", user, err)
		}
		return oci.WithAdditionalGIDs(strconv.FormatUint(uint64(s.Process.User.UID), 10))(ctx, c, container, s)
	}
}

// mounts are the files of the sandbox and the container that Docker provides, cgroups as the container may see them
// (runtimes such as Node and Java read their memory limit there), and what the task definition adds.
func (e *Engine) mounts(spec engine.ContainerSpec) []specs.Mount {
	mounts := []specs.Mount{
		{Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup", Options: []string{"ro", "nosuid", "noexec", "nodev"}},
		bind(e.resolvFile(spec.Sandbox), "/etc/resolv.conf", "rw"),
		bind(e.hostsFile(spec.ID), "/etc/hosts", "rw"),
		bind(e.hostnameFile(spec.ID), "/etc/hostname", "rw"),
	}
	for _, path := range slices.Sorted(maps.Keys(spec.TmpfsSizeByPath)) {
		mounts = append(mounts, specs.Mount{
			Destination: path, Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "nodev", "noexec", fmt.Sprintf("size=%d", spec.TmpfsSizeByPath[path])},
		})
	}
	return mounts
}

func bind(source, destination, mode string) specs.Mount {
	return specs.Mount{Destination: destination, Type: "bind", Source: source, Options: []string{"rbind", "rprivate", mode}}
}

func withLimits(spec engine.ContainerSpec, limits []specs.POSIXRlimit) oci.SpecOpts {
	return func(ctx context.Context, c oci.Client, container *containers.Container, s *oci.Spec) error {
		s.Process.Rlimits = limits
		if spec.MemoryBytes > 0 {
			if err := oci.WithMemoryLimit(uint64(spec.MemoryBytes))(ctx, c, container, s); err != nil {
				return err
			}
		}
		if spec.CPUShares > 0 {
			return oci.WithCPUShares(uint64(max(spec.CPUShares, minimumCPUShares)))(ctx, c, container, s)
		}
		return nil
	}
}

// withNetworkSysctls lets unprivileged users listen on low ports and ping, as Docker does: nothing else shares the
// namespace.
func withNetworkSysctls(_ context.Context, _ oci.Client, _ *containers.Container, s *oci.Spec) error {
	s.Linux.Sysctl = map[string]string{
		"net.ipv4.ip_unprivileged_port_start": "0",
		"net.ipv4.ping_group_range":           "0 2147483647",
	}
	return nil
}

// securityOptions must come last: the system-call filter depends on the capabilities.
func securityOptions(spec engine.ContainerSpec) ([]oci.SpecOpts, error) {
	if spec.Privileged {
		return []oci.SpecOpts{oci.WithPrivileged, oci.WithHostDevices, oci.WithAllDevicesAllowed}, nil
	}
	granted, err := capabilities(spec.LinuxAddCaps, spec.LinuxDropCaps)
	if err != nil {
		return nil, err
	}
	return []oci.SpecOpts{oci.WithCapabilities(granted), seccomp.WithDefaultProfile()}, nil
}
