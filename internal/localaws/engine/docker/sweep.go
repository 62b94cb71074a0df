package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"
)

// sweep removes what an earlier process left half made, and images that are neither used nor among the newest.
func (e *Engine) sweep(ctx context.Context) error {
	all, err := e.list(ctx)
	if err != nil {
		return err
	}
	used := map[string]bool{}
	for _, c := range all {
		used[c.ImageID] = true
		if c.State != container.StateCreated {
			continue
		}
		e.log.InfoContext(ctx, "removing a container that a crash left half made", "container", c.Names)
		if err := e.discard(ctx, c.ID); err != nil {
			return err
		}
	}
	kept, err := images(ctx, e.api, e.place)
	if err != nil {
		return err
	}
	idle := 0
	for _, img := range kept {
		if used[img.ID] {
			continue
		}
		if idle++; idle <= keptImages {
			continue
		}
		e.log.DebugContext(ctx, "forgetting an image that nothing uses", "image", img.RepoTags)
		if err := removeImage(ctx, e.api, e.place, img); err != nil {
			return err
		}
	}
	return nil
}

// Shutdown removes every sandbox and stops BuildKit. Images and BuildKit's cache stay for the next Open. The engine is
// closed afterwards, also when it fails.
func (e *Engine) Shutdown(ctx context.Context) error {
	e.end() // what waits for containers has nothing more to wait for
	e.tasks.Wait()
	return errors.Join(teardown(ctx, e.api, e.place), e.api.Close())
}

// Teardown does what Shutdown does with no engine at hand, after a crash or kill of local AWS. It may be repeated.
// Where no engine ever was it does nothing.
func Teardown(ctx context.Context, dir string, log *slog.Logger) error {
	p, err := newPlace(dir)
	if err != nil {
		return err
	}
	return remembered(ctx, p, p.openFile(), log, teardown)
}

// Forget removes the images and the build cache that an engine kept. Call it after Teardown.
func Forget(ctx context.Context, dir string, log *slog.Logger) error {
	p, err := newPlace(dir)
	if err != nil {
		return err
	}
	return remembered(ctx, p, p.daemonFile(), log, forget)
}

// remembered does something with the daemon that a file of the directory names; nothing without the file.
func remembered(ctx context.Context, p place, file string, log *slog.Logger, do func(context.Context, *client.Client, place) error) error {
	host, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	api, _, err := connect(ctx, strings.TrimSpace(string(host)))
	if err != nil {
		return fmt.Errorf("remove what local AWS has in Docker: %w\n  if that Docker is gone for good: rm -r %s", err, p.dir)
	}
	Config{Log: log}.logger().DebugContext(ctx, "removing what local AWS has in Docker", "host", api.DaemonHost())
	return errors.Join(do(ctx, api, p), api.Close())
}

// teardown removes the containers, those that use others' networks first, and what they alone needed.
func teardown(ctx context.Context, api *client.Client, p place) error {
	all, err := list(ctx, api, p)
	if err != nil {
		return err
	}
	for _, holders := range []bool{false, true} {
		group, removal := errgroup.WithContext(ctx)
		group.SetLimit(8)
		for _, c := range all {
			if holder := c.Labels[labelSandbox] != "" && c.Labels[labelContainer] == ""; holder == holders {
				group.Go(func() error { return discard(removal, api, c.ID) })
			}
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	if err := errors.Join(removeVolume(ctx, api, p.programVolume()), os.RemoveAll(p.socketDir())); err != nil {
		return err
	}
	return os.RemoveAll(p.openFile())
}

func removeVolume(ctx context.Context, api *client.Client, name string) error {
	if _, err := api.VolumeRemove(ctx, name, client.VolumeRemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove volume %s: %w", name, err)
	}
	return nil
}

func forget(ctx context.Context, api *client.Client, p place) error {
	kept, err := images(ctx, api, p)
	if err != nil {
		return err
	}
	for _, img := range kept {
		if err := removeImage(ctx, api, p, img); err != nil {
			return err
		}
	}
	if err := errors.Join(removeVolume(ctx, api, p.cacheVolume()), removeHelpers(ctx, api, buildkitRepository), removeHelpers(ctx, api, pauseRepository)); err != nil {
		return err
	}
	return os.Remove(p.daemonFile())
}
