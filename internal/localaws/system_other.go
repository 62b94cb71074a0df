//go:build !unix

package localaws

import (
	"errors"
	"os"
	"syscall"
)

// flock reports that local AWS cannot run on this system.
func flock(*os.File, bool) error {
	return errors.New("local AWS needs Linux: run it in a Linux virtual machine")
}

func ownSession() *syscall.SysProcAttr { return nil }

func inherited(fd uintptr) *os.File { return os.NewFile(fd, "readiness pipe") }
