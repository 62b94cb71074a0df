package engine

import (
	"strings"
	"time"
)

// ExecResult is how a command in a container ended.
type ExecResult struct {
	Code   int
	Output string // at most the last ExecOutputBytes
}

// ExecOutputBytes is how much of a command's output is kept.
const ExecOutputBytes = 4 << 10

// The exit codes that a shell and Docker give for a command that cannot be run.
const (
	ExitNotExecutable = 126
	ExitNotFound      = 127
)

// NotRun is the result of a command that the container does not have or cannot execute, as a container runtime words it;
// ok is false when the text is of something else.
func NotRun(text string) (result ExecResult, ok bool) {
	switch {
	case strings.Contains(text, "executable file not found"), strings.Contains(text, "no such file or directory"):
		return ExecResult{Code: ExitNotFound, Output: text}, true
	case strings.Contains(text, "permission denied"), strings.Contains(text, "is a directory"), strings.Contains(text, "exec format error"):
		return ExecResult{Code: ExitNotExecutable, Output: text}, true
	}
	return ExecResult{}, false
}

// drainPatience is how long output may still come after a command has ended: a child that it left behind may hold the
// pipe for ever.
const drainPatience = time.Second

// Drain waits until drained is closed, which says that all output of a command that has ended was read, and says whether
// it was before patience ran out.
func Drain(drained <-chan struct{}) bool {
	patience := time.NewTimer(drainPatience)
	defer patience.Stop()
	select {
	case <-drained:
		return true
	case <-patience.C:
		return false
	}
}
