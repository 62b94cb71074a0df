package localci

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// lookInterval is how often a lock that another process has is looked at: the kernel tells nobody when it is free.
const lookInterval = 50 * time.Millisecond

// lock is a file that this process holds, with a number in it. The kernel gives it back however the process ends.
type lock struct{ file *os.File }

// take takes a lock and writes a number into it; nil when another process has it.
func take(path string, number int) (*lock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	taken, err := lockFile(f)
	if err == nil && taken {
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt([]byte(strconv.Itoa(number)+"\n"), 0)
		}
	}
	if err != nil || !taken {
		_ = f.Close()
		return nil, err
	}
	return &lock{f}, nil
}

func (l *lock) release() { _ = l.file.Close() }

// holder gives the number in a lock that another process holds; ok is false when none does.
func holder(path string) (number int, ok bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	defer f.Close()
	taken, err := lockFile(f)
	if err != nil || taken {
		return 0, false, err
	}
	number, err = readNumber(path)
	return number, true, err
}

// readNumber reads a file that holds one; 0 when it is empty, or not there.
func readNumber(path string) (int, error) {
	raw, err := os.ReadFile(path)
	text := strings.TrimSpace(string(raw))
	if errors.Is(err, fs.ErrNotExist) || err == nil && text == "" {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// poll looks until it is done, fails, or ctx ends.
func poll(ctx context.Context, look func() (done bool, err error)) error {
	ticker := time.NewTicker(lookInterval)
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

// replacedError says that a newer run of the same group took this run's place in the queue.
type replacedError struct {
	group string
	by    int
}

// Error tells which run and which group.
func (e *replacedError) Error() string {
	return fmt.Sprintf("replaced by run %d, which waits for the concurrency group %q as well", e.by, e.group)
}

// enter waits until a run may be the one in progress of a concurrency group. As on GitHub one run is in progress and one is
// pending: a newer one takes the older one's place. waits is called once when it has to wait, with the run it waits for.
// https://docs.github.com/en/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
func (d Dir) enter(ctx context.Context, t turn, number int, waits func(other int)) (*lock, error) {
	sum := sha256.Sum256([]byte(t.group))
	dir := filepath.Join(d.groups(), fmt.Sprintf("%x", sum[:8]))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("wait for the concurrency group %q: %w", t.group, err)
	}
	running, pending := filepath.Join(dir, "running"), filepath.Join(dir, "pending")
	// Everyone queues, also when nothing is in progress: who came later must not overtake.
	if err := replace(pending, []byte(strconv.Itoa(number)+"\n")); err != nil {
		return nil, err
	}
	var mine *lock
	told := false
	err := poll(ctx, func() (bool, error) {
		first, err := readNumber(pending)
		if err != nil {
			return false, err
		}
		if first > number {
			return false, &replacedError{t.group, first}
		}
		if mine, err = take(running, number); mine != nil || err != nil {
			return true, err
		}
		if told {
			return false, nil
		}
		told = true
		return false, d.giveWay(running, t, waits)
	})
	if err != nil {
		return nil, err
	}
	return mine, nil
}

// giveWay says whom a run waits for, and ends that one where the group wants it.
func (d Dir) giveWay(running string, t turn, waits func(other int)) error {
	other, held, err := holder(running)
	if err != nil || !held {
		return err
	}
	waits(other)
	if t.cancel {
		return d.interrupt(other)
	}
	return nil
}
