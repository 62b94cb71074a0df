//go:build linux

package containerd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// logInterval is how often a followed log is looked at for more.
const logInterval = 25 * time.Millisecond

// Logs reads the container's output from a byte offset. With follow, reading blocks for more until the container has
// stopped and all is read.
func (e *Engine) Logs(ctx context.Context, id string, offset int64, follow bool) (io.ReadCloser, error) {
	var record containerRecord
	if err := e.record(id, &record); err != nil {
		return nil, err
	}
	f, err := os.Open(e.layout.logFile(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", engine.ErrNotFound, id)
	}
	if err != nil {
		return nil, fmt.Errorf("logs of container %s: %w", id, err)
	}
	if !follow {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("logs of container %s from %d: %w", id, offset, err)
		}
		return f, nil
	}
	ctx, cancel := e.bound(ctx)
	return &logFollower{ctx: ctx, cancel: cancel, file: f, offset: offset, watch: e.watch(id)}, nil
}

// logFollower reads a file that grows until the container has stopped.
type logFollower struct {
	ctx    context.Context
	cancel context.CancelFunc
	file   *os.File
	watch  *watch
	close  sync.Once

	offset int64
}

// Read returns io.EOF when the container has stopped and all is read, or when the context of Logs has ended.
func (f *logFollower) Read(p []byte) (int, error) {
	var tick *time.Ticker
	for {
		last := f.watch.stopped() // asked first: what was written before the end is then read below
		n, err := f.file.ReadAt(p, f.offset)
		f.offset += int64(n)
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if f.ctx.Err() != nil || last {
			return 0, io.EOF
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, err
		}
		if tick == nil {
			tick = time.NewTicker(logInterval)
			defer tick.Stop()
		}
		select {
		case <-f.ctx.Done():
		case <-f.watch.done:
		case <-tick.C:
		}
	}
}

// Close ends a blocked Read.
func (f *logFollower) Close() error {
	var err error
	f.close.Do(func() {
		f.cancel()
		err = f.file.Close()
	})
	return err
}
