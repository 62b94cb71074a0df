// Package simulated is an engine that runs nothing: its containers live in memory and behave as a script says. It is for
// tests of the scheduler and for trials at a scale that one machine could not run; whoever uses it must say so.
//
// It does no I/O and starts no goroutine: time alone moves it, so that testing/synctest can drive it. It must not know
// ECS, nor anything of AWS.
package simulated

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// errClosed is what waits and reads get when the engine was closed meanwhile.
var errClosed = errors.New("the simulated engine was closed")

// Engine is an engine.Engine in memory. Close freezes it: nothing exits by itself any more.
type Engine struct {
	script Script
	closed chan struct{}

	mu         sync.Mutex // guards all that follows, and what the containers hold
	addresses  int        // that were given out
	sandboxes  map[string]*sandbox
	containers map[string]*container
	pulled     map[string]bool
}

var _ engine.Engine = (*Engine)(nil)

type sandbox struct {
	engine.Sandbox
	containers []*container // in the order of their start
}

// New makes an engine whose containers behave as script says; nil means that every image is a healthy server.
func New(script Script) *Engine {
	if script == nil {
		script = Healthy
	}
	return &Engine{
		script: script, closed: make(chan struct{}),
		sandboxes: map[string]*sandbox{}, containers: map[string]*container{}, pulled: map[string]bool{},
	}
}

// Kind is "simulated".
func (e *Engine) Kind() string { return "simulated" }

// Pull takes the time and gives the error that the script says. The manifest is the digest that the reference names, or
// one made from the reference.
func (e *Engine) Pull(ctx context.Context, req engine.PullRequest) (engine.Image, error) {
	b := e.script(req.Ref)
	if err := pause(ctx, b.PullTime); err != nil {
		return engine.Image{}, fmt.Errorf("%w: %s: %w", engine.ErrPull, req.Ref, err)
	}
	if b.PullError != nil {
		return engine.Image{}, fmt.Errorf("%s: %w", req.Ref, b.PullError)
	}
	e.mu.Lock()
	e.pulled[req.Ref] = true
	e.mu.Unlock()
	digest := digestOf(req.Ref)
	return engine.Image{Ref: req.Ref, Digest: digest, Manifest: digest, Architecture: cmp.Or(req.Architecture, runtime.GOARCH)}, nil
}

func digestOf(ref string) string {
	if _, digest, ok := strings.Cut(ref, "@"); ok {
		return digest
	}
	sum := sha256.Sum256([]byte(ref))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// CreateSandbox gives a task an address of its own on the loopback network, where nothing listens.
func (e *Engine) CreateSandbox(ctx context.Context, spec engine.SandboxSpec) (engine.Sandbox, error) {
	if err := ctx.Err(); err != nil {
		return engine.Sandbox{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if have, ok := e.sandboxes[spec.ID]; ok {
		return have.Sandbox, nil
	}
	const first, span = 64, 1 << 22 // 127.64.0.0/10
	n := e.addresses % (span - 1)
	e.addresses++
	n++
	ip := fmt.Sprintf("127.%d.%d.%d", first+n>>16, n>>8&0xff, n&0xff)
	made := &sandbox{Sandbox: engine.Sandbox{ID: spec.ID, IP: ip, Gateway: "127.0.0.1"}}
	e.sandboxes[spec.ID] = made
	return made.Sandbox, nil
}

// RemoveSandbox forgets a sandbox and its containers, killing those that run.
func (e *Engine) RemoveSandbox(ctx context.Context, id string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	box, ok := e.sandboxes[id]
	if !ok {
		return nil
	}
	for _, c := range box.containers {
		c.end(engine.Exit{Code: killedBy("SIGKILL")})
		delete(e.containers, c.spec.ID)
	}
	delete(e.sandboxes, id)
	return nil
}

// Start starts a container; one that exists is left as it is.
func (e *Engine) Start(ctx context.Context, spec engine.ContainerSpec) error {
	b := e.script(spec.Image)
	if err := pause(ctx, b.StartTime); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, ok := e.containers[spec.ID]; ok {
		return nil
	}
	box, ok := e.sandboxes[spec.Sandbox]
	switch {
	case !ok:
		return fmt.Errorf("sandbox %s: %w", spec.Sandbox, engine.ErrNotFound)
	case !e.pulled[spec.Image]:
		return fmt.Errorf("%w: image %s was not pulled", engine.ErrStart, spec.Image)
	case b.StartError != nil:
		return b.StartError
	}
	c := newContainer(&e.mu, spec, b)
	box.containers = append(box.containers, c)
	e.containers[spec.ID] = c
	c.begin()
	return nil
}

// find gives a container.
func (e *Engine) find(id string) (*container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, ok := e.containers[id]
	if !ok {
		return nil, fmt.Errorf("container %s: %w", id, engine.ErrNotFound)
	}
	return c, nil
}

// Signal ends a container: at once by SIGKILL, after its StopTime by any other signal, which it may ignore.
func (e *Engine) Signal(ctx context.Context, id, signal string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := e.find(id)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	c.signal(signal)
	return nil
}

// Wait blocks until the container has stopped, ctx has ended or the engine was closed.
func (e *Engine) Wait(ctx context.Context, id string) (engine.Exit, error) {
	c, err := e.find(id)
	if err != nil {
		return engine.Exit{}, err
	}
	select {
	case <-c.ended:
		return c.exit, nil
	default:
	}
	select {
	case <-c.ended:
		return c.exit, nil
	case <-ctx.Done():
		return engine.Exit{}, ctx.Err()
	case <-e.closed:
		return engine.Exit{}, errClosed
	}
}

// Exec answers any command as a health check would: 0 once the container is ready, 1 before or when it never is.
func (e *Engine) Exec(ctx context.Context, id string, _ []string) (engine.ExecResult, error) {
	c, err := e.find(id)
	if err != nil {
		return engine.ExecResult{}, err
	}
	e.mu.Lock()
	took := c.behaviour.ExecTime
	e.mu.Unlock()
	if err := pause(ctx, took); err != nil {
		return engine.ExecResult{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case !c.running():
		return engine.ExecResult{}, fmt.Errorf("container %s has stopped: %w", id, engine.ErrNotFound)
	case c.ready():
		return engine.ExecResult{Code: 0}, nil
	}
	return engine.ExecResult{Code: 1, Output: "connection refused"}, nil
}

// Sicken makes a container fail its health checks from now on.
func (e *Engine) Sicken(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, ok := e.containers[id]; ok {
		c.behaviour.NeverHealthy = true
	}
}

// Write adds to what a container wrote.
func (e *Engine) Write(id, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c, ok := e.containers[id]; ok {
		c.write(text)
	}
}

// Logs reads what the container wrote.
func (e *Engine) Logs(ctx context.Context, id string, offset int64, follow bool) (io.ReadCloser, error) {
	c, err := e.find(id)
	if err != nil {
		return nil, err
	}
	return &logReader{ctx: ctx, container: c, closed: e.closed, at: offset, follow: follow}, nil
}

// List gives every sandbox that was not removed, by id.
func (e *Engine) List(ctx context.Context) ([]engine.SandboxStatus, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]engine.SandboxStatus, 0, len(e.sandboxes))
	for _, id := range slices.Sorted(maps.Keys(e.sandboxes)) {
		box := e.sandboxes[id]
		status := engine.SandboxStatus{Sandbox: box.Sandbox}
		for _, c := range box.containers {
			status.Containers = append(status.Containers, c.status())
		}
		all = append(all, status)
	}
	return all, nil
}

// Close freezes every container and ends all waits. Closing twice is a success.
func (e *Engine) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	select {
	case <-e.closed:
		return nil
	default:
	}
	close(e.closed)
	for _, c := range e.containers {
		c.freeze()
	}
	return nil
}
