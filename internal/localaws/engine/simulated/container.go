package simulated

import (
	"context"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// container is one simulated process. Its timers are all that happens to it by itself. The engine's lock guards it;
// exit alone is read without, after ended was closed.
type container struct {
	lock      *sync.Mutex // the engine's
	spec      engine.ContainerSpec
	behaviour Behaviour
	started   time.Time
	timers    []*time.Timer
	exit      engine.Exit
	ended     chan struct{}
	log       []byte
	changed   chan struct{} // closed and replaced when log grows or the container ends
}

func newContainer(lock *sync.Mutex, spec engine.ContainerSpec, b Behaviour) *container {
	spec.Labels = maps.Clone(spec.Labels)
	return &container{
		lock: lock, spec: spec, behaviour: b, started: time.Now(),
		ended: make(chan struct{}), changed: make(chan struct{}),
	}
}

// begin writes the log and starts the clock of the container's end. The lock is held.
func (c *container) begin() {
	c.write(c.behaviour.Log)
	exit := engine.Exit{Code: c.behaviour.ExitCode, OOMKilled: c.behaviour.OOMKilled}
	switch {
	case !c.behaviour.Exits:
	case c.behaviour.ExitAfter <= 0:
		c.end(exit)
	default:
		c.after(c.behaviour.ExitAfter, func() { c.end(exit) })
	}
}

// after does something to a container that still runs by then. The lock is held, also when f is called.
func (c *container) after(d time.Duration, f func()) {
	c.timers = append(c.timers, time.AfterFunc(d, func() {
		c.lock.Lock()
		defer c.lock.Unlock()
		f()
	}))
}

func (c *container) freeze() {
	for _, t := range c.timers {
		t.Stop()
	}
}

func (c *container) running() bool {
	select {
	case <-c.ended:
		return false
	default:
		return true
	}
}

func (c *container) ready() bool {
	return !c.behaviour.NeverHealthy && time.Since(c.started) >= c.behaviour.ReadyAfter
}

// end stops the container; one that has stopped keeps its exit. The lock is held.
func (c *container) end(exit engine.Exit) {
	if !c.running() {
		return
	}
	c.freeze()
	exit.At = time.Now()
	c.exit = exit
	close(c.ended)
	c.notify()
}

// signal does what a signal does to the container. The lock is held.
func (c *container) signal(name string) {
	exit := engine.Exit{Code: killedBy(name)}
	switch {
	case !c.running(), name != "SIGKILL" && c.behaviour.IgnoresSIGTERM:
	case name == "SIGKILL":
		c.end(exit)
	default:
		if c.behaviour.StopCode != nil {
			exit.Code = *c.behaviour.StopCode
		}
		if c.behaviour.StopTime <= 0 {
			c.end(exit)
			return
		}
		c.after(c.behaviour.StopTime, func() { c.end(exit) })
	}
}

// killedBy is the exit code of a process that a signal ended.
func killedBy(signal string) int {
	const base = 128
	numbers := map[string]int{"SIGHUP": 1, "SIGINT": 2, "SIGQUIT": 3, "SIGKILL": 9, "SIGUSR1": 10, "SIGUSR2": 12, "SIGTERM": 15}
	return base + numbers[signal]
}

func (c *container) write(text string) {
	if text != "" {
		c.log = append(c.log, text...)
		c.notify()
	}
}

func (c *container) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *container) status() engine.ContainerStatus {
	s := engine.ContainerStatus{
		ID: c.spec.ID, Name: c.spec.Name, Image: c.spec.Image, Running: c.running(), Labels: maps.Clone(c.spec.Labels), Started: c.started,
	}
	if !s.Running {
		s.Exit = c.exit
	}
	return s
}

// logReader reads a container's log from an offset.
type logReader struct {
	ctx       context.Context //nolint:containedctx // a read must end when the caller of Logs gives up
	container *container
	closed    <-chan struct{} // the engine
	at        int64
	follow    bool
}

// Read gives what is there, and waits for more when it follows a container that runs.
func (r *logReader) Read(p []byte) (int, error) {
	c := r.container
	for {
		c.lock.Lock()
		n := 0
		if r.at < int64(len(c.log)) {
			n = copy(p, c.log[r.at:])
		}
		more, changed := r.follow && c.running(), c.changed
		c.lock.Unlock()
		r.at += int64(n)
		if n > 0 {
			return n, nil
		}
		if !more {
			return 0, io.EOF
		}
		select {
		case <-changed:
		case <-r.ctx.Done():
			return 0, io.EOF
		case <-r.closed:
			return 0, io.EOF
		}
	}
}

// Close does nothing: a reader holds nothing.
func (r *logReader) Close() error { return nil }

// pause waits, at most until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
