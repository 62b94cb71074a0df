package release

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func wantOutcome(t *testing.T, got Result, outcome Outcome, exit int) {
	t.Helper()
	if got.Outcome != outcome || got.Exit != exit {
		t.Fatalf("outcome = %s exit %d (%s), want %s exit %d", got.Outcome, got.Exit, got.Error, outcome, exit)
	}
}

func wantCalls(t *testing.T, w *world, want ...string) {
	t.Helper()
	if !slices.Equal(w.calls, want) {
		t.Errorf("calls =\n  %s\nwant\n  %s", strings.Join(w.calls, "\n  "), strings.Join(want, "\n  "))
	}
}

func pinnedRequest(services ...string) ShipRequest {
	req := shipRequest(services...)
	req.Target.Strategy = StrategyPinned
	return req
}

var (
	pushCall = "push git-" + cleanCommit.SHA
	tagCall  = "tag latest " + newDigest.Short()
)

func TestPinned(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		w.uses["s"] = "arn:medusa:1"
		p, _ := w.pipeline(t)
		wantOutcome(t, p.Ship(context.Background(), pinnedRequest("s")), OutcomeSucceeded, ExitDone)
		wantCalls(t, w, "build", pushCall, "pin arn:medusa:1", tagCall, "deploy s pinned:"+newDigest.Short())
		w.calls = nil
		wantOutcome(t, p.Ship(context.Background(), pinnedRequest("s")), OutcomeUnchanged, ExitDone)
		wantCalls(t, w)
	})
}

func TestPinnedIsSetWhereTheTagRunsAlready(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(newDigest, "s")
		w.addImage(newDigest, ImageTag(cleanCommit, ""))
		p, _ := w.pipeline(t)
		wantOutcome(t, p.Ship(context.Background(), pinnedRequest("s")), OutcomeSucceeded, ExitDone)
		wantCalls(t, w, "pin ", "deploy s pinned:"+newDigest.Short())
	})
}

func TestPinnedGoesBackToTheOldDefinition(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		w.uses["s"], w.pins["arn:medusa:1"] = "arn:medusa:1", oldDigest
		w.plan["s"] = []string{statusInProgress, statusStopped}
		p, _ := w.pipeline(t)
		wantOutcome(t, p.Ship(context.Background(), pinnedRequest("s")), OutcomeRolledBack, ExitRolledBack)
		if w.runs["s"] != oldDigest || w.tags["latest"] != oldDigest || !slices.Contains(w.calls, "deploy s arn:medusa:1") {
			t.Errorf("runs %s, :latest %s, calls %v", w.runs["s"].Short(), w.tags["latest"].Short(), w.calls)
		}
	})
}

func TestImmutableTag(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		w.immutable["latest"] = true
		p, _ := w.pipeline(t)
		got := p.Ship(context.Background(), shipRequest("s"))
		wantOutcome(t, got, OutcomeRolledBack, ExitRolledBack)
		if !strings.Contains(got.Error, "immutable") || w.runs["s"] != oldDigest {
			t.Errorf("error = %q, runs %s", got.Error, w.runs["s"].Short())
		}
		wantOutcome(t, p.Ship(context.Background(), pinnedRequest("s")), OutcomeSucceeded, ExitDone)
		if w.tags["latest"] != oldDigest || w.runs["s"] != newDigest {
			t.Errorf("pinned: runs %s, :latest %s: the tag must stay and the digest run", w.runs["s"].Short(), w.tags["latest"].Short())
		}
		wantOutcome(t, p.Ship(context.Background(), pinnedRequest("s")), OutcomeUnchanged, ExitDone)
	})
}

func TestApply(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		w.changes = []Difference{{Where: "task definition medusa", Path: "memory", From: `"256"`, To: `"512"`}}
		p, rec := w.pipeline(t)
		req := shipRequest("s")
		req.Target.Apply = true
		req.Target.Definitions = map[string]Definition{"s": {Service: []byte("s")}}
		req.DryRun = true
		wantOutcome(t, p.Ship(context.Background(), req), OutcomeUnchanged, ExitDone)
		if len(w.calls) > 0 {
			t.Errorf("a dry run changed something: %v", w.calls)
		}
		req.DryRun = false
		wantOutcome(t, p.Ship(context.Background(), req), OutcomeSucceeded, ExitDone)
		wantCalls(t, w, "build", pushCall, "register ", tagCall, "deploy s registered:", "settings s")
		shown := 0
		for _, e := range rec.events {
			if _, ok := e.(DefinitionChange); ok {
				shown++
			}
		}
		if shown != 2 {
			t.Errorf("the difference was shown %d times, want once in the dry run and once before it was applied", shown)
		}
	})
}

func TestInTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "server", "worker")
		p, _ := w.pipeline(t)
		req := shipRequest("server", "worker")
		req.Target.InTurn = true
		order := []Digest{}
		w.onDeploy = func(service string) {
			if service == "worker" {
				order = append(order, w.runs["server"])
			}
		}
		wantOutcome(t, p.Ship(context.Background(), req), OutcomeSucceeded, ExitDone)
		if !slices.Equal(order, []Digest{newDigest}) {
			t.Errorf("worker started when server ran %v", order)
		}
	})
}

func TestInTurnFails(t *testing.T) {
	for name, bad := range map[string]string{"the first": "server", "the second": "worker"} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(oldDigest, "server", "worker")
				w.plan[bad] = []string{statusInProgress, "crash"}
				p, _ := w.pipeline(t)
				req := shipRequest("server", "worker")
				req.Target.InTurn = true
				wantOutcome(t, p.Ship(context.Background(), req), OutcomeRolledBack, ExitRolledBack)
				if w.runs["server"] != oldDigest || w.runs["worker"] != oldDigest || w.tags["latest"] != oldDigest {
					t.Errorf("runs %v, :latest %s", w.runs, w.tags["latest"].Short())
				}
				if bad == "server" && slices.Contains(w.calls, "force worker") {
					t.Errorf("calls = %v: the second service must not be touched", w.calls)
				}
			})
		})
	}
}

// TestHalfMoved: a release was killed between its two services. Run again it moves the other one alone; when that fails,
// the first goes back as well.
func TestHalfMoved(t *testing.T) {
	half := func() *world {
		w := newWorld(oldDigest, "server", "worker")
		w.addImage(newDigest, ImageTag(cleanCommit, ""), "latest")
		w.runs["server"] = newDigest
		w.history["server"] = append([]PastRollout{w.past("server", newDigest, statusSuccessful)}, w.history["server"]...)
		return w
	}
	bubble(t, func(t *testing.T) {
		w := half()
		p, _ := w.pipeline(t)
		wantOutcome(t, p.Ship(context.Background(), shipRequest("server", "worker")), OutcomeSucceeded, ExitDone)
		wantCalls(t, w, "force worker")
	})
	bubble(t, func(t *testing.T) {
		w := half()
		w.plan["worker"] = []string{statusInProgress, "crash"}
		p, _ := w.pipeline(t)
		wantOutcome(t, p.Ship(context.Background(), shipRequest("server", "worker")), OutcomeRolledBack, ExitRolledBack)
		if w.runs["server"] != oldDigest || w.runs["worker"] != oldDigest || w.tags["latest"] != oldDigest {
			t.Errorf("runs %v, :latest %s, calls %v", w.runs, w.tags["latest"].Short(), w.calls)
		}
	})
}

// TestANewServiceFails: a service that has run the image for long stays on it when one that is added fails.
func TestANewServiceFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "server")
		w.addImage(newDigest, ImageTag(cleanCommit, ""), "latest")
		w.runs["server"] = newDigest
		w.history["server"] = append([]PastRollout{w.past("server", newDigest, statusSuccessful)}, w.history["server"]...)
		w.plan["worker"] = []string{"crash"}
		p, _ := w.pipeline(t)
		req := shipRequest("server", "worker")
		req.Target.Local = true
		req.Target.Definitions = map[string]Definition{"worker": {Service: []byte("worker")}}
		if got := p.Ship(context.Background(), req); got.Exit == ExitDone {
			t.Errorf("outcome = %s", got.Outcome)
		}
		if w.runs["server"] != newDigest {
			t.Errorf("server runs %s, want what it ran before; calls %v", w.runs["server"].Short(), w.calls)
		}
	})
}

func TestTwoReleasesAtOnce(t *testing.T) {
	t.Run("the newer rollout brings our image: it is followed", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWorld(oldDigest, "s")
			w.plan["s"] = []string{statusStopped}
			w.onDeploy = func(string) {
				w.plan["s"] = nil
				w.onDeploy = nil
				other := w.start("s")
				w.newer["s"] = newer(statusInProgress, newDigest)
				w.newer["s"].Rollout = other
			}
			p, rec := w.pipeline(t)
			got := p.Ship(context.Background(), shipRequest("s"))
			wantOutcome(t, got, OutcomeSucceeded, ExitDone)
			if got.Services[0].Deployment != w.newer["s"].Deployment {
				t.Errorf("deployment = %s, want the newer one", got.Services[0].Deployment)
			}
			if !slices.ContainsFunc(rec.events, func(e Event) bool { s, ok := e.(RolloutStarted); return ok && s.Attached }) {
				t.Error("no event says that another rollout is followed")
			}
		})
	})
	t.Run("overtaken, but the tag is ours: started again", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWorld(oldDigest, "s")
			w.uses["s"] = "arn:medusa:1"
			w.onDeploy = func(string) {
				w.newer["s"] = newer(statusInProgress, subDigest)
				w.onDeploy = func(string) { w.newer["s"] = nil }
			}
			p, _ := w.pipeline(t)
			wantOutcome(t, p.Ship(context.Background(), pinnedRequest("s")), OutcomeSucceeded, ExitDone)
			if n := strings.Count(strings.Join(w.calls, "\n"), "deploy s"); n != 2 || w.runs["s"] != newDigest {
				t.Errorf("deployed %d times, runs %s", n, w.runs["s"].Short())
			}
		})
	})
	t.Run("overtaken again and again: given up", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWorld(oldDigest, "s")
			w.onDeploy = func(string) { w.newer["s"] = newer(statusInProgress, subDigest) }
			p, _ := w.pipeline(t)
			wantOutcome(t, p.Ship(context.Background(), shipRequest("s")), OutcomeSuperseded, ExitSuperseded)
		})
	})
	t.Run("the tag moved before ECS resolved it", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWorld(oldDigest, "s")
			w.addImage(subDigest)
			w.onDeploy = func(string) {
				w.tags["latest"] = subDigest
				for _, r := range w.rollouts {
					r.digest = subDigest
				}
			}
			p, _ := w.pipeline(t)
			wantOutcome(t, p.Ship(context.Background(), shipRequest("s")), OutcomeSuperseded, ExitSuperseded)
			if w.tags["latest"] != subDigest || slices.Contains(w.calls, "stop s") {
				t.Errorf(":latest %s, calls %v: the other release is not ours to undo", w.tags["latest"].Short(), w.calls)
			}
		})
	})
	t.Run("ours fails after the other one took over", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			w := newWorld(oldDigest, "s")
			w.plan["s"] = []string{statusInProgress, "crash"}
			w.addImage(subDigest)
			w.onDeploy = func(string) { w.tags["latest"] = subDigest }
			p, _ := w.pipeline(t)
			wantOutcome(t, p.Ship(context.Background(), shipRequest("s")), OutcomeSuperseded, ExitSuperseded)
			if w.tags["latest"] != subDigest {
				t.Errorf(":latest = %s, want the other release's image", w.tags["latest"].Short())
			}
		})
	})
}

func TestSettle(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		p, _ := w.pipeline(t)
		req := shipRequest("s")
		req.Target.Settle = 10 * time.Second
		begin := time.Now()
		wantOutcome(t, p.Ship(context.Background(), req), OutcomeSucceeded, ExitDone)
		if took := time.Since(begin); took < 10*time.Second || took > 13*time.Second {
			t.Errorf("green after %s", took)
		}
	})
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		w.plan["s"] = []string{statusInProgress, statusSuccessful, statusSuccessful, statusSuccessful, "crashed"}
		p, _ := w.pipeline(t)
		req := shipRequest("s")
		req.Target.Settle = 10 * time.Second
		got := p.Ship(context.Background(), req)
		wantOutcome(t, got, OutcomeRolledBack, ExitRolledBack)
		if w.runs["s"] != oldDigest || w.tags["latest"] != oldDigest || got.Explanation == nil {
			t.Errorf("runs %s, :latest %s, explanation %+v", w.runs["s"].Short(), w.tags["latest"].Short(), got.Explanation)
		}
	})
}

func TestMigrate(t *testing.T) {
	ended := func(code int) Task {
		return Task{ID: "m1", StopCode: "EssentialContainerExited", StoppedReason: "Essential container in task exited", LastStatus: "STOPPED",
			Containers: []Container{{Name: "medusa", ExitCode: &code}}}
	}
	tests := map[string]struct {
		task    func(ctx context.Context, emit Emit) (Task, error)
		expect  []string // the log that is read at the end has "boom" alone
		outcome Outcome
		exit    int
		says    string
		stopped bool
	}{
		"says what is expected": {task: func(_ context.Context, emit Emit) (Task, error) {
			emit(LogLine{Task: "m1", Text: `{"message":"Migration scripts completed"}`})
			return ended(0), nil
		}, expect: []string{"No pending", "scripts completed"}, outcome: OutcomeSucceeded},
		"has said it before we listened": {task: func(context.Context, Emit) (Task, error) { return ended(0), nil },
			expect: []string{"boom"}, outcome: OutcomeSucceeded},
		"does not say it": {task: func(_ context.Context, emit Emit) (Task, error) {
			emit(LogLine{Task: "m1", Text: "could not get the lock"})
			return ended(0), nil
		}, expect: []string{"No pending", "scripts completed"}, outcome: OutcomeFailed, exit: ExitMigration,
			says: `ended with exit code 0, but its log has no line with "No pending" or "scripts completed"`},
		"says it and fails": {task: func(context.Context, Emit) (Task, error) { return ended(2), nil },
			expect: []string{"boom"}, outcome: OutcomeFailed, exit: ExitMigration, says: "exit code 2"},
		"succeeds": {task: func(context.Context, Emit) (Task, error) { return ended(0), nil }, outcome: OutcomeSucceeded},
		"fails": {task: func(context.Context, Emit) (Task, error) { return ended(2), nil },
			outcome: OutcomeFailed, exit: ExitMigration, says: "exit code 2"},
		"never ran": {task: func(context.Context, Emit) (Task, error) {
			return Task{ID: "m1", StopCode: "TaskFailedToStart", StoppedReason: "CannotPullContainerError: not found", Containers: []Container{{Name: "medusa"}}}, nil
		}, outcome: OutcomeFailed, exit: ExitMigration, says: "CannotPullContainerError"},
		"takes too long": {task: func(ctx context.Context, _ Emit) (Task, error) { <-ctx.Done(); return Task{}, context.Cause(ctx) },
			outcome: OutcomeFailed, exit: ExitMigration, says: "did not end within 1m0s and was stopped", stopped: true},
		"cannot be followed": {task: func(context.Context, Emit) (Task, error) { return Task{}, errBroken },
			outcome: OutcomeFailed, exit: ExitMigration, says: "broken"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(oldDigest, "s")
				w.migration = tt.task
				p, _ := w.pipeline(t)
				req := shipRequest("s")
				req.Target.Migrate = &Migration{Command: []string{"db:migrate"}, Expect: tt.expect, Timeout: time.Minute}
				got := p.Ship(context.Background(), req)
				wantOutcome(t, got, tt.outcome, tt.exit)
				migrated, moved := slices.Index(w.calls, "migrate [db:migrate] on "+newDigest.Short()), slices.Index(w.calls, tagCall)
				if migrated < 0 || tt.exit == ExitDone && moved < migrated {
					t.Errorf("calls = %v: the migration comes before the tag moves", w.calls)
				}
				if tt.exit == ExitDone {
					return
				}
				if moved >= 0 || w.runs["s"] != oldDigest || !strings.Contains(got.Error, tt.says) || !strings.Contains(got.Error, "no service was touched") {
					t.Errorf("error = %q, calls %v", got.Error, w.calls)
				}
				if slices.Contains(w.calls, "stop task arn:m1") != tt.stopped {
					t.Errorf("calls = %v", w.calls)
				}
			})
		})
	}
}

func TestMigrationInterrupted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		ctx, cancel := context.WithCancel(context.Background())
		w.migration = func(ctx context.Context, _ Emit) (Task, error) {
			cancel()
			<-ctx.Done()
			return Task{}, context.Cause(ctx)
		}
		p, _ := w.pipeline(t)
		req := shipRequest("s")
		req.Target.Migrate = &Migration{Command: []string{"db:migrate"}, Timeout: time.Minute}
		got := p.Ship(ctx, req)
		wantOutcome(t, got, OutcomeInterrupted, ExitInterrupted)
		if !strings.Contains(got.Error, "goes on") || slices.Contains(w.calls, "stop task arn:m1") {
			t.Errorf("error = %q, calls %v", got.Error, w.calls)
		}
	})
}

func TestUnchangedDoesNotMigrate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(newDigest, "s")
		w.addImage(newDigest, ImageTag(cleanCommit, ""))
		p, _ := w.pipeline(t)
		req := shipRequest("s")
		req.Target.Migrate = &Migration{Command: []string{"db:migrate"}, Timeout: time.Minute}
		wantOutcome(t, p.Ship(context.Background(), req), OutcomeUnchanged, ExitDone)
		wantCalls(t, w)
	})
}

// TestRollbackTakesTheDefinitionWithIt: settings go back with the code that they belong to.
func TestRollbackTakesTheDefinitionWithIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(newDigest, "s")
		w.addImage(oldDigest)
		w.uses["s"] = "arn:medusa:2"
		before := w.past("s", oldDigest, statusSuccessful)
		before.TaskDefinition = "arn:medusa:1"
		w.history["s"] = append(w.history["s"], before)
		p, _ := w.pipeline(t)
		wantOutcome(t, p.Rollback(context.Background(), RollbackRequest{Target: target("s")}), OutcomeSucceeded, ExitDone)
		wantCalls(t, w, "tag latest "+oldDigest.Short(), "deploy s arn:medusa:1")
	})
}

func TestRollbackAsksFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(newDigest, "s")
		w.addImage(oldDigest)
		w.history["s"] = append(w.history["s"], w.past("s", oldDigest, statusSuccessful))
		p, _ := w.pipeline(t)
		var asked Digest
		got := p.Rollback(context.Background(), RollbackRequest{Target: target("s"), Confirm: func(i Image) error {
			asked = i.Digest
			return errors.New("nothing was touched")
		}})
		wantOutcome(t, got, OutcomeRefused, ExitInterrupted)
		if asked != oldDigest || len(w.calls) > 0 {
			t.Errorf("asked about %s, calls %v", asked.Short(), w.calls)
		}
	})
}

func TestInterruptedBeforeAnythingMoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		p, rec := w.pipeline(t)
		ctx, cancel := context.WithCancel(context.Background())
		emit := rec.Emit
		p.Emit = func(e Event) {
			emit(e)
			if started, ok := e.(PhaseStarted); ok && started.Phase == PhaseDeploy {
				cancel()
			}
		}
		got := p.Ship(ctx, shipRequest("s"))
		wantOutcome(t, got, OutcomeInterrupted, ExitInterrupted)
		if slices.Contains(w.calls, tagCall) {
			t.Errorf("calls = %v: nothing may move after an interrupt", w.calls)
		}
		if !strings.Contains(got.Error, "nothing was touched") {
			t.Errorf("error = %q: it must say that nothing was touched", got.Error)
		}
	})
}

func TestAFailedPinTouchesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(oldDigest, "s")
		p, _ := w.pipeline(t)
		p.Orchestrator = failingPin{w}
		got := p.Ship(context.Background(), pinnedRequest("s"))
		wantOutcome(t, got, OutcomeFailed, ExitInternal)
		if !strings.Contains(got.Error, "nothing was touched") || w.tags["latest"] != oldDigest {
			t.Errorf("error = %q, :latest %s", got.Error, w.tags["latest"].Short())
		}
	})
}

type failingPin struct{ *world }

func (failingPin) Pin(context.Context, string, Image) (string, error) { return "", errBroken }
