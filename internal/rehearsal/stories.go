package rehearsal

import (
	"context"
	"fmt"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Story is a release that is killed at one of its events and run again.
type Story struct {
	Name string
	// Prepare brings the lane to where the release begins, and tells what must run in the end.
	Prepare func(ctx context.Context, lane *Stage) (want release.Digest, err error)
	Args    []string // of the release
	Exit    int      // of the second run
}

// Stories are the releases that can be killed: one that succeeds, one that fails and goes back, and a rollback.
func Stories() []Story {
	return []Story{
		{Name: "ship", Args: []string{"ship"}, Exit: release.ExitDone, Prepare: func(ctx context.Context, lane *Stage) (release.Digest, error) {
			if _, err := lane.Commit("the next version"); err != nil {
				return "", err
			}
			return "", nil // known only once it is built
		}},
		{Name: "ship what crashes", Args: []string{"ship"}, Exit: release.ExitRolledBack, Prepare: prepareCrash},
		// The target is named: without one, a rollback that is run again after it was over goes one further back.
		{Name: "rollback", Args: []string{"rollback", "--yes", "--to", "HEAD~1"}, Exit: release.ExitDone, Prepare: func(ctx context.Context, lane *Stage) (release.Digest, error) {
			good, err := shipNext(ctx, lane, "the version before")
			if err != nil {
				return "", err
			}
			_, err = shipNext(ctx, lane, "the version that goes")
			return good, err
		}},
	}
}

// shipNext ships another commit, one that runs.
func shipNext(ctx context.Context, lane *Stage, subject string) (release.Digest, error) {
	dockerfile, err := lane.Read("Dockerfile")
	if err != nil {
		return "", err
	}
	if strings.Contains(dockerfile, crashSetting) {
		if err := lane.Edit("Dockerfile", crashSetting, ""); err != nil {
			return "", err
		}
	}
	if _, err := lane.Commit(subject); err != nil {
		return "", err
	}
	result, err := lane.Green(ctx, release.OutcomeSucceeded, "ship")
	return result.Digest, err
}

const (
	crashAnchor  = "USER 65532:65532"
	crashSetting = "ENV CRASH=3\n"
)

// prepareCrash ships a good version and commits one that exits at once.
func prepareCrash(ctx context.Context, lane *Stage) (release.Digest, error) {
	good, err := shipNext(ctx, lane, "a version that runs")
	if err != nil {
		return "", err
	}
	if err := lane.Edit("Dockerfile", crashAnchor, crashSetting+crashAnchor); err != nil {
		return "", err
	}
	_, err = lane.Commit("a version that crashes")
	return good, err
}

// CrashAgain is the shortest story of a release that fails: an image that the registry has is deployed, again and again,
// over a good one that it never takes the place of.
func CrashAgain() Story {
	return Story{Name: "deploy what crashes", Args: []string{"deploy"}, Exit: release.ExitRolledBack,
		Prepare: func(ctx context.Context, lane *Stage) (release.Digest, error) {
			good, err := lane.Settled(ctx)
			if err != nil || good != "" {
				return good, err
			}
			if good, err = prepareCrash(ctx, lane); err != nil {
				return "", err
			}
			_, err = lane.Green(ctx, release.OutcomeSucceeded, "push")
			return good, err
		}}
}

// Kill kills the story's release at its nth event and runs it again. It gives the kinds of events up to the kill, and
// whether the release got so far.
func (y Story) Kill(ctx context.Context, lane *Stage, n int) (Killed, error) {
	want, err := y.Prepare(ctx, lane)
	if err != nil {
		return Killed{}, fmt.Errorf("prepare: %w", err)
	}
	killed, err := lane.KillAt(ctx, n, y.Args...)
	if err != nil || killed.Ended {
		return killed, err
	}
	again, err := lane.Release(ctx, y.Args...)
	if err != nil {
		return killed, err
	}
	if again.Exit != y.Exit {
		return killed, fmt.Errorf("killed at %s, run again: %s, exit %d, want %d: %s\n%s", killed.Last(), again.Outcome, again.Exit, y.Exit, again.Error, again.Raw)
	}
	runs, err := lane.Settled(ctx)
	if err != nil {
		return killed, fmt.Errorf("killed at %s, run again: %w\n%s", killed.Last(), err, again.Raw)
	}
	if want == "" {
		want = again.Digest
	}
	if runs != want {
		return killed, fmt.Errorf("killed at %s, run again: %s runs, want %s\n%s", killed.Last(), runs, want, again.Raw)
	}
	return killed, nil
}
