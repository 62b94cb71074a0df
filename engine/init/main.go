//go:build linux

// Command init is the first process of a container whose task asks for one (initProcessEnabled in a task definition's
// linuxParameters): it starts the command that follows, passes every signal on to it, collects the processes that lose
// their parent, and ends as the command does. Docker and ECS put tini there, which is no Go module.
//
//	init [--] COMMAND [ARGUMENT ...]
package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// The exit codes of a command that cannot be started, as shells have them.
const (
	exitUsage   = 2
	exitCannot  = 126
	exitMissing = 127
	exitSignal  = 128 // plus the signal that ended the command
)

// waitingSignals is how many signals may come while the command has not started.
const waitingSignals = 64

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "init: no command")
		return exitUsage
	}
	signals := make(chan os.Signal, waitingSignals)
	signal.Notify(signals)
	child, err := start(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return exitMissing
		}
		return exitCannot
	}
	go forward(signals, child)
	return reap(child)
}

func start(args []string) (pid int, err error) {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return 0, err
	}
	pid, err = syscall.ForkExec(path, args, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pid, nil
}

// forward passes signals on, but for those that are about this process: a child that ended, and the Go runtime's own.
func forward(signals <-chan os.Signal, child int) {
	for s := range signals {
		if number, ok := s.(syscall.Signal); ok && number != syscall.SIGCHLD && number != syscall.SIGURG {
			_ = syscall.Kill(child, number) // that it has just ended is what reap sees
		}
	}
}

// reap collects whatever ends until the child does, and gives its exit code.
func reap(child int) int {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			fmt.Fprintln(os.Stderr, "init: wait:", err)
			return exitCannot
		case pid == child && status.Signaled():
			return exitSignal + int(status.Signal())
		case pid == child:
			return status.ExitStatus()
		}
	}
}
