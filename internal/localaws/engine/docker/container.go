package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

const (
	// foreignPatience is how long Start watches an image of another architecture for the failure that is to be expected.
	foreignPatience = 5 * time.Second
	// retryInterval is how soon a daemon that did not answer is asked again.
	retryInterval = 200 * time.Millisecond
)

// Start creates and starts a container in its sandbox.
func (e *Engine) Start(ctx context.Context, spec engine.ContainerSpec) error {
	if err := checkID("container", spec.ID); err != nil {
		return fmt.Errorf("%w: %w", engine.ErrStart, err)
	}
	ctx, cancel := e.bound(ctx)
	defer cancel()
	defer e.lock("container/" + spec.ID)()
	if _, err := e.inspect(ctx, spec.ID); err == nil {
		return nil
	}
	if err := e.start(ctx, spec); err != nil {
		clean, done := engine.Unhurried(ctx)
		defer done()
		return errors.Join(fmt.Errorf("%w: %w", engine.ErrStart, plain(err)), e.discard(clean, e.place.containerName(spec.ID)))
	}
	return nil
}

// plain is an error without Docker's preamble.
func plain(err error) error {
	const preamble = "Error response from daemon: "
	if text, ok := strings.CutPrefix(err.Error(), preamble); ok {
		return errors.New(text)
	}
	return err
}

func (e *Engine) start(ctx context.Context, spec engine.ContainerSpec) error {
	name := e.place.containerName(spec.ID)
	if _, err := e.sandbox(ctx, spec.Sandbox); err != nil {
		return err
	}
	if err := e.discard(ctx, name); err != nil { // what a crash left half made
		return err
	}
	img, err := e.localImage(ctx, spec.Image)
	if err != nil {
		return err
	}
	config, host, err := e.containerConfig(ctx, spec, img)
	if err != nil {
		return err
	}
	platform := img.platform()
	if err := e.create(ctx, client.ContainerCreateOptions{Name: name, Config: config, HostConfig: host, Platform: &platform}); err != nil {
		return err
	}
	if err := e.run(ctx, name, spec); err != nil {
		return err
	}
	if platform.Architecture != e.platform().Architecture {
		return e.foreignFailure(ctx, spec.ID)
	}
	return nil
}

// run starts a container that was created, and hands it its secrets.
func (e *Engine) run(ctx context.Context, name string, spec engine.ContainerSpec) error {
	if len(spec.SecretEnv) > 0 {
		return e.runWithSecrets(ctx, name, spec)
	}
	return e.setGoing(ctx, name)
}

// foreignFailure finds out what became of a container whose image is for another architecture. Where the kernel
// cannot run it, the process ends at once with "exec format error", which ECS reports as a failure to start; where an
// emulator is registered it runs, and this returns nil.
func (e *Engine) foreignFailure(ctx context.Context, id string) error {
	patience, cancel := context.WithTimeout(ctx, foreignPatience)
	defer cancel()
	if _, err := e.Wait(patience, id); err != nil {
		return ctx.Err()
	}
	r, err := e.Logs(ctx, id, 0, false)
	if err != nil {
		return err
	}
	output, err := io.ReadAll(io.LimitReader(r, engine.ExecOutputBytes))
	if err = errors.Join(err, r.Close()); err != nil {
		return err
	}
	if text := strings.TrimSpace(string(output)); strings.Contains(text, "exec format error") {
		return errors.New(text)
	}
	return nil // it ran, and ended for a reason of its own
}

// inspect looks at a container that was started. ErrNotFound.
func (e *Engine) inspect(ctx context.Context, id string) (container.InspectResponse, error) {
	if err := checkID("container", id); err != nil {
		return container.InspectResponse{}, fmt.Errorf("%w: %w", engine.ErrNotFound, err)
	}
	out, err := e.api.ContainerInspect(ctx, e.place.containerName(id), client.ContainerInspectOptions{})
	there, err := found(err)
	if err != nil {
		return container.InspectResponse{}, fmt.Errorf("look at container %s: %w", id, err)
	}
	if !there || !started(out.Container.State) {
		return container.InspectResponse{}, fmt.Errorf("%w: %s", engine.ErrNotFound, id)
	}
	return out.Container, nil
}

// Signal sends a signal to the container's first process. SIGTERM stands for the container's stop signal, as with
// Amazon ECS: a STOPSIGNAL of the image, or of the spec, is sent in its place.
func (e *Engine) Signal(ctx context.Context, id, name string) error {
	ctx, cancel := e.bound(ctx)
	defer cancel()
	c, err := e.inspect(ctx, id)
	if err != nil {
		return err
	}
	if (name == "SIGTERM" || name == "") && c.Config.StopSignal != "" {
		name = c.Config.StopSignal
	}
	_, err = e.api.ContainerKill(ctx, c.ID, client.ContainerKillOptions{Signal: name})
	if err == nil || errdefs.IsNotFound(err) || errdefs.IsConflict(err) { // stopped, or being removed
		return nil
	}
	return fmt.Errorf("send %s to container %s: %w", name, id, plain(err))
}

// Wait blocks until the container has stopped, through restarts of the Docker Engine.
func (e *Engine) Wait(ctx context.Context, id string) (engine.Exit, error) {
	ctx, cancel := e.bound(ctx)
	defer cancel()
	retry := time.NewTicker(retryInterval)
	defer retry.Stop()
	for {
		c, err := e.inspect(ctx, id)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			return engine.Exit{}, err
		case err == nil && !c.State.Running:
			return exitOf(c.State), nil
		case err == nil && e.awaitStop(ctx, c.ID) == nil:
			continue
		}
		select {
		case <-ctx.Done():
			return engine.Exit{}, fmt.Errorf("wait for container %s: %w", id, context.Cause(ctx))
		case <-retry.C:
		}
	}
}

// awaitStop blocks until the container does not run.
func (e *Engine) awaitStop(ctx context.Context, name string) error {
	waiting := e.api.ContainerWait(ctx, name, client.ContainerWaitOptions{Condition: container.WaitConditionNotRunning})
	select {
	case <-waiting.Result:
		return nil
	case err := <-waiting.Error:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func exitOf(s *container.State) engine.Exit {
	return engine.Exit{Code: s.ExitCode, OOMKilled: s.OOMKilled && s.ExitCode != 0, At: parseTime(s.FinishedAt)}
}
