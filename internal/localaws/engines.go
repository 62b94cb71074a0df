package localaws

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/docker"
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

// blobs is the directory of an engine's blobs, each the file sha256/HEX; empty: it keeps them in another way.
func blobs(of containers) string {
	if files, ok := of.(interface{ Blobs() string }); ok {
		return files.Blobs()
	}
	return ""
}

// choice is the engine that serves, and where its programs are.
type choice struct {
	engine   string
	reason   string // why it is not the built-in one, when nobody named it
	binaries string // directory; empty: none, which only the built-in engine cannot do without
}

// choose takes the engine that the options name, or the first that can run here, before anything is changed. An engine
// whose containers may still run after a crash comes first.
func choose(ctx context.Context, o Options) (choice, error) {
	switch o.Engine {
	case EngineSimulated:
		return choice{engine: EngineSimulated}, nil
	case EngineDocker:
		return onDocker(ctx, o, nil)
	case EngineContainerd:
		return builtIn(o)
	}
	if info, crashed, err := dir(o.Dir).readInfo(); err == nil && crashed && info.Engine != EngineSimulated {
		o.Engine = info.Engine
		c, err := choose(ctx, o)
		c.reason = info.EngineReason
		return c, err
	}
	c, own := builtIn(o)
	if own == nil || errors.Is(own, containerd.ErrNoBinaries) && namesBinaries(o) {
		return c, own
	}
	return onDocker(ctx, o, own)
}

// onDocker takes Docker; because is why the built-in engine cannot run, or nil when Docker was asked for.
func onDocker(ctx context.Context, o Options, because error) (choice, error) {
	answer, err := docker.Preflight(ctx)
	if because != nil && err != nil {
		return choice{}, fmt.Errorf("nothing here can run containers:\n  the built-in engine: %s\n  Docker: %s", indent(because), indent(err))
	}
	c := choice{engine: EngineDocker}
	if because != nil {
		why, _, _ := strings.Cut(because.Error(), "\n") // the rest says what could be done about it
		c.reason = fmt.Sprintf("%s, and the built-in one does not run here: %s", answer, strings.TrimPrefix(why, "cannot run containers here: "))
	}
	if err == nil {
		c.binaries, err = buildKit(o)
	}
	return c, err
}

// namesBinaries says whether somebody said where the engine's programs are: to look elsewhere would be a surprise then.
func namesBinaries(o Options) bool {
	return o.EngineDir != "" || os.Getenv(containerd.BinariesVariable) != ""
}

// indent is an error's text below another one's.
func indent(err error) string { return strings.ReplaceAll(err.Error(), "\n", "\n  ") }

// builtIn is the engine whose programs come with this one.
func builtIn(o Options) (choice, error) {
	if err := containerd.Preflight(); err != nil {
		return choice{}, err
	}
	binaries, err := containerd.FindBinaries(o.EngineDir)
	return choice{engine: EngineContainerd, binaries: binaries}, err
}

// buildKit is the directory of BuildKit's programs for Docker to run; empty when there are none.
func buildKit(o Options) (string, error) {
	binaries, err := containerd.FindBuildKit(o.EngineDir)
	if err != nil && !namesBinaries(o) {
		o.Log.Info("Docker runs without a BuildKit of ours", "why", err)
		return "", nil
	}
	return binaries, err
}

// openEngine opens the engine; registry is HOST:PORT of /v2/.
func openEngine(ctx context.Context, o Options, c choice, registry string) (containers, error) {
	if err := removeOthers(ctx, o, c); err != nil {
		return nil, err
	}
	switch c.engine {
	case EngineSimulated:
		return imaginary{simulated.New(nil)}, nil
	case EngineDocker:
		e, err := docker.Open(ctx, docker.Config{Dir: o.Dir, BinDir: c.binaries, Registry: registry, Log: o.Log})
		if err != nil {
			return nil, err
		}
		return e, nil
	}
	e, err := containerd.Open(ctx, containerd.Config{Dir: o.Dir, BinDir: c.binaries, Registry: registry, Log: o.Log})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// removeOthers removes what a server that crashed left running on another engine.
func removeOthers(ctx context.Context, o Options, c choice) error {
	info, crashed, err := dir(o.Dir).readInfo()
	if err != nil || !crashed || info.Engine == c.engine {
		return err
	}
	return dir(o.Dir).tearDown(ctx, o.Log)
}

// tearDown removes what any engine of the directory left.
func (d dir) tearDown(ctx context.Context, log *slog.Logger) error {
	err := docker.Teardown(ctx, string(d), log)
	// Without root nobody can have run the built-in engine, nor remove what it left.
	if _, missing := os.Stat(d.engine()); os.Geteuid() == 0 || missing == nil {
		err = errors.Join(err, containerd.Teardown(ctx, string(d), log))
	}
	if err != nil {
		return fmt.Errorf("clean up what local AWS left: %w", err)
	}
	return nil
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

// BecomeShim must be the first thing that a program does which calls Serve: the container engines start that program anew
// to hand a container its secrets. It returns nil at once when the process is not started for that; after an error the
// process must end. args are the process's own, the program first.
func BecomeShim(args []string) error {
	docker.Become(args)
	return containerd.BecomeShim(args)
}
