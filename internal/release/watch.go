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
	var failures []error
	if t.InTurn {
		failures = []error{r.verifyInTurn(watching, t, moves, image)}
	} else {
		failures = r.verifyTogether(watching, t, moves, image)
	}
	if err := r.worst(ctx, t, failures); err != nil {
		return err
	}
	return r.stillOurs(ctx, t, image)
}

func (r *run) verifyTogether(ctx context.Context, t Target, moves []*move, image Image) []error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	failures := make([]error, len(moves))
	var all sync.WaitGroup
	for i, m := range moves {
		if !m.started {
			continue // it runs the image already
		}
		all.Go(func() {
			if failures[i] = r.watch(watching, t, m, image); failures[i] != nil {
				stop() // one failed rollout decides the release
			}
		})
	}
	all.Wait()
	return failures
}

// verifyInTurn starts each rollout when the one before it is green.
func (r *run) verifyInTurn(ctx context.Context, t Target, moves []*move, image Image) error {
	for _, m := range moves {
		if m.already {
			continue
		}
		if !m.started {
			if err := ctx.Err(); err != nil {
				return stoppedBy(ctx, err)
			}
			if err := r.startRollout(context.WithoutCancel(ctx), t, m, image); err != nil {
				return failf(OutcomeFailed, ExitNotRolledBack, "%w", err)
			}
		}
		if err := r.watch(ctx, t, m, image); err != nil {
			return err
		}
	}
	return nil
}

// stillOurs makes sure that no other release has taken the tag while the last task settled: what it names must be what
// runs.
func (r *run) stillOurs(ctx context.Context, t Target, image Image) error {
	if r.tagStays {
		return nil
	}
	now, err := r.tagged(ctx, t)
	if err != nil {
		f := asFailure(ctx, err, OutcomeFailed, ExitNotRolledBack)
		f.blind = f.Outcome == OutcomeFailed
		return f
	}
	if !now.names(image) {
		return failf(OutcomeSuperseded, ExitSuperseded, "another release moved :%s to %s in the last moment", t.Tag, orElse(now.Digest.Short(), "nothing"))
	}
	return nil
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

// maxReclaims is how often a release that holds the tag starts a rollout again that another one has overtaken.
const maxReclaims = 2

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
			left, err := r.settle(t, m, image)
			if left <= 0 || err != nil {
				return err
			}
			wait = min(wait, left)
		case DecisionWait:
		case DecisionFollow:
			moved = true
			m.rollout = o.Newer.Rollout
			r.Emit(RolloutStarted{Service: m.name, Deployment: m.rollout.Deployment, From: m.from, To: image.Digest, Attached: true})
		case DecisionSuperseded:
			moved = true
			if err := r.reclaim(ctx, t, m, image); err != nil {
				return stoppedBy(ctx, err)
			}
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

// settle gives how long the tasks of a green rollout still have to run before it counts. Tasks that keep stopping
// meanwhile, although ECS calls the deployment successful, doom it.
func (r *run) settle(t Target, m *move, image Image) (time.Duration, error) {
	left := m.unsettled(image, t.Settle)
	if left <= 0 {
		return 0, nil
	}
	if n, sample := fatalStops(m.last, m.rollout); n >= r.MaxFatalStops {
		m.verdict = Verdict{DecisionDoomed, fmt.Sprintf("%d tasks stopped for the same reason after ECS had called the deployment successful: %s", n, sample)}
		return 0, verdictFailure(m)
	}
	if !m.seen.settling {
		m.seen.settling = true
		r.Emit(Notice{Level: "info", Text: fmt.Sprintf("%s: every task runs it; they have to stay for %s (settle)", m.name, left.Round(time.Second/10))})
	}
	return left, nil
}

// reclaim decides between two releases at once: the tag names the image of the one that wins. Ours, when it is that one,
// starts its rollout again.
func (r *run) reclaim(ctx context.Context, t Target, m *move, image Image) error {
	if m.reclaims == maxReclaims || r.tagStays {
		return verdictFailure(m)
	}
	now, err := r.tagged(ctx, t)
	if err != nil {
		return err
	}
	if !now.names(image) {
		return verdictFailure(m)
	}
	m.reclaims++
	if m.rollout, err = r.Orchestrator.Deploy(ctx, t.Cluster, m.name, m.change); err != nil {
		return fmt.Errorf("start the rollout of %s again: %w", m.name, err)
	}
	r.Emit(RolloutStarted{Service: m.name, Deployment: m.rollout.Deployment, From: m.from, To: image.Digest})
	return nil
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
	running  map[string]time.Time // by task id: since when, by this machine's clock
	looks    int
	settling bool // it was said that tasks have to stay
}

// sighted notes a look at the move's rollout, reports what is new in it, and tells whether anything moved.
func (m *move) sighted(emit Emit, o Observation) bool {
	if m.seen == nil {
		m.seen = &sightings{emit: emit, m: m, messages: map[string]bool{}, stopped: map[string]bool{}, running: map[string]time.Time{}}
	}
	m.last = o
	return m.seen.report(o)
}

// report emits what is new and tells whether anything moved.
func (s *sightings) report(o Observation) bool {
	now := RolloutProgress{Service: s.m.name, Status: o.Status, Stage: o.Stage, Desired: o.Desired, Pending: o.Pending, Running: o.Running, Failed: o.Failed}
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
	s.noteRunning(o)
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

// noteRunning notes since when tasks have been running. Those that a first look finds have been for as long as ECS says;
// later ones are timed by this machine's clock, because the two may differ.
func (s *sightings) noteRunning(o Observation) {
	s.looks++
	now := time.Now()
	for _, t := range o.Tasks {
		if _, known := s.running[t.ID]; known || !t.serving() {
			continue
		}
		s.running[t.ID] = now
		if s.looks == 1 && !t.Started.IsZero() && t.Started.Before(now) {
			s.running[t.ID] = t.Started
		}
	}
}

// unsettled is how long the tasks that run the image still have to run until each has run for settle.
func (m *move) unsettled(image Image, settle time.Duration) time.Duration {
	left, now := time.Duration(0), time.Now()
	for _, t := range m.last.Tasks {
		if t.serving() && image.Is(t.Digest(image.Repository)) {
			left = max(left, settle-now.Sub(m.seen.running[t.ID]))
		}
	}
	return left
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
