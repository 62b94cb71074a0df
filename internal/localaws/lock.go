package localaws

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// errHeld says that another process has the lock.
var errHeld = errors.New("the lock is held")

// pollInterval is how often what cannot be waited for is looked at.
const pollInterval = 20 * time.Millisecond

// poll looks until it is done, fails, or ctx ends.
func poll(ctx context.Context, look func() (done bool, err error)) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if done, err := look(); done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

// lock is a lock file that this process holds. The kernel gives it back when the process ends, however it ends; programs
// that the process starts do not inherit it.
type lock struct{ file *os.File }

// tryLock takes the lock and writes this process's id into it; errHeld when another one has it.
func tryLock(path string) (*lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = flock(f, true)
	if err == nil {
		err = errors.Join(f.Truncate(0), writeAt(f, strconv.Itoa(os.Getpid())+"\n"))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return &lock{f}, nil
}

func writeAt(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// waitLock takes the lock as soon as it is free; errHeld when ctx ends before.
func waitLock(ctx context.Context, path string) (*lock, error) {
	var l *lock
	err := poll(ctx, func() (done bool, err error) {
		l, err = tryLock(path)
		if errors.Is(err, errHeld) {
			return false, nil
		}
		return true, err
	})
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", errHeld, err)
	}
	return l, err
}

func (l *lock) release() { _ = l.file.Close() }

// ended says whether a server that does not answer is just ending: a dying process closes its connections a moment before
// it lets go of its lock.
func (d dir) ended(ctx context.Context, pid int) bool {
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	return nil == poll(ctx, func() (bool, error) {
		now, held, err := holder(d.serverLock())
		return !held || now != pid, err
	})
}

// holder gives the process that holds a lock; ok is false when none does. To find out it holds the lock itself for a
// moment, together with others that ask.
func holder(path string) (pid int, ok bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	err = flock(f, false)
	if err == nil {
		return 0, false, nil
	}
	if !errors.Is(err, errHeld) {
		return 0, false, err
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, false, err
	}
	pid, err = strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil { // taken a moment ago
		return 0, true, nil
	}
	return pid, true, nil
}
