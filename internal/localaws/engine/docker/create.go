package docker

import (
	"context"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// Neither the creation of a container nor its start is called off halfway: see engine.Whole.

// create creates a container.
func (e *Engine) create(ctx context.Context, options client.ContainerCreateOptions) error {
	return engine.Whole(ctx, func(ctx context.Context) error {
		_, err := e.api.ContainerCreate(ctx, options)
		return err
	})
}

// createOwn creates a container that belongs to the engine itself, on the daemon's own platform.
func (e *Engine) createOwn(ctx context.Context, name string, config *container.Config, host *container.HostConfig) error {
	platform := e.platform()
	return e.create(ctx, client.ContainerCreateOptions{Name: name, Config: config, HostConfig: host, Platform: &platform})
}

// setGoing starts a container that was created.
func (e *Engine) setGoing(ctx context.Context, name string) error {
	return engine.Whole(ctx, func(ctx context.Context) error {
		_, err := e.api.ContainerStart(ctx, name, client.ContainerStartOptions{})
		return err
	})
}
