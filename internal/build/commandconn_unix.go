//go:build unix

package build

import (
	"os/exec"
	"syscall"
)

// detach puts a program that will be started into a session of its own.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }

// kill ends a detached program and what it started, as the Docker client starts its plugins.
func kill(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
