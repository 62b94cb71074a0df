//go:build linux

package containerd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is how often something is looked at that the kernel does not announce.
const pollInterval = 20 * time.Millisecond

// process identifies a running process beyond the reuse of its number.
type process struct {
	PID   int    `json:"pid"`
	Start uint64 `json:"start"` // clock ticks since boot, field 22 of /proc/PID/stat
	Exe   string `json:"exe"`
}

// inspect reads the identity of pid; ok is false when there is no such process or it is a zombie.
func inspect(pid int) (p process, ok bool) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, false
	}
	state, start, err := parseStat(stat)
	if err != nil || state == 'Z' || state == 'X' {
		return process{}, false
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return process{}, false
	}
	return process{PID: pid, Start: start, Exe: strings.TrimSuffix(exe, " (deleted)")}, true
}

// parseStat reads state and start time. The command name in parentheses may hold anything, so fields count from its end.
func parseStat(stat []byte) (state byte, start uint64, err error) {
	end := bytes.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, 0, errors.New("no command name in process status")
	}
	fields := strings.Fields(string(stat[end+1:]))
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("process status has %d fields after the name, want at least 20", len(fields))
	}
	start, err = strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("start time of process: %w", err)
	}
	return fields[0][0], start, nil
}

func (p process) alive() bool {
	now, ok := inspect(p.PID)
	return ok && now.Start == p.Start
}

// signal sends sig if the process is still the one that was identified.
func (p process) signal(sig unix.Signal) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer func() { _ = unix.Close(fd) }()
	if !p.alive() { // the descriptor now pins whatever has this number
		return nil
	}
	if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}

// stop asks the process to end, waits up to grace, and then kills it.
func (p process) stop(ctx context.Context, grace time.Duration) error {
	if err := p.signal(unix.SIGTERM); err != nil {
		return err
	}
	asked, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	if p.waitGone(asked) == nil {
		return nil
	}
	return p.kill(ctx)
}

// kill ends the process at once and waits until it is gone.
func (p process) kill(ctx context.Context) error {
	if err := p.signal(unix.SIGKILL); err != nil {
		return err
	}
	return p.waitGone(ctx)
}

func (p process) waitGone(ctx context.Context) error {
	return poll(ctx, fmt.Sprintf("process %d (%s) to end", p.PID, filepath.Base(p.Exe)), func() bool { return !p.alive() })
}

// poll waits until done says so or ctx ends; what completes "waiting for".
func poll(ctx context.Context, what string, done func() bool) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		case <-ticker.C:
		}
	}
	return nil
}

// readProcess reads a pid file; ok is false when there is none or its process is not running any more.
func readProcess(file string) (p process, ok bool) {
	raw, err := os.ReadFile(file)
	if err != nil || json.Unmarshal(raw, &p) != nil || p.PID <= 0 {
		return process{}, false
	}
	now, ok := inspect(p.PID)
	return p, ok && now == p
}

// processes calls f for every process that can be inspected, with its arguments.
func processes(f func(p process, args []string)) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return fmt.Errorf("list processes: %w", err)
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		p, ok := inspect(pid)
		if !ok {
			continue
		}
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			continue // it ended meanwhile
		}
		f(p, strings.Split(strings.TrimSuffix(string(raw), "\x00"), "\x00"))
	}
	return nil
}

// writeJSON replaces file as a whole, so that a reader or a crash sees the old or the new, never a half.
func writeJSON(file string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode %s: %w", file, err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	defer func() { _ = os.Remove(tmp.Name()) }() // gone already when the rename succeeded
	_, err = tmp.Write(raw)
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(tmp.Name(), file); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

// readJSON reads what writeJSON wrote.
func readJSON(file string, value any) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, value); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
