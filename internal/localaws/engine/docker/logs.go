package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// logInterval is the time between two looks whether a container whose log ended has stopped.
const logInterval = 50 * time.Millisecond

// Logs reads the container's output from a byte offset. With follow, reading blocks for more until the container has
// stopped and all is read. Docker keeps lines: a last one without an end gets one.
func (e *Engine) Logs(ctx context.Context, id string, offset int64, follow bool) (io.ReadCloser, error) {
	ctx, cancel := e.bound(ctx)
	if _, err := e.inspect(ctx, id); err != nil {
		cancel()
		return nil, err
	}
	r, w := io.Pipe()
	copying := &logCopy{engine: e, id: id, to: w, offset: offset}
	go func() { w.CloseWithError(copying.all(ctx, follow)) }()
	return logReader{PipeReader: r, cancel: cancel}, nil
}

// logReader ends what feeds it when it is closed.
type logReader struct {
	*io.PipeReader
	cancel context.CancelFunc
}

// Close ends a blocked Read.
func (r logReader) Close() error {
	r.cancel()
	return r.PipeReader.Close()
}

// logCopy copies a container's output from an offset on.
type logCopy struct {
	engine *Engine
	id     string
	to     io.Writer
	offset int64 // what was copied
	skip   int64 // what is still to be left out of the stream that is read now
}

// all copies until all is read, following the container to its end when asked to. The end of ctx is no error.
func (l *logCopy) all(ctx context.Context, follow bool) error {
	look := time.NewTicker(logInterval)
	defer look.Stop()
	for follow {
		// Asked before reading: what was written before the end is then read below.
		c, err := l.engine.inspect(ctx, l.id)
		if errors.Is(err, engine.ErrNotFound) { // removed: there is no more to read
			return nil
		}
		if follow = err != nil || c.State.Running; !follow {
			break
		}
		if err == nil {
			err = l.once(ctx, true)
		}
		if errors.Is(err, io.ErrClosedPipe) {
			return nil
		}
		select { // the container is about to stop, or the daemon went away
		case <-ctx.Done():
			return nil
		case <-look.C:
		}
	}
	err := l.once(ctx, false)
	if ctx.Err() != nil || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	return err
}

// once reads Docker's log from its beginning, which is the only place where it can begin, and copies what is new.
func (l *logCopy) once(ctx context.Context, follow bool) error {
	stream, err := l.engine.api.ContainerLogs(ctx, l.engine.place.containerName(l.id), client.ContainerLogsOptions{
		ShowStdout: true, ShowStderr: true, Follow: follow,
	})
	there, err := found(err)
	if err != nil {
		return fmt.Errorf("logs of container %s: %w", l.id, err)
	}
	if !there {
		return fmt.Errorf("%w: %s", engine.ErrNotFound, l.id)
	}
	l.skip = l.offset
	_, err = stdcopy.StdCopy(l, l, stream)
	return errors.Join(err, stream.Close())
}

// Write leaves out what was copied before.
func (l *logCopy) Write(p []byte) (int, error) {
	if int64(len(p)) <= l.skip {
		l.skip -= int64(len(p))
		return len(p), nil
	}
	n, err := l.to.Write(p[l.skip:])
	n += int(l.skip)
	l.offset += int64(n) - l.skip
	l.skip = 0
	return n, err
}
