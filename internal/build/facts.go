package build

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/worker/label"
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
		facts.Version, facts.Platforms = workers[0].BuildkitVersion.Version, platformsOf(workers[0]) // a build runs on the first worker
		return nil
	})
	return facts, err
}

func platformsOf(w *client.WorkerInfo) (names []string) {
	for _, p := range w.Platforms {
		names = append(names, platforms.Format(platforms.Normalize(p)))
	}
	return names
}

// onThisMachine says whether a worker's host has this machine's name: then it runs on it, and not in a container with a
// network of its own, whose name would be the container's.
func onThisMachine(workers []*client.WorkerInfo) bool {
	name, err := os.Hostname()
	return err == nil && len(workers) > 0 && workers[0].Labels[label.Hostname] == name
}
