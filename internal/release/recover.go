package release

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// recover puts things right after a release that did not end well: the tag goes back to what ran, rollouts that are
// still on their way are stopped, services that had moved already go back. It runs to its end also after an interrupt
// of the rest, because half a deploy helps nobody; only an interrupted watch leaves the rollout alone.
func (r *run) recover(ctx context.Context, t Target, moves []*move, tagBefore Image, failure *Failure) error {
	if failure.blind {
		return failure
	}
	switch failure.Outcome {
	case OutcomeSuperseded, OutcomeNothingRunning:
		return failure
	case OutcomeInterrupted:
		failure.Err = errors.New("interrupted: ECS goes on with what was started; run the same command again to watch it to its end, or `medusa-deploy rollback` to go back")
		return failure
	}
	safe, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTimeout)
	defer cancel()
	accused := accuse(moves)
	err := r.phase(safe, PhaseRollback, "back to what ran before", nil, func(ctx context.Context) (string, bool, error) {
		return r.goBack(ctx, t, moves, tagBefore)
	})
	// Explained only now: what a task wrote last reaches its log a moment after it stopped.
	failure.Explanation = r.explain(safe, t, moves, accused, failure)
	for _, m := range moves {
		r.result.Services = append(r.result.Services, ServiceResult{Name: m.name, Deployment: m.rollout.Deployment, From: m.from, To: r.result.Digest, Running: countRunning(m.last, Image{Repository: r.repository, Digest: r.result.Digest})})
	}
	if failure.Outcome == OutcomeTimedOut {
		return failure
	}
	if err != nil {
		failure.Outcome, failure.Exit = OutcomeFailed, ExitNotRolledBack
		failure.Err = fmt.Errorf("%w; going back failed too: %w", failure.Err, err)
		return failure
	}
	failure.Outcome, failure.Exit = OutcomeRolledBack, ExitRolledBack
	if !hadSomething(moves) {
		failure.Outcome, failure.Exit = OutcomeFailed, ExitNotRolledBack
	}
	return failure
}

func hadSomething(moves []*move) bool {
	for _, m := range moves {
		if m.from != "" {
			return true
		}
	}
	return false
}

// goBack restores the tag first, so that whatever starts a task from now on gets what ran, then every service.
func (r *run) goBack(ctx context.Context, t Target, moves []*move, tagBefore Image) (string, bool, error) {
	back := previousDigest(moves, tagBefore, r.result.Digest)
	if err := r.restoreTag(ctx, t, back); err != nil {
		return "", false, err
	}
	failures := make([]error, len(moves))
	var all sync.WaitGroup
	for i, m := range moves {
		if m.started {
			all.Go(func() { failures[i] = r.goBackService(ctx, t, m, back) })
		}
	}
	all.Wait()
	if err := errors.Join(failures...); err != nil {
		return "", false, err
	}
	back, err := r.tagWhatRuns(ctx, t, moves, back)
	if err != nil {
		return "", false, err
	}
	if back == "" {
		return "nothing ran before; :" + t.Tag + " was removed again", false, nil
	}
	return ":" + t.Tag + " → " + back.Short() + ", which runs", false, nil
}

// previousDigest is what the tag must name again: what ran, or what it named when nothing ran. When it named the failed
// image already (a release that was interrupted moved it), that is nothing.
func previousDigest(moves []*move, tagBefore Image, failed Digest) Digest {
	for _, m := range moves {
		if m.from != "" {
			if tagBefore.Is(m.from) {
				return tagBefore.Digest
			}
			return m.from
		}
	}
	if tagBefore.Digest == failed {
		return ""
	}
	return tagBefore.Digest
}

// tagWhatRuns has the last word on the tag: whatever ECS went back to is what it names.
func (r *run) tagWhatRuns(ctx context.Context, t Target, moves []*move, back Digest) (Digest, error) {
	for _, m := range moves {
		tasks, err := r.Orchestrator.Running(ctx, t.Cluster, m.name)
		if err != nil {
			return back, fmt.Errorf("look what %s runs: %w", m.name, err)
		}
		runs := commonDigest(tasks, r.repository)
		if runs == "" || runs == back {
			continue
		}
		if image, err := r.Registry.Image(ctx, t.Repository, t.Tag); err == nil && image.Is(runs) {
			continue // the tag names the index that it is a part of
		}
		return runs, r.restoreTag(ctx, t, runs)
	}
	return back, nil
}

func (r *run) restoreTag(ctx context.Context, t Target, back Digest) error {
	if back == "" {
		if err := r.Registry.Untag(ctx, t.Repository, t.Tag); err != nil {
			return fmt.Errorf("remove :%s again: %w", t.Tag, err)
		}
		return nil
	}
	if err := r.Registry.Tag(ctx, t.Repository, back, t.Tag); err != nil {
		return fmt.Errorf("put :%s back to %s: %w", t.Tag, back, err)
	}
	return nil
}

// goBackService brings one service back: a rollout in flight is stopped, and what ECS did not take back itself, because
// the rollout had succeeded or its circuit breaker does not roll back, is undone by another deployment.
func (r *run) goBackService(ctx context.Context, t Target, m *move, back Digest) error {
	o, err := r.Orchestrator.Observe(ctx, t.Cluster, m.rollout)
	if err != nil {
		return fmt.Errorf("look at %s: %w", m.name, err)
	}
	m.last = o
	if inFlight(o.Status) {
		if err := r.Orchestrator.Stop(ctx, m.rollout); err != nil {
			return fmt.Errorf("stop the rollout of %s: %w", m.name, err)
		}
	}
	if err := r.awaitEnd(ctx, t, m); err != nil {
		return err
	}
	switch m.last.Status {
	case statusRollbackSuccessful:
		return nil
	case statusRollbackFailed:
		return fmt.Errorf("%s: ECS could not roll back: %s", m.name, orElse(m.last.StatusReason, "no reason given"))
	}
	return r.undo(ctx, t, m, back)
}

// undo brings a service to what the restored tag names; without an earlier image there is nothing to bring it to.
func (r *run) undo(ctx context.Context, t Target, m *move, back Digest) error {
	if back == "" {
		return nil
	}
	rollout, err := r.Orchestrator.Deploy(ctx, t.Cluster, m.name, Change{})
	if err != nil {
		return fmt.Errorf("roll %s back: %w", m.name, err)
	}
	undone := &move{name: m.name, rollout: rollout, from: m.from}
	return r.watch(ctx, t, undone, Image{Repository: r.repository, Digest: back})
}

// awaitEnd waits until ECS has ended a rollout.
func (r *run) awaitEnd(ctx context.Context, t Target, m *move) error {
	for !ended(m.last.Status) {
		if err := pause(ctx, r.PollMin); err != nil {
			return fmt.Errorf("wait for %s to go back: %w", m.name, err)
		}
		o, err := r.Orchestrator.Observe(ctx, t.Cluster, m.rollout)
		if err != nil {
			return fmt.Errorf("wait for %s to go back: %w", m.name, err)
		}
		m.sighted(r.Emit, o)
	}
	return nil
}

// ended reports whether a service deployment in this status will not change any more.
func ended(status string) bool {
	switch status {
	case statusSuccessful, statusStopped, statusRollbackSuccessful, statusRollbackFailed:
		return true
	}
	return false
}
