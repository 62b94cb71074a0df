//go:build unix

package localci

import (
	"errors"
	"os"
	"syscall"
)

// lockFile takes a file for this process alone, without waiting; taken is false when another one has it.
func lockFile(f *os.File) (taken bool, err error) {
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
