package localaws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecs"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/loopback"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

// ErrRunning says that the directory has a server already.
var ErrRunning = errors.New("local AWS runs already")

const (
	// lockPatience covers the moments in which others look whether the lock is held, and a server that has just been
	// killed.
	lockPatience = 3 * time.Second
	// drainGrace is how long requests in flight have when local AWS is stopped.
	drainGrace = 10 * time.Second
	// stopLimit bounds a clean stop: draining, stopping containers, and shutting the engine down.
	stopLimit = 90 * time.Second
	// headerTimeout and idleTimeout are for clients of the listener; bodies have no limit: a layer may take its time.
	headerTimeout = 30 * time.Second
	idleTimeout   = 2 * time.Minute
)

// Serve is local AWS in the foreground. It calls ready when everything answers, serves until ctx ends, and then stops
// everything in order: requests, containers, the engine. State on disk stays. When the process is killed instead,
// containers go on running and the next Serve takes them over.
func Serve(ctx context.Context, o Options, ready func(Info)) error {
	parent := inheritedParent()
	err := serve(ctx, o, func(info Info) {
		ready(info)
		parent.tell(nil)
	})
	parent.tell(err) // says nothing new when the server was ready
	return err
}

func serve(ctx context.Context, o Options, ready func(Info)) error {
	o, err := o.complete()
	if err != nil {
		return err
	}
	chosen, err := choose(ctx, o)
	if err != nil {
		return err
	}
	d := dir(o.Dir)
	if err := d.create(); err != nil {
		return err
	}
	held, err := d.lockServer(ctx)
	if err != nil {
		return err
	}
	defer held.release()
	s := &server{options: o, dir: d, engine: chosen}
	failed := s.start(ctx)
	if failed == nil {
		ready(s.info)
		failed = s.wait(ctx)
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
	defer cancel()
	return errors.Join(failed, s.stop(stopping))
}

// lockServer makes this process the directory's server; ErrRunning when there is one.
func (d dir) lockServer(ctx context.Context) (*lock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	held, err := waitLock(ctx, d.serverLock())
	if errors.Is(err, errHeld) {
		pid, _, _ := holder(d.serverLock())
		return nil, fmt.Errorf("%w in %s (pid %d); stop it first: medusa-deploy local down", ErrRunning, d, pid)
	}
	if err != nil {
		return nil, d.explain(err)
	}
	return held, nil
}

// server is a running local AWS.
type server struct {
	options  Options
	dir      dir
	engine   choice
	info     Info
	failures chan error // of what runs in the background
	undo     []func(context.Context) error
}

// onStop adds a step to be done at the end, before those that were added earlier.
func (s *server) onStop(step func(context.Context) error) { s.undo = append(s.undo, step) }

// stop undoes what start did, also when start failed half way.
func (s *server) stop(ctx context.Context) error {
	var failed []error
	for i := len(s.undo) - 1; i >= 0; i-- {
		failed = append(failed, s.undo[i](ctx))
	}
	return errors.Join(failed...)
}

// start opens everything, from what is used to what uses it.
func (s *server) start(ctx context.Context) error {
	keys, err := s.dir.loadCredentials()
	if err != nil {
		return err
	}
	listener, err := s.listen(ctx)
	if err != nil {
		return err
	}
	s.onStop(func(context.Context) error { return closed(listener.Close()) })
	state, err := store.Open(s.dir.state())
	if err != nil {
		return s.dir.explain(err)
	}
	s.onStop(func(context.Context) error { return state.Close() })
	listen := reachable(listener.Addr())
	host := cmp.Or(s.options.Advertise, listen)
	containers, err := openEngine(ctx, s.options, s.engine, host)
	if err != nil {
		return s.dir.explain(err)
	}
	s.onStop(containers.Shutdown)
	s.info = Info{
		PID: os.Getpid(), Endpoint: "http://" + host, Host: host, Listen: listen, Region: Region,
		AccessKeyID: keys.AccessKeyID, SecretAccessKey: keys.SecretAccessKey,
		BuildKit: containers.BuildKitAddress(), Blobs: blobs(containers), Engine: containers.Kind(), EngineReason: s.engine.reason, Rates: s.options.Rates, Dir: s.options.Dir, Started: time.Now().UTC(),
	}
	p, err := assemble(s.options, s.info, keys, state, containers)
	if err != nil {
		return s.dir.explain(err)
	}
	s.onStop(func(ctx context.Context) error { return stopContainers(ctx, containers, s.options.Log) })
	s.onStop(func(ctx context.Context) error { return drain(ctx, p.elb.Close) })
	s.failures = make(chan error, 2)
	s.serveHTTP(listener, p.handler())
	s.runECS(ctx, p.ecs)
	return s.announce()
}

// announce writes where the server is. The file goes first when the server stops.
func (s *server) announce() error {
	if err := s.dir.writeFile(s.dir.address(), []byte(s.info.Listen+"\n")); err != nil {
		return err
	}
	if err := s.dir.writeInfo(s.info); err != nil {
		return err
	}
	s.onStop(func(context.Context) error { return removeIfThere(s.dir.info()) })
	s.options.Log.Info("local AWS is ready", "endpoint", s.info.Endpoint, "engine", s.info.Engine, "dir", s.info.Dir)
	return nil
}

// wait returns when ctx ends, or with the error of a part that failed.
func (s *server) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		s.options.Log.Info("stopping local AWS")
		return nil
	case err := <-s.failures:
		return err
	}
}

// serveHTTP serves in the background until it is stopped.
func (s *server) serveHTTP(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout,
		ErrorLog: slog.NewLogLogger(s.options.Log.Handler(), slog.LevelWarn),
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.failures <- fmt.Errorf("serve on %s: %w", listener.Addr(), err)
		}
	}()
	s.onStop(func(ctx context.Context) error {
		return drain(ctx, func(ctx context.Context) error {
			if err := server.Shutdown(ctx); err != nil {
				return server.Close() // those in flight had their time
			}
			return nil
		})
	})
}

// runECS makes ECS act in the background until it is stopped.
func (s *server) runECS(ctx context.Context, backend *ecs.Backend) {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := backend.Run(running); err != nil {
			s.failures <- err
		}
	}()
	s.onStop(func(context.Context) error {
		cancel()
		<-ended
		return nil
	})
}

// drain gives step its time and no more.
func drain(ctx context.Context, step func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, drainGrace)
	defer cancel()
	return step(ctx)
}

// closed takes closing again for a success.
func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// listen opens the listener that the options ask for.
func (s *server) listen(ctx context.Context) (net.Listener, error) {
	last := s.dir.lastAddress()
	address := s.options.Listen
	if address == "" {
		address = last
	}
	if address == "" {
		address = DefaultListen
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if lastHost, _, err := net.SplitHostPort(last); port == "0" && err == nil && lastHost == host {
		// Variables and image names that people have set hold the address: keep it when it is to be had.
		if listener, err := loopback.Listen(ctx, last); err == nil {
			return listener, nil
		}
	}
	listener, err := loopback.Listen(ctx, address)
	var taken *loopback.TakenError
	if errors.As(err, &taken) {
		return nil, fmt.Errorf("%w; stop it, or choose another address: --listen %s", err, net.JoinHostPort(host, "0"))
	}
	return listener, err
}
