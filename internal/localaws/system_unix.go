//go:build unix

package localaws

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// flock takes an advisory lock on an open file, alone or shared with others; errHeld when it cannot now.
func flock(f *os.File, alone bool) error {
	how := unix.LOCK_SH
	if alone {
		how = unix.LOCK_EX
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return errHeld
		case err != nil:
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		return nil
	}
}

// ownSession makes a process live on when the terminal that it was started from goes away.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// inherited opens a file descriptor that the parent process passed on, and keeps it from children.
func inherited(fd uintptr) *os.File {
	unix.CloseOnExec(int(fd))
	return os.NewFile(fd, "readiness pipe")
}
