// Command races starts two releases of different images at once, again and again, with random timing, and checks each time
// that one of them wins, that the other one says so, and that the release tag names what runs.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	lanes, rounds int
	spread        time.Duration
	seed          uint64
}

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.lanes, "lanes", 3, "races at the same time")
	flag.IntVar(&o.rounds, "rounds", 100, "races in all, for each strategy")
	flag.DurationVar(&o.spread, "spread", 1500*time.Millisecond, "the second release starts this much later at the most")
	flag.Uint64Var(&o.seed, "seed", 1, "of the random timing")
	rehearsal.Main("races", func(ctx context.Context) error { return o.OnLocalAWS(ctx, o.run) })
}

func (o options) run(ctx context.Context, stage *rehearsal.Stage) error {
	for _, strategy := range []string{"latest", "pinned"} {
		if err := races(ctx, stage, o, strategy); err != nil {
			return fmt.Errorf("strategy %s: %w", strategy, err)
		}
	}
	return nil
}

func races(ctx context.Context, stage *rehearsal.Stage, o options, strategy string) error {
	lanes, err := rehearsal.NewLanes(ctx, stage, o.Example, o.lanes, rehearsal.App{Name: "race-" + strategy, Strategy: strategy, Tasks: 2, Breaker: true})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	timing := rand.New(rand.NewPCG(o.seed, 0))
	commits := map[*rehearsal.Stage][]string{}
	begin, overtaken, apart := time.Now(), 0, 0
	err = lanes.Each(ctx, func(ctx context.Context, lane *rehearsal.Stage, n int) (bool, error) {
		if n > o.rounds {
			return false, nil
		}
		mu.Lock()
		known, delay := commits[lane], time.Duration(timing.Int64N(int64(o.spread)))
		mu.Unlock()
		if known == nil {
			var err error
			if known, err = rehearsal.Contenders(ctx, lane, 3); err != nil {
				return false, err
			}
		}
		race, err := lane.Race(ctx, known, delay)
		mu.Lock()
		defer mu.Unlock()
		commits[lane] = known
		switch {
		case err != nil:
			return false, err
		case race.Overtaken:
			overtaken++
		default:
			apart++
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	fmt.Printf("strategy %s: %d times two releases at once: %d times one won and the other said superseded, %d times one was over before the other deployed; the tag always named what ran (%s)\n",
		strategy, overtaken+apart, overtaken, apart, time.Since(begin).Round(time.Second))
	return nil
}
