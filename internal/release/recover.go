package release

import (
	"context"
	"errors"
	"fmt"
)

// recover puts things right after a release that did not end well: the tag goes back to what ran, rollouts that are
// still on their way are stopped, services that had moved already go back. It runs to its end also after an interrupt
// of the rest, because half a deploy helps nobody; only an interrupted watch leaves the rollout alone.
func (r *run) recover(ctx context.Context, t Target, moves []*move, tagBefore, image Image, failure *Failure) error {
	switch {
	case failure.Outcome == OutcomeInterrupted:
		r.note(moves, image)
		failure.Err = r.interrupted(image)
		return failure
	case !r.touched:
		r.note(moves, image)
		failure.Exit = ExitInternal
		failure.Err = fmt.Errorf("%w; nothing was touched", failure.Err)
		return failure
	case failure.blind, failure.Outcome == OutcomeSuperseded, failure.Outcome == OutcomeNothingRunning:
		r.note(moves, image)
		return failure
	}
	safe, cancel := context.WithTimeout(context.WithoutCancel(ctx), recoverTimeout)
	defer cancel()
	accused := accuse(moves)
	err := r.phase(safe, PhaseRollback, "back to what ran before", nil, func(ctx context.Context) (string, bool, error) {
		return r.goBack(ctx, t, moves, tagBefore, image)
	})
	// Explained only now: what a task wrote last reaches its log a moment after it stopped.
	failure.Explanation = r.explain(safe, t, moves, accused, failure)
	r.note(moves, image)
	return judgeRecovery(moves, failure, err)
}

// interrupted says what goes on without us, and how to come back to it.
func (r *run) interrupted(image Image) error {
	if !r.touched {
		return errors.New("interrupted: nothing was touched; run the same command again")
	}
	if r.backwards { // without a target, rolling back once more would go further back
		return fmt.Errorf("interrupted: ECS goes on with what was started; watch it to its end with: medusa-deploy rollback --to %s", image.Digest)
	}
	return errors.New("interrupted: ECS goes on with what was started; run the same command again to watch it to its end, or `medusa-deploy rollback` to go back")
}

// note adds the services to the result of a release that failed.
func (r *run) note(moves []*move, image Image) {
	for _, m := range moves {
		r.result.Services = append(r.result.Services, ServiceResult{Name: m.name, Deployment: m.rollout.Deployment, From: m.from, To: image.Digest, Running: countRunning(m.last, image)})
	}
}

// errOvertaken says that another release has taken the target over: what it does is not ours to undo.
var errOvertaken = errors.New("another release took over")

// judgeRecovery turns what went wrong, and what came of going back, into the outcome.
func judgeRecovery(moves []*move, failure *Failure, err error) *Failure {
	switch {
	case errors.Is(err, errOvertaken):
		failure.Outcome, failure.Exit = OutcomeSuperseded, ExitSuperseded
		failure.Err = fmt.Errorf("%w; %w", failure.Err, err)
	case err != nil:
		failure.Outcome, failure.Exit = OutcomeFailed, ExitNotRolledBack
		failure.Err = fmt.Errorf("%w; going back failed too: %w\n  see what runs: medusa-deploy status; then: medusa-deploy rollback", failure.Err, err)
	case failure.Outcome == OutcomeTimedOut:
	case hadSomething(moves):
		failure.Outcome, failure.Exit = OutcomeRolledBack, ExitRolledBack
	default:
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
func (r *run) goBack(ctx context.Context, t Target, moves []*move, tagBefore, image Image) (string, bool, error) {
	back := previousDigest(moves, tagBefore, image)
	if err := r.restoreTag(ctx, t, back, image); err != nil {
		return "", false, err
	}
	if err := together(moves, func(i int) error { return r.goBackMove(ctx, t, moves[i], back, image) }); err != nil {
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
func previousDigest(moves []*move, tagBefore, failed Image) Digest {
	for _, m := range moves {
		if m.from != "" && !m.already {
			if tagBefore.Is(m.from) {
				return tagBefore.Digest
			}
			return m.from
		}
	}
	if tagBefore.Digest == failed.Digest {
		return ""
	}
	return tagBefore.Digest
}

// restoreTag puts the tag back, as long as it names the image that failed: any other was put there by somebody else.
func (r *run) restoreTag(ctx context.Context, t Target, back Digest, image Image) error {
	if r.tagStays {
		return nil
	}
	now, err := r.tagged(ctx, t)
	if err != nil {
		return err
	}
	if now.Digest != image.Digest && now.Digest != back {
		return fmt.Errorf("%w: :%s names %s now", errOvertaken, t.Tag, orElse(now.Digest.Short(), "nothing"))
	}
	return r.setTag(ctx, t, back)
}

func (r *run) setTag(ctx context.Context, t Target, back Digest) error {
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

// tagWhatRuns has the last word on the tag: whatever ECS went back to is what it names.
func (r *run) tagWhatRuns(ctx context.Context, t Target, moves []*move, back Digest) (Digest, error) {
	if r.tagStays {
		return back, nil
	}
	for _, m := range moves {
		tasks, err := r.Orchestrator.Running(ctx, t.Cluster, m.name)
		if err != nil {
			return back, fmt.Errorf("look what %s runs: %w", m.name, err)
		}
		runs := commonDigest(tasks, r.repository)
		if runs == "" || runs == back {
			continue
		}
		now, err := r.tagged(ctx, t)
		switch {
		case err != nil:
			return back, err
		case now.Is(runs):
			continue // the tag names the index that it is a part of
		case now.Digest != back:
			return back, fmt.Errorf("%w: :%s names %s now", errOvertaken, t.Tag, orElse(now.Digest.Short(), "nothing"))
		}
		return runs, r.setTag(ctx, t, runs)
	}
	return back, nil
}

// goBackMove brings back what has moved. A service that an interrupted release had moved before this one goes with the
// others when they run what it ran right before.
func (r *run) goBackMove(ctx context.Context, t Target, m *move, back Digest, image Image) error {
	if m.started {
		return r.goBackService(ctx, t, m, back, image)
	}
	if !m.already || back == "" {
		return nil
	}
	past, err := r.Orchestrator.Past(ctx, t.Cluster, m.name)
	if err != nil {
		return fmt.Errorf("history of %s: %w", m.name, err)
	}
	before := earlier(past, image.Digest, image.Repository)
	if len(before) == 0 || before[0] != back {
		return nil
	}
	for _, p := range past {
		if p.Status == statusSuccessful && p.digest(image.Repository) == back {
			m.from, m.fromDefinition = back, p.TaskDefinition
			return r.undo(ctx, t, m, back)
		}
	}
	return nil
}

// goBackService brings one service back: a rollout in flight is stopped, and what ECS did not take back itself, because
// the rollout had succeeded or its circuit breaker does not roll back, is undone by another deployment.
func (r *run) goBackService(ctx context.Context, t Target, m *move, back Digest, image Image) error {
	o, err := r.Orchestrator.Observe(ctx, t.Cluster, m.rollout)
	if err != nil {
		return fmt.Errorf("look at %s: %w", m.name, err)
	}
	m.last = o
	if o.Newer != nil || !o.brings(image) {
		return fmt.Errorf("%w: %s is rolling out something else", errOvertaken, m.name)
	}
	if inFlight(o.Status) {
		if err := r.Orchestrator.Stop(ctx, m.rollout); err != nil {
			return fmt.Errorf("stop the rollout of %s: %w", m.name, err)
		}
	}
	if err := r.awaitEnd(ctx, t, m); err != nil {
		return err
	}
	switch {
	case m.last.Newer != nil:
		return fmt.Errorf("%w: %s is rolling out something else", errOvertaken, m.name)
	case m.last.Status == statusRollbackSuccessful:
		return nil
	case m.last.Status == statusRollbackFailed:
		return fmt.Errorf("%s: ECS could not roll back: %s", m.name, orElse(m.last.StatusReason, "no reason given"))
	}
	return r.undo(ctx, t, m, back)
}

// brings reports whether the deployment that was looked at is the image's, as far as ECS has resolved it.
func (o Observation) brings(image Image) bool {
	d := containerDigest(o.Refs, o.Resolved, image.Repository)
	return d == "" || image.Is(d)
}

// undo brings a service to what the restored tag names, with the task definition that it had; without an earlier image
// there is nothing to bring it to.
func (r *run) undo(ctx context.Context, t Target, m *move, back Digest) error {
	if back == "" {
		return nil
	}
	rollout, err := r.Orchestrator.Deploy(ctx, t.Cluster, m.name, Change{TaskDefinition: m.fromDefinition})
	if err != nil {
		return fmt.Errorf("roll %s back: %w", m.name, err)
	}
	undone := &move{name: m.name, rollout: rollout, from: m.from}
	t.Settle = 0 // what ran before has shown that it runs
	err = r.watch(ctx, t, undone, Image{Repository: r.repository, Digest: back})
	var f *Failure
	if errors.As(err, &f) && f.Outcome == OutcomeSuperseded {
		return fmt.Errorf("%w: %w", errOvertaken, err)
	}
	return err
}

// awaitEnd waits until ECS has ended a rollout, or another one has overtaken it.
func (r *run) awaitEnd(ctx context.Context, t Target, m *move) error {
	for !ended(m.last.Status) && m.last.Newer == nil {
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
