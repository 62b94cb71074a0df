package docker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/moby/locker"
	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// Engine is engine.Engine on a Docker Engine. Use Open. Whoever opens it sees to it that nobody else has it open.
type Engine struct {
	config Config
	place  place
	log    *slog.Logger
	api    *client.Client
	info   system.Info
	apart  bool
	keys   *locker.Locker // one writer a sandbox, a container, an image

	life  context.Context // ends with Close
	end   context.CancelFunc
	tasks sync.WaitGroup // what runs until life ends

	pause    string // name of the image whose container holds a task's network
	buildkit string // address; empty: none

	program sync.Mutex
	placed  bool // this program is in its volume; guarded by program
}

var _ engine.Engine = (*Engine)(nil)

// Open connects to the Docker Engine, removes what a crash left half made, and starts BuildKit or adopts the one that
// runs. Containers that run are left as they are. Close or Shutdown the result. ErrNoDocker.
func Open(ctx context.Context, config Config) (*Engine, error) {
	p, err := newPlace(config.Dir)
	if err != nil {
		return nil, err
	}
	if config.Host == "" {
		if config.Host, _, err = Find(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNoDocker, err)
		}
	}
	api, info, err := connect(ctx, config.Host)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		config: config, place: p, log: config.logger(), api: api, info: info, keys: locker.New(),
		apart: config.Apart || isApart(api.DaemonHost(), info),
	}
	e.life, e.end = context.WithCancel(context.Background())
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

func (e *Engine) open(ctx context.Context) error {
	if err := os.MkdirAll(e.place.dir, 0o700); err != nil {
		return err
	}
	// Written first: what is made from here on must be found by whoever cleans up.
	for _, file := range []string{e.place.daemonFile(), e.place.openFile()} {
		if err := os.WriteFile(file, []byte(e.api.DaemonHost()+"\n"), 0o600); err != nil {
			return err
		}
	}
	if err := e.sweep(ctx); err != nil {
		return err
	}
	if err := e.ensurePause(ctx); err != nil {
		return err
	}
	return e.openBuildKit(ctx)
}

// Kind is "docker".
func (e *Engine) Kind() string { return "docker" }

// BuildKitAddress is where buildkitd answers, for a BuildKit client; empty when there is none.
func (e *Engine) BuildKitAddress() string { return e.buildkit }

// Close lets go of the engine: containers keep running, and the next Open finds them. Blocked calls of Wait and Logs
// return.
func (e *Engine) Close() error {
	e.end()
	e.tasks.Wait()
	return e.api.Close()
}

// platform is the daemon's own.
func (e *Engine) platform() ocispec.Platform {
	return ocispec.Platform{OS: "linux", Architecture: architecture(e.info.Architecture)}
}

// architecture translates the kernel's name of the machine, which Docker gives, to Go's.
func architecture(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return machine
}

// bound returns ctx, which ends with the engine as well.
func (e *Engine) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(e.life, func() { cancel(errClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// errClosed ends what waits when the engine is closed.
var errClosed = errors.New("the container engine is closed")

// found takes "there is none" for no error.
func found(err error) (bool, error) {
	if errdefs.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// lock holds a key until the function that it returns is called.
func (e *Engine) lock(key string) func() {
	e.keys.Lock(key)
	return func() { _ = e.keys.Unlock(key) } // it is locked: the line above did it
}
