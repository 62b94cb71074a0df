//go:build linux

package containerd

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// capability is one Linux capability that the engine cannot work without, and what for.
type capability struct {
	bit  uint
	name string
	use  string
}

func neededCapabilities() []capability {
	return []capability{
		{unix.CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "mounts and namespaces"},
		{unix.CAP_NET_ADMIN, "CAP_NET_ADMIN", "network interfaces"},
		{unix.CAP_CHOWN, "CAP_CHOWN", "file owners in images"},
		{unix.CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE", "files of other users in images"},
		{unix.CAP_FOWNER, "CAP_FOWNER", "file modes in images"},
		{unix.CAP_MKNOD, "CAP_MKNOD", "device files of containers"},
		{unix.CAP_SETUID, "CAP_SETUID", "users of containers"},
		{unix.CAP_SETGID, "CAP_SETGID", "groups of containers"},
		{unix.CAP_SYS_CHROOT, "CAP_SYS_CHROOT", "root directories of containers"},
		{unix.CAP_KILL, "CAP_KILL", "stopping containers"},
	}
}

const preflightCure = "run with sudo; or use `--engine docker`, or `--engine simulated` when only the API is needed"

// Preflight reports what this process lacks to run containers, all of it at once, and the cure. It changes nothing.
func Preflight() error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return fmt.Errorf("read this process's capabilities: %w", err)
	}
	return judge(os.Geteuid(), string(status), hasCgroups())
}

// judge names everything that is missing at once.
func judge(uid int, status string, cgroups bool) error {
	var lacks []string
	if uid != 0 {
		lacks = append(lacks, fmt.Sprintf("root (the user id is %d)", uid))
	} else {
		lacks = append(lacks, missingCapabilities(status)...)
	}
	if !cgroups {
		lacks = append(lacks, "a cgroup file system at "+cgroupRoot)
	}
	if len(lacks) == 0 {
		return nil
	}
	return fmt.Errorf("cannot run containers here: missing %s\n  %s", strings.Join(lacks, ", "), preflightCure)
}

// missingCapabilities reads CapEff of /proc/PID/status (proc(5)); an unreadable one lacks everything.
func missingCapabilities(status string) []string {
	var effective uint64
	scanner := bufio.NewScanner(strings.NewReader(status))
	for scanner.Scan() {
		if value, ok := strings.CutPrefix(scanner.Text(), "CapEff:"); ok {
			effective, _ = strconv.ParseUint(strings.TrimSpace(value), 16, 64)
		}
	}
	var missing []string
	for _, c := range neededCapabilities() {
		if effective&(1<<c.bit) == 0 {
			missing = append(missing, fmt.Sprintf("%s (%s)", c.name, c.use))
		}
	}
	return missing
}

// hasCgroups says whether containers can be limited: cgroup v2, or v1 with its memory controller.
func hasCgroups() bool {
	for _, file := range []string{"/sys/fs/cgroup/cgroup.controllers", "/sys/fs/cgroup/memory/cgroup.procs"} {
		if _, err := os.Stat(file); err == nil {
			return true
		}
	}
	return false
}
