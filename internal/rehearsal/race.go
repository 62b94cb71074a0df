package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Race is how two releases at once ended.
type Race struct {
	Winner    release.Digest
	Overtaken bool // one was overtaken by the other; else one had ended before the other began to deploy
}

// contender is one of two releases at once.
type contender struct {
	commit string
	result Result
	err    error
}

// Contenders ships commits that differ, and gives them: what a race is run with.
func Contenders(ctx context.Context, lane *Stage, n int) ([]string, error) {
	var commits []string
	for i := range n {
		sha, err := lane.Commit(fmt.Sprintf("contender %d", i+1))
		if err != nil {
			return nil, err
		}
		if _, err := lane.Green(ctx, release.OutcomeSucceeded, "ship"); err != nil {
			return nil, err
		}
		commits = append(commits, sha)
	}
	return commits, nil
}

// Race deploys two of the commits, neither of them the one that runs, the second after a delay, and checks that one wins.
func (s *Stage) Race(ctx context.Context, commits []string, delay time.Duration) (Race, error) {
	runs, err := s.commitThatRuns(ctx)
	if err != nil {
		return Race{}, err
	}
	others := slices.DeleteFunc(slices.Clone(commits), func(c string) bool { return c == runs })
	both := []*contender{{commit: others[0]}, {commit: others[1]}}
	var all sync.WaitGroup
	for i, c := range both {
		all.Go(func() {
			if i > 0 {
				timer := time.NewTimer(delay)
				defer timer.Stop()
				select {
				case <-timer.C:
				case <-ctx.Done():
				}
			}
			c.result, c.err = s.Release(ctx, "deploy", c.commit)
		})
	}
	all.Wait()
	if err := errors.Join(both[0].err, both[1].err); err != nil {
		return Race{}, err
	}
	digest, err := s.Settled(ctx)
	if err != nil {
		return Race{}, fmt.Errorf("%w\n%s\n%s", err, both[0].result.Raw, both[1].result.Raw)
	}
	return judgeRace(both, digest)
}

// judgeRace accepts two ends: one succeeded, runs, and the other says superseded; or both succeeded one after the other.
func judgeRace(both []*contender, runs release.Digest) (Race, error) {
	slices.SortFunc(both, func(a, b *contender) int { // the one that runs first
		if a.result.Digest == runs {
			return -1
		}
		return 1
	})
	winner, other := both[0].result, both[1].result
	said := fmt.Sprintf("%s: %s (%s); %s: %s (%s); %s runs\n%s\n%s", winner.Digest.Short(), winner.Outcome, winner.Error,
		other.Digest.Short(), other.Outcome, other.Error, runs.Short(), winner.Raw, other.Raw)
	switch {
	case winner.Digest != runs || winner.Outcome != release.OutcomeSucceeded:
		return Race{}, errors.New("what runs is not what won: " + said)
	case other.Outcome == release.OutcomeSuperseded && other.Exit == release.ExitSuperseded:
		return Race{Winner: runs, Overtaken: true}, nil
	case other.Outcome == release.OutcomeSucceeded:
		return Race{Winner: runs}, nil
	}
	return Race{}, errors.New("the other one did not end as superseded: " + said)
}

func (s *Stage) commitThatRuns(ctx context.Context) (string, error) {
	status, err := s.Status(ctx)
	if err != nil {
		return "", err
	}
	return status.Commit, nil
}
