//go:build linux

package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/log"
	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/moby/locker"
	"github.com/sirupsen/logrus"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// namespace is where containerd keeps what belongs to this engine; builds are in "buildkit".
const namespace = "medusa-deploy"

// superviseInterval is how often the daemons are looked after.
const superviseInterval = 250 * time.Millisecond

// Engine is engine.Engine on a containerd of its own. Use Open.
type Engine struct {
	config      Config
	layout      layout
	log         *slog.Logger
	client      *client.Client
	snapshotter string
	network     network
	cni         *libcni.CNIConfig
	unlock      func()
	keys        *locker.Locker // one writer a sandbox, a container, an image

	life  context.Context // ends with Close
	end   context.CancelFunc
	tasks sync.WaitGroup // what runs until life ends

	shimCopied bool // see secretShim

	mu      sync.Mutex
	watches map[string]*watch // by container, for those that were not removed
}

var _ engine.Engine = (*Engine)(nil)

// Open starts containerd and buildkitd, or adopts those that run already in this directory, and finds the sandboxes
// and containers that an earlier process left. Close or Shutdown the result. ErrInUse when another process has it open.
//
// A process should have one engine at a time: containerd's client remembers where its temporary mounts go in a variable
// of its package.
func Open(ctx context.Context, config Config) (*Engine, error) {
	l, err := newLayout(config.Dir)
	if err != nil {
		return nil, err
	}
	if missing := missingBinaries(config.BinDir, binaryNames()); len(missing) > 0 {
		return nil, fmt.Errorf("%w: %s lacks %v; build it with `make engine`", ErrNoBinaries, config.BinDir, missing)
	}
	if err := l.create(); err != nil {
		return nil, err
	}
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		config: config, layout: l, log: config.logger(), unlock: unlock, keys: locker.New(), watches: map[string]*watch{},
		cni: libcni.NewCNIConfigWithCacheDir([]string{config.BinDir + "/cni"}, l.cniCache(), cniExec()),
	}
	e.life, e.end = context.WithCancel(inNamespace(context.Background()))
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// cniExec is what CNI's library would make for itself, but not before it is used, by several at once.
func cniExec() invoke.Exec {
	return &invoke.DefaultExec{RawExec: &invoke.RawExec{Stderr: os.Stderr}}
}

func (e *Engine) open(ctx context.Context) error {
	// Reading a user's name from an image mounts it for a moment; the mount must be where Teardown finds it.
	if err := mount.SetTempMountLocation(e.layout.path("tmp")); err != nil {
		return fmt.Errorf("choose a place for temporary mounts: %w", err)
	}
	containerd, err := e.containerdDaemon().ensure(ctx)
	if err != nil {
		return err
	}
	e.client, err = client.New(e.layout.containerdSocket(), client.WithDefaultNamespace(namespace))
	if err != nil {
		return fmt.Errorf("connect to containerd: %w", err)
	}
	ctx = inNamespace(ctx)
	if e.snapshotter, err = e.chooseSnapshotter(ctx); err != nil {
		return err
	}
	buildkit, err := e.buildkitDaemon().ensure(ctx)
	if err != nil {
		return err
	}
	if err := e.layout.weigh(); err != nil {
		e.log.WarnContext(ctx, "containers get little of a busy machine", "error", err)
	}
	if e.network, err = openNetwork(ctx, e.layout); err != nil {
		return err
	}
	if err := e.adopt(ctx); err != nil {
		return err
	}
	e.tasks.Go(func() { e.supervise(e.containerdDaemon(), containerd) })
	e.tasks.Go(func() { e.supervise(e.buildkitDaemon(), buildkit) })
	return nil
}

// supervise starts a daemon again when it dies. Containers live on meanwhile: their shims hold them.
func (e *Engine) supervise(d *daemon, p process) {
	ticker := time.NewTicker(superviseInterval)
	defer ticker.Stop()
	for {
		select {
		case <-e.life.Done():
			return
		case <-ticker.C:
		}
		if p.alive() {
			continue
		}
		e.log.Warn("daemon died; starting it again", "daemon", d.name, "pid", p.PID)
		again, err := d.ensure(e.life)
		if err != nil {
			e.log.Error("cannot start daemon again", "daemon", d.name, "error", err)
			continue
		}
		p = again
	}
}

// Kind is "containerd".
func (e *Engine) Kind() string { return "containerd" }

// BuildKitAddress is where buildkitd listens, for a BuildKit client.
func (e *Engine) BuildKitAddress() string { return "unix://" + e.layout.buildkitSocket() }

// Blobs is the directory of the blobs of all images, built and pulled, each the file sha256/HEX. Its owner alone may read it.
func (e *Engine) Blobs() string {
	return e.layout.path("containerd", "io.containerd.content.v1.content", "blobs")
}

// Close lets go of the engine: daemons and containers keep running, and the next Open finds them. Blocked calls of Wait
// and Logs return.
func (e *Engine) Close() error {
	e.stop()
	var err error
	if e.client != nil {
		err = e.client.Close()
	}
	e.unlock()
	return err
}

// stop ends what runs in the background, and what waits for it.
func (e *Engine) stop() {
	e.mu.Lock() // watch starts nothing once life has ended
	e.end()
	e.mu.Unlock()
	e.tasks.Wait()
}

// bound returns ctx with containerd's namespace; it ends with the engine as well.
func (e *Engine) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(inNamespace(ctx))
	stop := context.AfterFunc(e.life, func() { cancel(errClosed) })
	return ctx, func() { stop(); cancel(nil) }
}

// errClosed ends what waits when the engine is closed.
var errClosed = errors.New("the container engine is closed")

// inNamespace prepares ctx for containerd's client: with our namespace, and without its own log lines on stderr, which
// repeat the errors that it returns.
func inNamespace(ctx context.Context) context.Context {
	silent := logrus.New()
	silent.SetOutput(io.Discard)
	return log.WithLogger(namespaces.WithNamespace(ctx, namespace), logrus.NewEntry(silent))
}
