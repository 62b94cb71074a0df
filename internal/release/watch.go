package release

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// verify watches every rollout until all are green, or one is not.
func (r *run) verify(ctx context.Context, t Target, moves []*move, image Image) error {
	watching := ctx
	if t.Timeout > 0 {
		deadline, cancel := context.WithTimeoutCause(ctx, t.Timeout, errTimedOut)
		defer cancel()
		watching = deadline
	}
	watching, stop := context.WithCancel(watching)
	defer stop()
	failures := make([]error, len(moves))
	var all sync.WaitGroup
	for i, m := range moves {
		all.Go(func() {
			if failures[i] = r.watch(watching, t, m, image); failures[i] != nil {
				stop() // one failed rollout decides the release
			}
		})
	}
	all.Wait()
	return r.worst(ctx, t, failures)
}

var errTimedOut = errors.New("timed out")

// worst picks the failure that decides: a real one before those that only stopped because of it.
func (r *run) worst(ctx context.Context, t Target, failures []error) error {
	var cancelled error
	for _, err := range failures {
		var f *Failure
		switch {
		case err == nil:
		case errors.As(err, &f):
			return f
		case errors.Is(err, errTimedOut):
			return failf(OutcomeTimedOut, ExitTimedOut, "the rollout did not end within %s", t.Timeout)
		default:
			cancelled = err
		}
	}
	if cancelled == nil {
		return nil
	}
	f := asFailure(ctx, cancelled, OutcomeFailed, ExitNotRolledBack)
	f.blind = f.Outcome == OutcomeFailed
	return f
}

// watch looks at one rollout until it is decided: nil when green, a *Failure when not.
func (r *run) watch(ctx context.Context, t Target, m *move, image Image) error {
	wait := r.PollMin
	for {
		o, err := r.Orchestrator.Observe(ctx, t.Cluster, m.rollout)
		if err != nil {
			return stoppedBy(ctx, fmt.Errorf("watch %s: %w", m.name, err))
		}
		moved := m.sighted(r.Emit, o)
		m.verdict = Judge(o, m.rollout, image, r.MaxFatalStops)
		switch m.verdict.Decision {
		case DecisionGreen:
			return nil
		case DecisionWait:
		default:
			return verdictFailure(m)
		}
		if moved {
			wait = r.PollMin
		}
		if err := pause(ctx, wait); err != nil {
			return stoppedBy(ctx, err)
		}
		wait = min(wait*5/4, r.PollMax)
	}
}

// stoppedBy gives the reason why a watch's context ended, when it is the reason for err.
func stoppedBy(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

func verdictFailure(m *move) *Failure {
	switch m.verdict.Decision {
	case DecisionSuperseded:
		return failf(OutcomeSuperseded, ExitSuperseded, "%s: %s", m.name, m.verdict.Reason)
	case DecisionNothing:
		return failf(OutcomeNothingRunning, ExitNotRolledBack, "%s: %s", m.name, m.verdict.Reason)
	case DecisionRolledBack, DecisionGivenUp:
		return failf(OutcomeRolledBack, ExitRolledBack, "%s: %s", m.name, m.verdict.Reason)
	default:
		return failf(OutcomeFailed, ExitNotRolledBack, "%s: %s", m.name, m.verdict.Reason)
	}
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// sightings turns looks at a rollout into events: each fact once.
type sightings struct {
	emit     Emit
	m        *move
	progress RolloutProgress
	messages map[string]bool
	stopped  map[string]bool
}

// sighted notes a look at the move's rollout, reports what is new in it, and tells whether anything moved.
func (m *move) sighted(emit Emit, o Observation) bool {
	if m.seen == nil {
		m.seen = &sightings{emit: emit, m: m, messages: map[string]bool{}, stopped: map[string]bool{}}
	}
	m.last = o
	return m.seen.report(o)
}

// report emits what is new and tells whether anything moved.
func (s *sightings) report(o Observation) bool {
	now := RolloutProgress{Service: s.m.name, Status: o.Status, Desired: o.Desired, Pending: o.Pending, Running: o.Running, Failed: o.Failed}
	moved := now != s.progress
	if moved {
		s.progress = now
		s.emit(now)
	}
	for _, msg := range o.Messages {
		key := msg.At.String() + msg.Text
		if !s.messages[key] {
			s.messages[key] = true
			s.emit(msg)
		}
	}
	for _, t := range o.Tasks {
		if t.StartedBy != s.m.rollout.StartedBy || t.LastStatus != "STOPPED" || s.stopped[t.ID] {
			continue
		}
		s.stopped[t.ID] = true
		moved = true
		s.emit(TaskStopped{Service: s.m.name, Task: t.ID, StopCode: t.StopCode, Reason: t.StoppedReason, ExitCode: t.exitCode()})
	}
	return moved
}

// exitCode is the first container's that has one other than 0, or else the first.
func (t Task) exitCode() *int {
	var first *int
	for _, c := range t.Containers {
		if c.ExitCode == nil {
			continue
		}
		if *c.ExitCode != 0 {
			return c.ExitCode
		}
		if first == nil {
			first = c.ExitCode
		}
	}
	return first
}
