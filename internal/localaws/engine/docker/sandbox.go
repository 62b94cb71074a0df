package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// defaultNetwork is the one that Docker itself makes. It needs no rule or resolver of its own, and leaves nothing.
const defaultNetwork = "bridge"

// validID keeps to what Docker takes in a container's name.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,75}$`)

func checkID(kind, id string) error {
	if !validID.MatchString(id) {
		return fmt.Errorf("%s id %q must be at most 76 letters, digits, and - _ . between them", kind, id)
	}
	return nil
}

// CreateSandbox starts the container whose network a task's containers join.
func (e *Engine) CreateSandbox(ctx context.Context, spec engine.SandboxSpec) (engine.Sandbox, error) {
	if err := checkID("sandbox", spec.ID); err != nil {
		return engine.Sandbox{}, err
	}
	ctx, cancel := e.bound(ctx)
	defer cancel()
	defer e.lock("sandbox/" + spec.ID)()
	box, err := e.sandbox(ctx, spec.ID)
	if err == nil {
		return box, nil
	}
	if !errors.Is(err, engine.ErrNotFound) {
		return engine.Sandbox{}, err
	}
	if box, err = e.newSandbox(ctx, spec); err != nil {
		clean, done := engine.Unhurried(ctx)
		defer done()
		return engine.Sandbox{}, errors.Join(fmt.Errorf("create the network of sandbox %s: %w", spec.ID, err), e.discard(clean, e.place.sandboxName(spec.ID)))
	}
	return box, nil
}

func (e *Engine) newSandbox(ctx context.Context, spec engine.SandboxSpec) (engine.Sandbox, error) {
	name := e.place.sandboxName(spec.ID)
	if err := e.discard(ctx, name); err != nil { // what a crash or a reboot left
		return engine.Sandbox{}, err
	}
	host := &container.HostConfig{NetworkMode: defaultNetwork, LogConfig: container.LogConfig{Type: "none"}}
	for _, hostname := range slices.Sorted(maps.Keys(spec.ExtraHosts)) {
		host.ExtraHosts = append(host.ExtraHosts, hostname+":"+spec.ExtraHosts[hostname]) // Docker has the same word for HostGateway
	}
	config := &container.Config{
		Image: e.pause, Hostname: spec.Hostname,
		Labels: map[string]string{labelEngine: e.place.tag, labelSandbox: spec.ID},
	}
	if e.apart {
		config.ExposedPorts, host.PortBindings = publish(spec.Ports)
	}
	err := e.createOwn(ctx, name, config, host)
	if errdefs.IsNotFound(err) { // somebody tidied up images
		err = e.ensurePause(ctx)
		if err == nil {
			err = e.createOwn(ctx, name, config, host)
		}
	}
	if err != nil {
		return engine.Sandbox{}, err
	}
	if err := e.setGoing(ctx, name); err != nil {
		return engine.Sandbox{}, err
	}
	return e.sandbox(ctx, spec.ID)
}

// publish has each port answer on a free port of this machine alone.
func publish(ports []int) (network.PortSet, network.PortMap) {
	exposed, bound := network.PortSet{}, network.PortMap{}
	for _, number := range ports {
		port, ok := network.PortFrom(uint16(number), network.TCP)
		if !ok {
			continue // not a port: nothing listens there
		}
		exposed[port] = struct{}{}
		bound[port] = []network.PortBinding{{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: "0"}}
	}
	return exposed, bound
}

// sandbox finds a sandbox whose network is there. ErrNotFound.
func (e *Engine) sandbox(ctx context.Context, id string) (engine.Sandbox, error) {
	out, err := e.api.ContainerInspect(ctx, e.place.sandboxName(id), client.ContainerInspectOptions{})
	there, err := found(err)
	if err != nil {
		return engine.Sandbox{}, fmt.Errorf("find sandbox %s: %w", id, err)
	}
	if !there || !out.Container.State.Running {
		return engine.Sandbox{}, fmt.Errorf("%w: there is no sandbox %q", engine.ErrNotFound, id)
	}
	return e.describeSandbox(id, out.Container), nil
}

func (e *Engine) describeSandbox(id string, c container.InspectResponse) engine.Sandbox {
	box := engine.Sandbox{ID: id}
	if c.NetworkSettings == nil {
		return box
	}
	if on := c.NetworkSettings.Networks[defaultNetwork]; on != nil && on.IPAddress.IsValid() {
		box.IP, box.Gateway = on.IPAddress.String(), on.Gateway.String()
	}
	if !e.apart {
		return box
	}
	box.Published = map[int]string{}
	for port, bindings := range c.NetworkSettings.Ports {
		if len(bindings) > 0 {
			box.Published[int(port.Num())] = net.JoinHostPort(bindings[0].HostIP.String(), bindings[0].HostPort)
		}
	}
	return box
}

// RemoveSandbox kills and removes every container of the sandbox, then the one that holds its network.
func (e *Engine) RemoveSandbox(ctx context.Context, id string) error {
	if err := checkID("sandbox", id); err != nil {
		return err
	}
	ctx, cancel := e.bound(ctx)
	defer cancel()
	defer e.lock("sandbox/" + id)()
	inside, err := e.list(ctx, labelSandbox+"="+id)
	if err != nil {
		return fmt.Errorf("remove sandbox %s: %w", id, err)
	}
	group, removal := errgroup.WithContext(ctx)
	for _, c := range inside {
		if c.Labels[labelContainer] != "" {
			group.Go(func() error { return e.discard(removal, c.ID) })
		}
	}
	if err := errors.Join(group.Wait(), e.discard(ctx, e.place.sandboxName(id))); err != nil {
		return fmt.Errorf("remove sandbox %s: %w", id, err)
	}
	return nil
}

// discard kills and removes a container, and its anonymous volumes; one that is gone is a success.
func (e *Engine) discard(ctx context.Context, name string) error {
	return discard(ctx, e.api, name)
}

func discard(ctx context.Context, api *client.Client, name string) error {
	_, err := api.ContainerRemove(ctx, name, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	switch {
	case err == nil, errdefs.IsNotFound(err):
		return nil
	case errdefs.IsConflict(err): // somebody else is removing it
		return awaitGone(ctx, api, name)
	}
	return fmt.Errorf("remove container %s: %w", name, err)
}
