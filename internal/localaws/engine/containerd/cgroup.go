//go:build linux

package containerd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const cgroupRoot = "/sys/fs/cgroup"

// oomKills counts the processes of a container that the kernel killed for want of memory. It must be read before the
// task is deleted, because the cgroup goes with it.
func (e *Engine) oomKills(id string) int {
	for _, file := range []string{
		filepath.Join(cgroupRoot, "memory", e.layout.cgroup(), id, "memory.oom_control"), // cgroup v1
		filepath.Join(cgroupRoot, e.layout.cgroup(), id, "memory.events"),                // cgroup v2
	} {
		raw, err := os.ReadFile(file)
		if err == nil {
			return parseOOMKills(string(raw))
		}
	}
	return 0
}

// parseOOMKills reads the line "oom_kill N", which both versions of cgroups have (kernel documentation, cgroup-v1/memory
// and cgroup-v2).
func parseOOMKills(text string) int {
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == "oom_kill" {
			n, err := strconv.Atoi(fields[1])
			if err != nil {
				return 0
			}
			return n
		}
	}
	return 0
}

// cgroupDirs are the directories of the engine's cgroup: one with cgroup v2, one a controller with v1.
func (l layout) cgroupDirs() []string {
	name := strings.TrimPrefix(l.cgroup(), "/")
	dirs, err := filepath.Glob(filepath.Join(cgroupRoot, "*", name))
	if err != nil {
		return nil // only a malformed pattern fails, and this one is not
	}
	if own := filepath.Join(cgroupRoot, name); isDir(own) {
		dirs = append(dirs, own)
	}
	return dirs
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// containerProcesses finds every process in the engine's cgroup: containers and build steps.
func (l layout) containerProcesses() ([]process, error) {
	var found []process
	err := processes(func(p process, _ []string) {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", p.PID))
		if err == nil && inCgroup(string(raw), l.cgroup()) {
			found = append(found, p)
		}
	})
	return found, err
}

// inCgroup reads /proc/PID/cgroup (cgroups(7)): lines ID:CONTROLLERS:PATH.
func inCgroup(text, cgroup string) bool {
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && (parts[2] == cgroup || strings.HasPrefix(parts[2], cgroup+"/")) {
			return true
		}
	}
	return false
}

// processWeight is what the kernel gives a process that is in no cgroup, and four of them for each CPU is what all containers
// and build steps of the engine weigh together. Without it they would weigh as much as a single process of a machine that
// has no systemd to put processes into slices, and starve when it is busy: a server that boots in 4 s took minutes.
const (
	processWeight = 1024
	weightPerCPU  = 4 * processWeight
)

// weigh gives the engine's cgroup its share of the CPUs. With cgroup v2 there is nothing to do: processes share the root
// with no cgroup there, and who has v2 has slices.
func (l layout) weigh() error {
	if !isDir(filepath.Join(cgroupRoot, "cpu")) {
		return nil
	}
	dir := filepath.Join(cgroupRoot, "cpu", l.cgroup())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the engine's cgroup: %w", err)
	}
	shares := strconv.Itoa(weightPerCPU * runtime.NumCPU())
	if err := os.WriteFile(filepath.Join(dir, "cpu.shares"), []byte(shares), 0o644); err != nil {
		return fmt.Errorf("give the engine its share of the CPUs: %w", err)
	}
	return nil
}

// removeCgroups removes the engine's cgroups, children first. The kernel may need a moment after the last process is
// gone.
func (l layout) removeCgroups(ctx context.Context) error {
	var last error
	err := poll(ctx, "the kernel to give up the cgroups of "+l.cgroup(), func() bool {
		last = removeTrees(l.cgroupDirs())
		return !errors.Is(last, unix.EBUSY)
	})
	return errors.Join(err, last)
}

func removeTrees(roots []string) error {
	for _, root := range roots {
		var dirs []string
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil // what vanishes while we walk is gone, as it should be
		})
		if err != nil {
			return err
		}
		for _, dir := range slices.Backward(dirs) {
			if err := unix.Rmdir(dir); err != nil && !errors.Is(err, unix.ENOENT) {
				return fmt.Errorf("remove cgroup %s: %w", dir, err)
			}
		}
	}
	return nil
}
