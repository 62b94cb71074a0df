package build

import (
	"context"
	"fmt"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
)

// Facts are what a builder can do.
type Facts struct {
	// Version is BuildKit's: v0.34.2; empty when the daemon does not say.
	Version string
	// Platforms are those whose programs it runs: its own processor's first, emulated ones after it.
	Platforms []string
	// Several is set when the builder consists of several machines.
	Several bool
}

// Greet makes sure that the daemon answers.
func (b *BuildKit) Greet(ctx context.Context) error {
	return b.connected(ctx, func(*client.Client) error { return nil })
}

// Facts asks the daemon. An error says why it cannot be used.
func (b *BuildKit) Facts(ctx context.Context) (Facts, error) {
	var facts Facts
	err := b.connected(ctx, func(c *client.Client) error {
		workers, err := c.ListWorkers(ctx)
		if err != nil {
			return fmt.Errorf("ask the BuildKit daemon at %s what it can do: %w", b.config.Address, err)
		}
		if len(workers) == 0 {
			return fmt.Errorf("the BuildKit daemon at %s has no worker", b.config.Address)
		}
		facts.Version = workers[0].BuildkitVersion.Version
		for _, p := range workers[0].Platforms { // a build runs on the first worker
			facts.Platforms = append(facts.Platforms, platforms.Format(platforms.Normalize(p)))
		}
		return nil
	})
	return facts, err
}
