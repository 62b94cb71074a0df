package elb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"
)

// group is one target group: its listener, its targets, and which of them get requests.
type group struct {
	arn, service string
	log          *slog.Logger
	pace         pace
	assume       bool // see Config.AssumeHealthy
	settings     atomic.Pointer[Settings]
	proxy        *httputil.ReverseProxy
	background   sync.WaitGroup // checks, and fronts that are being closed

	mu       sync.Mutex
	closed   bool
	front    *front
	targets  map[string]*target
	rotation rotation
}

func newGroup(g Group, p pace, log *slog.Logger) *group {
	made := &group{arn: g.ARN, service: g.Service, log: log.With("service", g.Service), pace: p, targets: map[string]*target{}}
	made.proxy = made.newProxy()
	return made
}

// front is one listener and what serves it.
type front struct {
	port   int
	server *http.Server
	ended  chan struct{}
}

// clientIdle is how long a client's connection may be idle: an Application Load Balancer's default.
const clientIdle = 60 * time.Second

// serve starts to serve the listener and returns the front that it replaces, if any.
func (g *group) serve(listener net.Listener) (old *front) {
	f := &front{
		port: listener.Addr().(*net.TCPAddr).Port,
		server: &http.Server{
			Handler: g, ReadHeaderTimeout: clientIdle, IdleTimeout: clientIdle,
			ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
		},
		ended: make(chan struct{}),
	}
	go func() {
		defer close(f.ended)
		if err := f.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			g.log.Error("load balancer's listener failed", "port", f.port, "error", err)
		}
	}()
	g.mu.Lock()
	defer g.mu.Unlock()
	old, g.front = g.front, f
	return old
}

// close stops to listen, waits for requests in flight, at most for patience or until ctx ends, and cuts the rest off.
func (f *front) close(ctx context.Context, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := f.server.Shutdown(ctx)
	if err != nil {
		err = f.server.Close()
	}
	<-f.ended
	if err != nil {
		return fmt.Errorf("close the load balancer on port %d: %w", f.port, err)
	}
	return nil
}

// retireFront closes a front in the background: nobody waits for its last requests.
func (g *group) retireFront(ctx context.Context, old *front, patience time.Duration) {
	g.background.Go(func() {
		if err := old.close(ctx, patience); err != nil {
			g.log.Warn("cannot close the load balancer's old port in order", "port", old.port, "error", err)
		}
	})
}

func (g *group) port() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.front.port
}

func (g *group) url() string { return "http://" + address(g.port()) }

// register adds t, in place of a target of the same id that is elsewhere or leaving.
func (g *group) register(t Target) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed { // removed meanwhile
		return
	}
	old := g.targets[t.ID]
	if old != nil && old.address == t.address() && !old.draining {
		return
	}
	if old != nil {
		old.retire()
		old.transport.CloseIdleConnections()
		g.rotation.remove(old)
	}
	fresh := newTarget(t)
	g.targets[t.ID] = fresh
	g.background.Go(func() { g.watch(fresh) })
}

// deregister takes the target out of rotation, and waits for its requests.
func (g *group) deregister(ctx context.Context, id string) error {
	g.mu.Lock()
	t := g.targets[id]
	if t == nil {
		g.mu.Unlock()
		return nil
	}
	t.draining = true
	t.retire()
	g.rotation.remove(t)
	g.mu.Unlock()

	err := t.drain(ctx, g.settings.Load().DeregistrationDelay)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.targets[id] == t {
		delete(g.targets, id)
	}
	return err
}

func (g *group) health(id string) Health {
	g.mu.Lock()
	defer g.mu.Unlock()
	if t := g.targets[id]; t != nil {
		return t.health()
	}
	return unused()
}

func (g *group) status() Status {
	s := Status{ARN: g.arn, Service: g.service, URL: g.url(), Targets: map[string]Health{}}
	g.mu.Lock()
	defer g.mu.Unlock()
	for id, t := range g.targets {
		s.Targets[id] = t.health()
	}
	return s
}

// close ends the listener, the targets and their checks.
func (g *group) close(ctx context.Context) error {
	g.mu.Lock()
	f := g.front
	g.mu.Unlock()
	err := f.close(ctx, g.settings.Load().DeregistrationDelay)
	g.mu.Lock()
	g.closed = true
	for _, t := range g.targets {
		t.retire()
		t.cut()
		g.rotation.remove(t)
	}
	g.mu.Unlock()
	g.background.Wait()
	return err
}
