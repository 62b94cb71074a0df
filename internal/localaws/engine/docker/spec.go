package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

const (
	minimumCPUShares   = 2       // what Linux takes; Amazon ECS raises 0 and 1 to it as well
	minimumMemoryBytes = 6 << 20 // what Docker takes
	defaultShmBytes    = 64 << 20
)

// containerConfig turns a container of a task into Docker's words. Everything that is not said is Docker's default, as on
// an Amazon ECS container instance.
func (e *Engine) containerConfig(ctx context.Context, spec engine.ContainerSpec, img localImage) (*container.Config, *container.HostConfig, error) {
	labels, err := json.Marshal(spec.Labels)
	if err != nil {
		return nil, nil, err
	}
	limits, err := ulimits(spec.Ulimits)
	if err != nil {
		return nil, nil, err
	}
	all := maps.Clone(spec.Labels)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, map[string]string{
		labelEngine: e.place.tag, labelSandbox: spec.Sandbox, labelContainer: spec.ID, labelName: spec.Name, labelImage: spec.Image,
		labelLabels: string(labels), // what of all is the spec's, and not the image's
	})
	config := &container.Config{
		Image: img.id, Entrypoint: spec.Entrypoint, Cmd: spec.Command, Env: spec.Env, WorkingDir: spec.WorkingDir, User: spec.User,
		StopSignal:  spec.StopSignal,
		Labels:      all,
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}}, // Amazon ECS ignores that of the image
	}
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode("container:" + e.place.sandboxName(spec.Sandbox)),
		LogConfig:   logConfig(),
		Privileged:  spec.Privileged, ReadonlyRootfs: spec.ReadonlyRootfs, Init: &spec.InitProcess,
		CapAdd: spec.LinuxAddCaps, CapDrop: spec.LinuxDropCaps, Tmpfs: tmpfs(spec.TmpfsSizeByPath), ShmSize: defaultShmBytes,
		Resources: container.Resources{Ulimits: limits},
	}
	if spec.SharedMemorySize > 0 {
		host.ShmSize = spec.SharedMemorySize
	}
	if spec.MemoryBytes > 0 {
		host.Memory = max(spec.MemoryBytes, minimumMemoryBytes)
		host.MemorySwap = host.Memory // Amazon ECS gives no swap space
	}
	if spec.CPUShares > 0 {
		host.CPUShares = max(spec.CPUShares, minimumCPUShares)
	}
	if len(processArgs(spec, img)) == 0 {
		return nil, nil, errors.New("no command specified: neither the image nor the container definition has one")
	}
	if len(spec.SecretEnv) > 0 {
		err = e.prepareSecrets(ctx, spec, img, config, host)
	}
	return config, host, err
}

// processArgs joins entrypoint and command as Docker does: a new entrypoint discards the image's command.
func processArgs(spec engine.ContainerSpec, img localImage) []string {
	entrypoint, command := img.entrypoint, img.command
	if len(spec.Entrypoint) > 0 {
		entrypoint, command = spec.Entrypoint, nil
	}
	if len(spec.Command) > 0 {
		command = spec.Command
	}
	return slices.Concat(entrypoint, command)
}

// logConfig keeps every byte in order, whatever the daemon's own choice is: what a container wrote is found by its offset.
func logConfig() container.LogConfig {
	return container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "4g", "max-file": "1", "mode": "blocking", "compress": "false"}}
}

func tmpfs(sizes map[string]int64) map[string]string {
	mounts := map[string]string{}
	for path, size := range sizes {
		mounts[path] = fmt.Sprintf("rw,nosuid,nodev,noexec,size=%d", size)
	}
	return mounts
}

// ulimitNames are those that Linux has (setrlimit(2)).
func ulimitNames() []string {
	return []string{
		"as", "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio", "rttime",
		"sigpending", "stack",
	}
}

func ulimits(all []engine.Ulimit) ([]*container.Ulimit, error) {
	var limits []*container.Ulimit
	for _, u := range all {
		if !slices.Contains(ulimitNames(), u.Name) {
			return nil, fmt.Errorf("there is no resource limit %q (known: %s)", u.Name, strings.Join(ulimitNames(), ", "))
		}
		limits = append(limits, &container.Ulimit{Name: u.Name, Soft: int64(u.Soft), Hard: int64(u.Hard)}) // all bits set: unlimited, for both
	}
	return limits, nil
}
