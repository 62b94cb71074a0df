//go:build linux

package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/containerd/errdefs"

	client "github.com/containerd/containerd/v2/client"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

const (
	// lostExit is what a container exits with whose end nobody saw: its shim was killed, or the machine went down.
	lostExit = 137
	// retryInterval is how long to wait for containerd to come back.
	retryInterval = 100 * time.Millisecond
)

// watch follows one container to its end. done is closed when its exit is on disk and its output complete.
type watch struct {
	done   chan struct{}
	closed <-chan struct{} // the engine's end
	exit   engine.Exit     // valid once done is closed
}

func (w *watch) wait(ctx context.Context) (engine.Exit, error) {
	select {
	case <-w.done:
		return w.exit, nil
	default:
	}
	select {
	case <-w.done:
		return w.exit, nil
	case <-ctx.Done():
		return engine.Exit{}, context.Cause(ctx)
	case <-w.closed:
		return engine.Exit{}, errClosed
	}
}

func (w *watch) stopped() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// watch returns the watch on a container; the first call starts it.
func (e *Engine) watch(id string) *watch {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w, ok := e.watches[id]; ok {
		return w
	}
	w := &watch{done: make(chan struct{}), closed: e.life.Done()}
	e.watches[id] = w
	if e.life.Err() == nil {
		e.tasks.Go(func() { e.follow(id, w) })
	}
	return w
}

func (e *Engine) forget(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.watches, id)
}

// Wait blocks until the container has stopped.
func (e *Engine) Wait(ctx context.Context, id string) (engine.Exit, error) {
	var record containerRecord
	if err := e.record(id, &record); err != nil {
		return engine.Exit{}, err
	}
	exit, err := e.watch(id).wait(ctx)
	if err != nil {
		return engine.Exit{}, fmt.Errorf("wait for container %s: %w", id, err)
	}
	return exit, nil
}

// follow waits for the container's end, through deaths of containerd, and settles it.
func (e *Engine) follow(id string, w *watch) {
	for {
		exit, err := e.settle(e.life, id)
		if err == nil {
			w.exit = exit
			close(w.done)
			return
		}
		if e.life.Err() != nil {
			return
		}
		e.log.Debug("watching container again", "container", id, "error", err)
		retry := time.NewTimer(retryInterval)
		select {
		case <-e.life.Done():
			retry.Stop()
			return
		case <-retry.C:
		}
	}
}

// settle waits for the container's process, writes down how it ended, and lets its shim go, which completes its log.
// It can be repeated from any point.
func (e *Engine) settle(ctx context.Context, id string) (engine.Exit, error) {
	task, err := e.task(ctx, id)
	if err != nil && !errdefs.IsNotFound(err) {
		return engine.Exit{}, err
	}
	var exit engine.Exit
	if task == nil {
		return e.recorded(id, engine.Exit{Code: lostExit, At: time.Now()})
	}
	statuses, err := task.Wait(ctx)
	if err != nil {
		return engine.Exit{}, err
	}
	status := <-statuses
	code, at, err := status.Result()
	if err != nil {
		return engine.Exit{}, err
	}
	killed := e.oomKills(id) > 0
	exit = engine.Exit{Code: int(code), At: at, OOMKilled: killed && code != 0}
	if exit, err = e.recorded(id, exit); err != nil {
		return engine.Exit{}, err
	}
	if _, err := task.Delete(ctx); err != nil && !errdefs.IsNotFound(err) {
		return engine.Exit{}, err
	}
	return exit, nil
}

// task loads the container's task; NotFound when either is gone.
func (e *Engine) task(ctx context.Context, id string) (client.Task, error) {
	container, err := e.client.LoadContainer(ctx, id)
	if err != nil {
		return nil, err
	}
	return container.Task(ctx, nil)
}

// recorded returns the exit on disk, or puts this one there: the first to see an end is the one who is right. A
// container that was removed meanwhile leaves nothing.
func (e *Engine) recorded(id string, exit engine.Exit) (engine.Exit, error) {
	var earlier engine.Exit
	err := readJSON(e.layout.exitFile(id), &earlier)
	if err == nil {
		return earlier, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		e.log.Warn("exit record is broken; writing it again", "container", id, "error", err)
	}
	if err := writeJSON(e.layout.exitFile(id), exit); err != nil && !errors.Is(err, os.ErrNotExist) {
		return engine.Exit{}, err
	}
	return exit, nil
}
