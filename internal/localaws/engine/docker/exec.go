package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/google/uuid"
	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// execInterval is the time between two looks whether a command has ended whose output has not.
const execInterval = 250 * time.Millisecond

// Exec runs a command in a running container, as the container's user, and waits for it. When ctx ends first the
// command is killed and ctx's error returned. A command that does not exist has the exit code 127.
func (e *Engine) Exec(ctx context.Context, id string, command []string) (engine.ExecResult, error) {
	if len(command) == 0 {
		return engine.ExecResult{}, fmt.Errorf("exec in container %s: no command", id)
	}
	ctx, cancel := e.bound(ctx)
	defer cancel()
	c, err := e.inspect(ctx, id)
	if err != nil {
		return engine.ExecResult{}, err
	}
	if !c.State.Running {
		return engine.ExecResult{}, fmt.Errorf("%w: %s is not running", engine.ErrNotFound, id)
	}
	if c.Config.Labels[labelSecrets] != "" {
		command = withSecrets(command)
	}
	mark := uuid.NewString()
	made, err := e.api.ExecCreate(ctx, c.ID, client.ExecCreateOptions{
		AttachStdout: true, AttachStderr: true, Cmd: command, Env: []string{markVariable + "=" + mark},
	})
	if err != nil {
		return notStarted(id, err)
	}
	result, err := e.runExec(ctx, id, made.ID)
	if err != nil && ctx.Err() != nil {
		e.killMarked(ctx, c.ID, mark)
		return result, fmt.Errorf("exec in container %s: %w", id, context.Cause(ctx))
	}
	return result, err
}

// runExec starts the command and waits for it, and for its output.
func (e *Engine) runExec(ctx context.Context, id, execID string) (engine.ExecResult, error) {
	stream, err := e.api.ExecAttach(ctx, execID, client.ExecAttachOptions{})
	if err != nil {
		return notStarted(id, err)
	}
	defer stream.Close()
	var output engine.Tail
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = stdcopy.StdCopy(&output, &output, stream.Reader) // how the command ended is asked for below
	}()
	ended, silent := time.NewTicker(execInterval), copied
	defer ended.Stop()
	for {
		select {
		case <-ctx.Done():
			return engine.ExecResult{Output: output.String()}, ctx.Err()
		case <-silent:
			silent = nil
			ended.Reset(lookInterval) // Docker may need a moment to note the end
		case <-ended.C:
		}
		state, err := e.api.ExecInspect(ctx, execID, client.ExecInspectOptions{})
		if errdefs.IsNotFound(err) {
			return engine.ExecResult{}, fmt.Errorf("%w: %s is not running", engine.ErrNotFound, id)
		}
		if err != nil {
			return engine.ExecResult{Output: output.String()}, fmt.Errorf("exec in container %s: %w", id, err)
		}
		if !state.Running {
			engine.Drain(copied) // else closing the stream ends the copying
			if text := output.String(); strings.HasPrefix(text, "OCI runtime exec failed") {
				return notStarted(id, errors.New(strings.TrimSpace(text)))
			}
			return engine.ExecResult{Code: state.ExitCode, Output: output.String()}, nil
		}
	}
}

// notStarted tells a command that the container does not have, or a container that has stopped, from a failure of the
// engine.
func notStarted(id string, err error) (engine.ExecResult, error) {
	text := plain(err).Error()
	if errdefs.IsNotFound(err) || errdefs.IsConflict(err) {
		return engine.ExecResult{}, fmt.Errorf("%w: %s is not running", engine.ErrNotFound, id)
	}
	if result, ok := engine.NotRun(text); ok {
		return result, nil
	}
	return engine.ExecResult{}, fmt.Errorf("exec in container %s: %w", id, errors.New(text))
}
