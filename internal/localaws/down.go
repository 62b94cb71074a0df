package localaws

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/docker"
)

// killAfter is how long a server may take to stop: longer than its own limit.
const killAfter = stopLimit + 30*time.Second

// Down stops the directory's server and everything that it runs, and waits until all of it is gone. It cleans up after a
// server that was killed as well. State stays. A server that is not there is a success.
func Down(ctx context.Context, path string, log *slog.Logger) error {
	d, turn, err := take(ctx, path)
	if err != nil || turn == nil {
		return err
	}
	defer turn.release()
	return d.down(ctx, logger(log))
}

// Reset does what Down does, and removes the state: images, services, logs, credentials. Files in the directory that
// are not local AWS's stay.
func Reset(ctx context.Context, path string, log *slog.Logger) error {
	d, turn, err := take(ctx, path)
	if err != nil || turn == nil {
		return err
	}
	defer turn.release()
	if err := d.down(ctx, logger(log)); err != nil {
		return err
	}
	if err := docker.Forget(ctx, path, logger(log)); err != nil {
		return err
	}
	for _, path := range d.owned() {
		if err := os.RemoveAll(path); err != nil {
			return d.explain(fmt.Errorf("remove the state of local AWS: %w", err))
		}
	}
	if err := os.Remove(string(d)); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTEMPTY) {
		return d.explain(err)
	}
	return nil
}

// take waits for its turn to start or stop the server; turn is nil when there is no such directory.
func take(ctx context.Context, path string) (d dir, turn *lock, err error) {
	o, err := Options{Dir: path}.complete()
	if err != nil {
		return "", nil, err
	}
	d = dir(o.Dir)
	if _, err := os.Stat(o.Dir); errors.Is(err, fs.ErrNotExist) {
		return d, nil, nil
	}
	turn, err = waitLock(ctx, d.controlLock())
	if err != nil {
		return d, nil, fmt.Errorf("wait for another start or stop of local AWS: %w", d.explain(err))
	}
	return d, turn, nil
}

func logger(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

func (d dir) down(ctx context.Context, log *slog.Logger) error {
	if err := d.stopServer(ctx, log); err != nil {
		return err
	}
	// A server that stopped in order left nothing to do here.
	if err := d.tearDown(ctx, log); err != nil {
		return err
	}
	return removeIfThere(d.info())
}

// stopServer ends the process that holds the server's lock, if one does.
func (d dir) stopServer(ctx context.Context, log *slog.Logger) error {
	patience := time.NewTimer(killAfter)
	defer patience.Stop()
	var told int // the process that got the signal
	return poll(ctx, func() (done bool, err error) {
		pid, held, err := holder(d.serverLock())
		if err != nil {
			return true, d.explain(err)
		}
		if !held {
			return true, nil
		}
		if pid != told && pid != 0 {
			told = pid
			log.InfoContext(ctx, "stopping local AWS", "pid", pid)
			return false, d.signal(pid, syscall.SIGTERM)
		}
		select {
		case <-patience.C:
			log.WarnContext(ctx, "local AWS does not stop by itself; killing it", "pid", pid)
			return false, d.signal(pid, syscall.SIGKILL)
		default:
			return false, nil
		}
	})
}

// signal signals the server. The lock is looked at again once the process is held by a handle, so that a process that
// got a dead server's id is left alone.
func (d dir) signal(pid int, sig os.Signal) error {
	process, err := os.FindProcess(pid)
	if err != nil {
		return fmt.Errorf("stop local AWS (pid %d): %w", pid, err)
	}
	defer process.Release() //nolint:errcheck // a handle that is no longer needed
	if now, held, err := holder(d.serverLock()); err != nil || !held || now != pid {
		return err
	}
	if err := process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop local AWS (pid %d): %w; run as the user who started it", pid, err)
	}
	return nil
}
