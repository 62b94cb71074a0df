package release

import (
	"context"
	"errors"
	"fmt"
)

// Exit codes of the program.
const (
	ExitDone          = 0
	ExitInternal      = 1
	ExitUsage         = 2
	ExitCheck         = 3
	ExitBuild         = 4
	ExitMigration     = 5
	ExitRolledBack    = 6
	ExitNotRolledBack = 7
	ExitSuperseded    = 8
	ExitTimedOut      = 9
	ExitInterrupted   = 130
)

// Failure is a release that did not end well: what it amounts to, the exit code, and why.
type Failure struct {
	Outcome     Outcome
	Exit        int
	Err         error
	Explanation *Explanation
	blind       bool // the rollout could not be looked at: nothing is known of it, so nothing is undone
}

// Error is the cause.
func (f *Failure) Error() string { return f.Err.Error() }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Err }

func failf(outcome Outcome, exit int, format string, args ...any) *Failure {
	return &Failure{Outcome: outcome, Exit: exit, Err: fmt.Errorf(format, args...)}
}

// asFailure makes any error a Failure: an interrupt keeps its own exit code, whatever it interrupted.
func asFailure(ctx context.Context, err error, outcome Outcome, exit int) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return &Failure{Outcome: OutcomeInterrupted, Exit: ExitInterrupted, Err: errors.New("interrupted")}
	}
	return &Failure{Outcome: outcome, Exit: exit, Err: err, Explanation: explainBuild(err)}
}
