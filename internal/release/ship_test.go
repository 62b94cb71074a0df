package release

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var cleanCommit = Commit{SHA: "c0ffee0123456789c0ffee0123456789c0ffee01", Time: time.Unix(1700000000, 0)}

func shipRequest(services ...string) ShipRequest {
	return ShipRequest{Target: target(services...), Commit: cleanCommit}
}

// bubble runs f in a synctest bubble: the waits of the watch cost nothing.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

func TestShip(t *testing.T) {
	const svc = "medusa-service"
	tests := map[string]struct {
		runs        Digest
		plan        []string
		prepare     func(w *world)
		outcome     Outcome
		exit        int
		latest      Digest
		running     Digest
		explanation string
	}{
		"to verified running": {runs: oldDigest, outcome: OutcomeSucceeded, latest: newDigest, running: newDigest},
		"doomed by crashes: stopped, back": {runs: oldDigest, plan: []string{statusInProgress, "crash"},
			outcome: OutcomeRolledBack, exit: ExitRolledBack, latest: oldDigest, running: oldDigest, explanation: "ended by itself with exit code 1"},
		"ECS's breaker was first": {runs: oldDigest, plan: []string{statusInProgress, statusRollbackInProgress, statusRollbackSuccessful},
			outcome: OutcomeRolledBack, exit: ExitRolledBack, latest: oldDigest, running: oldDigest},
		"ECS's breaker does not roll back: undone by us": {runs: oldDigest, plan: []string{statusInProgress, statusStopped},
			outcome: OutcomeRolledBack, exit: ExitRolledBack, latest: oldDigest, running: oldDigest},
		"rollback failed": {runs: oldDigest, plan: []string{statusRollbackFailed},
			outcome: OutcomeFailed, exit: ExitNotRolledBack, latest: oldDigest, running: oldDigest},
		"never ends": {runs: oldDigest, plan: []string{statusInProgress},
			outcome: OutcomeTimedOut, exit: ExitTimedOut, latest: oldDigest, running: oldDigest},
		"first release fails": {runs: "", plan: []string{"crash"},
			outcome: OutcomeFailed, exit: ExitNotRolledBack, latest: "", running: ""},
		"superseded leaves the tag to the newer one": {runs: oldDigest, plan: []string{statusInProgress},
			prepare: func(w *world) { w.overtake(svc, subDigest) },
			outcome: OutcomeSuperseded, exit: ExitSuperseded, latest: subDigest, running: oldDigest},
		"cannot look: nothing is undone": {runs: oldDigest,
			prepare: func(w *world) { w.broken = errBroken },
			outcome: OutcomeFailed, exit: ExitNotRolledBack, latest: newDigest, running: oldDigest},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(tt.runs, svc)
				if tt.plan != nil {
					w.plan[svc] = tt.plan
				}
				if tt.prepare != nil {
					tt.prepare(w)
				}
				p, rec := w.pipeline(t)
				got := p.Ship(context.Background(), shipRequest(svc))
				if got.Outcome != tt.outcome || got.Exit != tt.exit {
					t.Errorf("outcome = %s exit %d (%s), want %s exit %d", got.Outcome, got.Exit, got.Error, tt.outcome, tt.exit)
				}
				if w.tags["latest"] != tt.latest {
					t.Errorf(":latest = %q, want %q; calls %v", w.tags["latest"], tt.latest, w.calls)
				}
				if w.runs[svc] != tt.running {
					t.Errorf("runs %q, want %q", w.runs[svc], tt.running)
				}
				if tt.explanation != "" && (got.Explanation == nil || !strings.Contains(got.Explanation.Cause, tt.explanation) || !slices.Contains(got.Explanation.Log, "boom")) {
					t.Errorf("explanation = %+v, want one that contains %q", got.Explanation, tt.explanation)
				}
				if _, ok := rec.events[len(rec.events)-1].(Result); !ok {
					t.Errorf("the last event is %T, want Result", rec.events[len(rec.events)-1])
				}
			})
		})
	}
}

func TestShipTwiceDoesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		p, rec := w.pipeline(t)
		if got := p.Ship(context.Background(), shipRequest("s")); got.Outcome != OutcomeSucceeded {
			t.Fatalf("first ship: %s: %s", got.Outcome, got.Error)
		}
		w.calls = nil
		rec.events = nil
		got := p.Ship(context.Background(), shipRequest("s"))
		if slices.ContainsFunc(rec.events, func(e Event) bool { _, failed := e.(PhaseFailed); return failed }) {
			t.Errorf("a phase with nothing to do is reported as failed: %v", rec.events)
		}
		if got.Outcome != OutcomeUnchanged || got.Exit != ExitDone {
			t.Errorf("second ship: %s exit %d, want unchanged", got.Outcome, got.Exit)
		}
		if len(w.calls) != 0 {
			t.Errorf("second ship changed something: %v", w.calls)
		}
		if got.Services[0].Running != 1 {
			t.Errorf("running = %d, want 1", got.Services[0].Running)
		}
	})
}

func TestShipDirtyIsBuiltAndNamedByDigest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		p, _ := w.pipeline(t)
		req := shipRequest("s")
		req.Commit.Dirty = true
		got := p.Ship(context.Background(), req)
		if got.Outcome != OutcomeSucceeded {
			t.Fatalf("%s: %s", got.Outcome, got.Error)
		}
		want := "push git-" + cleanCommit.SHA + "-dirty-" + newDigest.Short()[:8]
		if !slices.Contains(w.calls, want) {
			t.Errorf("calls = %v, want %q", w.calls, want)
		}
	})
}

func TestShipAllOrNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "server", "worker")
		w.plan["worker"] = []string{statusInProgress, statusInProgress, statusInProgress, statusInProgress, "crash"}
		p, _ := w.pipeline(t)
		got := p.Ship(context.Background(), shipRequest("server", "worker"))
		if got.Outcome != OutcomeRolledBack || got.Exit != ExitRolledBack {
			t.Errorf("outcome = %s exit %d: %s", got.Outcome, got.Exit, got.Error)
		}
		for _, s := range []string{"server", "worker"} {
			if w.runs[s] != oldDigest {
				t.Errorf("%s runs %s, want the old digest", s, w.runs[s])
			}
		}
		if w.tags["latest"] != oldDigest {
			t.Errorf(":latest = %s, want the old digest", w.tags["latest"])
		}
	})
}

func TestShipCreatesAMissingService(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld("")
		p, _ := w.pipeline(t)
		req := shipRequest("s")
		req.Target.Local = true
		req.Target.Definitions = map[string]Definition{"s": {Service: []byte("s")}}
		got := p.Ship(context.Background(), req)
		if got.Outcome != OutcomeSucceeded {
			t.Fatalf("%s: %s", got.Outcome, got.Error)
		}
		tag, create := slices.Index(w.calls, "tag latest "+newDigest.Short()), slices.Index(w.calls, "create s")
		if tag < 0 || create < tag {
			t.Errorf("calls = %v: the tag must exist before the service that names it", w.calls)
		}
	})
}

func TestShipAttachesToARolloutInFlight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		w.addImage(newDigest, ImageTag(cleanCommit, ""), "latest")
		r := w.start("s")
		inflight := w.past("s", newDigest, statusInProgress)
		inflight.Rollout = r
		w.history["s"] = append([]PastRollout{inflight}, w.history["s"]...)
		p, rec := w.pipeline(t)
		got := p.Ship(context.Background(), shipRequest("s"))
		if got.Outcome != OutcomeSucceeded {
			t.Fatalf("%s: %s", got.Outcome, got.Error)
		}
		if slices.Contains(w.calls, "force s") {
			t.Errorf("calls = %v: it must join the rollout, not start another", w.calls)
		}
		joined := slices.ContainsFunc(rec.events, func(e Event) bool { s, ok := e.(RolloutStarted); return ok && s.Attached })
		if !joined {
			t.Error("no event says that the rollout was joined")
		}
	})
}

// TestAttachedRolloutFails: an interrupted release had moved the tag, and half of the tasks run the image already. When
// the rollout then fails, the tag must go back to what ran before that release.
func TestAttachedRolloutFails(t *testing.T) {
	for name, before := range map[string]Digest{"something ran before": oldDigest, "nothing ran before": ""} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(before, "s")
				w.addImage(newDigest, ImageTag(cleanCommit, ""), "latest")
				w.plan["s"] = []string{statusInProgress, "crash"}
				inflight := w.past("s", newDigest, statusInProgress)
				inflight.Rollout = w.start("s")
				w.history["s"] = append([]PastRollout{inflight}, w.history["s"]...)
				w.runs["s"] = newDigest
				p, _ := w.pipeline(t)
				got := p.Ship(context.Background(), shipRequest("s"))
				if got.Exit != ExitRolledBack && got.Exit != ExitNotRolledBack {
					t.Errorf("exit %d: %s", got.Exit, got.Error)
				}
				if before != "" && (w.tags["latest"] != before || w.runs["s"] != before) {
					t.Errorf(":latest = %s, runs %s, want both to be what ran before; calls %v", w.tags["latest"].Short(), w.runs["s"].Short(), w.calls)
				}
				if before != "" && got.Services[0].From != before {
					t.Errorf("from = %s, want %s", got.Services[0].From.Short(), before.Short())
				}
			})
		})
	}
}

func TestInterruptLeavesTheRolloutAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		w.plan["s"] = []string{statusInProgress}
		p, _ := w.pipeline(t)
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			time.Sleep(5 * time.Second) // fake time: the watch is under way
			cancel()
		}()
		got := p.Ship(ctx, shipRequest("s"))
		if got.Outcome != OutcomeInterrupted || got.Exit != ExitInterrupted {
			t.Errorf("outcome = %s exit %d: %s", got.Outcome, got.Exit, got.Error)
		}
		if slices.Contains(w.calls, "stop s") || w.tags["latest"] != newDigest {
			t.Errorf("an interrupt must leave the rollout alone: calls %v", w.calls)
		}
		if !strings.Contains(got.Error, "run the same command again") {
			t.Errorf("error = %q: it must say how to go on", got.Error)
		}
	})
}

func TestRollback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		p, _ := w.pipeline(t)
		if got := p.Ship(context.Background(), shipRequest("s")); got.Outcome != OutcomeSucceeded {
			t.Fatal(got.Error)
		}
		w.history["s"] = append([]PastRollout{w.past("s", newDigest, statusSuccessful)}, w.history["s"]...)
		w.builds = 0
		got := p.Rollback(context.Background(), RollbackRequest{Target: target("s")})
		if got.Outcome != OutcomeSucceeded || w.runs["s"] != oldDigest || w.tags["latest"] != oldDigest {
			t.Errorf("rollback: %s (%s), runs %s, :latest %s", got.Outcome, got.Error, w.runs["s"], w.tags["latest"])
		}
		if w.builds != 0 {
			t.Error("a rollback must build nothing")
		}
	})
}

func TestRollbackRefusesWhatTheRegistryNoLongerHas(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		w.addImage(newDigest, "latest")
		w.runs["s"] = newDigest
		w.history["s"] = append([]PastRollout{w.past("s", newDigest, statusSuccessful)}, w.history["s"]...)
		delete(w.images, oldDigest)
		p, _ := w.pipeline(t)
		got := p.Rollback(context.Background(), RollbackRequest{Target: target("s")})
		if got.Outcome != OutcomeRefused || len(w.calls) != 0 {
			t.Errorf("outcome = %s, calls %v: want a refusal that touches nothing", got.Outcome, w.calls)
		}
	})
}

func TestDeployRefusesAnUnknownReference(t *testing.T) {
	w := newWorld(oldDigest, "s")
	p, _ := w.pipeline(t)
	got := p.Deploy(context.Background(), DeployRequest{Target: target("s"), Ref: "nope"})
	if got.Outcome != OutcomeRefused || got.Exit != ExitCheck || len(w.calls) != 0 {
		t.Errorf("outcome = %s exit %d, calls %v", got.Outcome, got.Exit, w.calls)
	}
}
