//go:build linux

package containerd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse says that another process has the engine of this directory open.
var ErrInUse = errors.New("the container engine is in use by another process")

// lockPatience covers the moment in which a process that was killed still holds its lock.
const lockPatience = 2 * time.Second

// lock makes this process the one that runs the engine of this directory. The kernel gives the lock back when the
// process dies. ErrInUse.
func (l layout) lock(ctx context.Context) (unlock func(), err error) {
	f, err := os.OpenFile(l.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the engine: %w", err)
	}
	patience, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	var failed error
	err = poll(patience, "the lock on "+l.dir, func() bool {
		failed = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		return !errors.Is(failed, unix.EWOULDBLOCK)
	})
	switch {
	case err != nil && ctx.Err() == nil:
		err = fmt.Errorf("%w: %s; stop it first", ErrInUse, l.dir)
	case err == nil:
		err = failed
	}
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("lock the engine: %w", err)
	}
	return sync.OnceFunc(func() { _ = f.Close() }), nil
}

// lockAddresses keeps other engines on this machine from choosing a subnet at the same time. The name is an abstract
// socket's: per network namespace, as addresses are, and gone with the process.
func lockAddresses(ctx context.Context) (unlock func(), err error) {
	var listener net.Listener
	var failed error
	err = poll(ctx, "another engine that chooses its subnet", func() bool {
		listener, failed = (&net.ListenConfig{}).Listen(ctx, "unix", "@medusa-deploy-subnet")
		return !errors.Is(failed, unix.EADDRINUSE)
	})
	if err = errors.Join(err, failed); err != nil {
		if listener != nil {
			_ = listener.Close()
		}
		return nil, fmt.Errorf("lock the choice of a subnet: %w", err)
	}
	return func() { _ = listener.Close() }, nil
}
