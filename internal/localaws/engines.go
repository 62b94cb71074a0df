package localaws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

// containers is an engine with what only its owner does.
type containers interface {
	engine.Engine
	// BuildKitAddress is empty when the engine has no BuildKit.
	BuildKitAddress() string
	// Shutdown removes everything that runs and closes the engine.
	Shutdown(ctx context.Context) error
}

// preflight says what the machine lacks for the engine, before anything is changed.
func preflight(o Options) (binaries string, err error) {
	if o.Engine == EngineSimulated {
		return "", nil
	}
	if err := containerd.Preflight(); err != nil {
		return "", err
	}
	return containerd.FindBinaries(o.EngineDir)
}

// openEngine opens the engine; registry is HOST:PORT of /v2/.
func openEngine(ctx context.Context, o Options, binaries, registry string) (containers, error) {
	if o.Engine == EngineSimulated {
		return imaginary{simulated.New(nil)}, nil
	}
	e, err := containerd.Open(ctx, containerd.Config{Dir: o.Dir, BinDir: binaries, Registry: registry, Log: o.Log})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// imaginary is the simulated engine, which has nothing to shut down.
type imaginary struct{ engine.Engine }

// BuildKitAddress implements containers.
func (imaginary) BuildKitAddress() string { return "" }

// Shutdown implements containers.
func (i imaginary) Shutdown(context.Context) error { return i.Close() }

// containerGrace is how long containers have to end by themselves when local AWS is stopped.
const containerGrace = 10 * time.Second

// stopContainers asks every container to end, and waits until they have or their time is over. What is left is the
// engine's Shutdown to kill.
func stopContainers(ctx context.Context, e engine.Engine, log *slog.Logger) error {
	boxes, err := e.List(ctx)
	if err != nil {
		return fmt.Errorf("find the containers that run: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, containerGrace)
	defer cancel()
	var all sync.WaitGroup
	for _, box := range boxes {
		for _, c := range box.Containers {
			if c.Running {
				all.Go(func() { stopContainer(ctx, e, c.ID, log) })
			}
		}
	}
	all.Wait()
	return nil
}

func stopContainer(ctx context.Context, e engine.Engine, id string, log *slog.Logger) {
	err := e.Signal(ctx, id, "SIGTERM")
	if err == nil {
		_, err = e.Wait(ctx, id)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		log.WarnContext(ctx, "container did not end by itself; killing it", "container", id, "grace", containerGrace)
	case err != nil && !errors.Is(err, engine.ErrNotFound):
		log.WarnContext(ctx, "cannot stop container in order; killing it", "container", id, "error", err)
	}
}

// BecomeShim must be the first thing that a program does which calls Serve: the container engine starts that program anew
// to hand a container its secrets. It returns nil at once when the process is not started for that; after an error the
// process must end. args are the process's own, the program first.
func BecomeShim(args []string) error { return containerd.BecomeShim(args) }
