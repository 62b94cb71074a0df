//go:build linux

package containerd

import (
	"context"
	"errors"
	"fmt"
	"os"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/pkg/cio"
	"github.com/containerd/errdefs"
	"github.com/google/uuid"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// Exec runs a command in a running container, as the container's user, and waits for it. When ctx ends first the
// command is killed and ctx's error returned. A command that does not exist has the exit code 127, as with Docker.
func (e *Engine) Exec(ctx context.Context, id string, command []string) (engine.ExecResult, error) {
	if err := checkID("container", id); err != nil {
		return engine.ExecResult{}, fmt.Errorf("%w: %w", engine.ErrNotFound, err)
	}
	if len(command) == 0 {
		return engine.ExecResult{}, fmt.Errorf("exec in container %s: no command", id)
	}
	ctx, cancel := e.bound(ctx)
	defer cancel()
	var output engine.Tail
	p, err := e.newExec(ctx, id, command, &output)
	if err != nil {
		return engine.ExecResult{}, err
	}
	defer e.endExec(ctx, p)
	// ctx ends the wait below, not these calls: a start that is abandoned half way could escape endExec.
	calls, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	exited, err := p.Wait(calls)
	if err != nil {
		return engine.ExecResult{}, fmt.Errorf("exec in container %s: %w", id, err)
	}
	if err := p.Start(calls); err != nil {
		return notStarted(id, err)
	}
	select {
	case <-ctx.Done():
		return engine.ExecResult{Output: output.String()}, fmt.Errorf("exec in container %s: %w", id, context.Cause(ctx))
	case status := <-exited:
		if err := status.Error(); err != nil {
			return engine.ExecResult{}, fmt.Errorf("exec in container %s: %w", id, err)
		}
		drain(p.IO())
		return engine.ExecResult{Code: int(status.ExitCode()), Output: output.String()}, nil
	}
}

func (e *Engine) newExec(ctx context.Context, id string, command []string, output *engine.Tail) (client.Process, error) {
	container, err := e.client.LoadContainer(ctx, id)
	if errdefs.IsNotFound(err) {
		return nil, fmt.Errorf("%w: %s", engine.ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("exec in container %s: %w", id, err)
	}
	task, err := container.Task(ctx, nil)
	if errdefs.IsNotFound(err) {
		return nil, fmt.Errorf("%w: %s is not running", engine.ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("exec in container %s: %w", id, err)
	}
	process, err := e.process(id)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s is not running", engine.ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("exec in container %s: %w", id, err)
	}
	process.Args = command
	streams := cio.NewCreator(cio.WithStreams(nil, output, output), cio.WithFIFODir(e.layout.fifos()))
	p, err := task.Exec(ctx, "exec-"+uuid.NewString(), process, streams)
	if err != nil {
		return nil, fmt.Errorf("exec in container %s: %w", id, err)
	}
	return p, nil
}

// notStarted tells a command that the container does not have from a failure of the engine.
func notStarted(id string, err error) (engine.ExecResult, error) {
	if result, ok := engine.NotRun(err.Error()); ok {
		return result, nil
	}
	if errdefs.IsNotFound(err) || errdefs.IsFailedPrecondition(err) {
		return engine.ExecResult{}, fmt.Errorf("%w: %s is not running", engine.ErrNotFound, id)
	}
	return engine.ExecResult{}, fmt.Errorf("exec in container %s: %w", id, err)
}

// endExec kills the command if it still runs and removes its pipes.
func (e *Engine) endExec(ctx context.Context, p client.Process) {
	clean, done := engine.Unhurried(ctx)
	defer done()
	if _, err := p.Delete(clean, client.WithProcessKill); err != nil && !errdefs.IsNotFound(err) {
		e.log.WarnContext(ctx, "cannot clean up after a command in a container", "exec", p.ID(), "error", err)
	}
}

func drain(streams cio.IO) {
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		streams.Wait()
	}()
	if !engine.Drain(drained) {
		streams.Cancel() // ends Wait, and with it the goroutine
	}
}
