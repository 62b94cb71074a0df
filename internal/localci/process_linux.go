package localci

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// apart puts act into a process group of its own: a terminal's ctrl-c reaches us, and we decide what becomes of act. When
// this process is killed, the kernel ends act, which ends its steps.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// trackingVariable marks the processes of a run, as it does on GitHub's runners. Steps hand it down to what they start,
// however that detaches itself.
const trackingVariable = "RUNNER_TRACKING_ID"

// tracked are the live processes that carry a mark.
func tracked(mark string) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err == nil && pid != os.Getpid() && carries(pid, mark) {
			found = append(found, pid)
		}
	}
	return found
}

// carries says whether a process has the mark in its environment. One that has ended has no environment any more.
func carries(pid int, mark string) bool {
	environment, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false
	}
	return slices.ContainsFunc(bytes.Split(environment, []byte{0}), func(pair []byte) bool {
		return string(pair) == trackingVariable+"="+mark
	})
}

// signalTracked signals the processes of a run. The mark is looked at again once a process is held by a handle, so that one
// that got a dead one's id is left alone.
func signalTracked(pids []int, mark string, signal os.Signal) {
	for _, pid := range pids {
		process, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		if carries(pid, mark) {
			_ = process.Signal(signal) // it may have ended meanwhile
		}
		_ = process.Release()
	}
}
