//go:build linux

package containerd

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/containerd/v2/pkg/cio"
)

// logStreams has the shim append both of a container's streams to one file.
//
// containerd's own file:// does that through one open file, which the end of the first stream closes: what the other one
// wrote last is lost then, and that is mostly why the program died. Two names of the file are two open files.
func logStreams(path string) cio.Creator {
	return func(string) (cio.IO, error) {
		file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err != nil {
			return nil, fmt.Errorf("make the log: %w", err)
		}
		if err := file.Close(); err != nil {
			return nil, fmt.Errorf("make the log: %w", err)
		}
		again := filepath.Dir(path) + "/./" + filepath.Base(path)
		return shimStreams{cio.Config{Stdout: path, Stderr: again}}, nil
	}
}

// shimStreams are copied by the shim: there is nothing to wait for or to close here.
type shimStreams struct{ config cio.Config }

func (s shimStreams) Config() cio.Config { return s.config }
func (shimStreams) Cancel()              {}
func (shimStreams) Wait()                {}
func (shimStreams) Close() error         { return nil }
