package localci

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// apart puts act into a process group of its own: a terminal's ctrl-c reaches us, and we decide what becomes of act. When
// this process is killed, the kernel ends act, which ends its steps.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

// dependent ends a script when what waits for it is killed.
func dependent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM} }

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

// interruptTracked does to the processes of a run what ctrl-c does. Those that a script left in the background ignore
// that: they are told to end.
func interruptTracked(pids []int, mark string) {
	signalTracked(slices.DeleteFunc(slices.Clone(pids), ignoresInterrupt), mark, syscall.SIGINT)
	signalTracked(slices.DeleteFunc(slices.Clone(pids), func(pid int) bool { return !ignoresInterrupt(pid) }), mark, syscall.SIGTERM)
}

func ignoresInterrupt(pid int) bool {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(status), "\nSigIgn:\t")
	mask, _, _ := strings.Cut(after, "\n")
	signals, err := strconv.ParseUint(mask, 16, 64)
	return err == nil && signals>>(syscall.SIGINT-1)&1 == 1
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
