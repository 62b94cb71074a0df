package e2e

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

func lanes(t *testing.T, n int, app rehearsal.App) *rehearsal.Lanes {
	t.Helper()
	stage := upStage(t)
	all, err := rehearsal.NewLanes(t.Context(), stage, filepath.Join(root(t), "examples", "hello"), n, app)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestKilledAtEachEvent kills a failing release at each of its events and runs it again. `make kills` does the same with
// builds, with releases that succeed, and with rollbacks.
func TestKilledAtEachEvent(t *testing.T) {
	all := lanes(t, 4, rehearsal.App{Name: "kill", Strategy: "latest", Tasks: 1, Breaker: true})
	events, err := all.Enumerate(t.Context(), rehearsal.CrashAgain())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("killed at each of %d events: %q", len(events), events)
	if len(events) < 10 {
		t.Errorf("a failing release has %d events", len(events))
	}
}

// TestTwoReleasesAtOnce has two releases overtake each other at different distances. `make races` does it a hundred times.
func TestTwoReleasesAtOnce(t *testing.T) {
	for _, strategy := range []string{"latest", "pinned"} {
		t.Run(strategy, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			commits, overtaken := map[*rehearsal.Stage][]string{}, 0
			all := lanes(t, 1, rehearsal.App{Name: "race", Strategy: strategy, Tasks: 1, Breaker: true})
			err := all.Each(t.Context(), func(ctx context.Context, lane *rehearsal.Stage, n int) (more bool, err error) {
				mu.Lock()
				defer mu.Unlock()
				if commits[lane] == nil {
					if commits[lane], err = rehearsal.Contenders(ctx, lane, 3); err != nil {
						return false, err
					}
				}
				race, err := lane.Race(ctx, commits[lane], time.Duration(n-1)*100*time.Millisecond)
				if race.Overtaken {
					overtaken++
				}
				return n < 5, err
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("one was overtaken in %d of 5 races", overtaken)
		})
	}
}
