// Command faults ships version after version to a local AWS through a proxy that lets a fifth of all calls go wrong, and
// prints for each what the program said and whether it is true. It fails when one is not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	rehearsal.ProxyConfig
	releases int
	verbose  bool
}

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.releases, "releases", 50, "how many versions to ship")
	flag.Float64Var(&o.Share, "share", 0.2, "which part of all calls goes wrong")
	flag.Uint64Var(&o.Seed, "seed", 1, "decides which")
	flag.DurationVar(&o.Stall, "stall", 30*time.Second, "how long a stalled call takes")
	flag.BoolVar(&o.verbose, "v", false, "show the events of a release that ends wrong")
	rehearsal.Main("faults", func(ctx context.Context) error { return o.OnStage(ctx, o.run) })
}

func (o options) run(ctx context.Context, stage *rehearsal.Stage) (err error) {
	ordeal, err := rehearsal.NewOrdeal(ctx, stage, o.ProxyConfig)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ordeal.Close()) }()
	var trials []rehearsal.Trial
	for n := range o.releases {
		trial, err := ordeal.Next(ctx)
		if err != nil {
			return fmt.Errorf("release %d: %w", n+1, err)
		}
		fmt.Fprintf(os.Stderr, "%d of %d: %s\n", n+1, o.releases, strings.Join(trial.Cells(), "  "))
		if o.verbose && len(trial.Wrong) > 0 {
			fmt.Fprintln(os.Stderr, trial.Result.Raw)
		}
		trials = append(trials, trial)
	}
	return o.tell(ordeal, trials)
}

// tell prints what became of the releases.
func (o options) tell(ordeal *rehearsal.Ordeal, trials []rehearsal.Trial) error {
	var lines [][]string
	var took []time.Duration
	wrong := 0
	for _, t := range trials {
		lines = append(lines, t.Cells())
		took = append(took, t.Took)
		if len(t.Wrong) > 0 {
			wrong++
		}
	}
	rehearsal.WriteTable(os.Stdout, rehearsal.TrialHeader, lines)
	calls, faults := ordeal.Faults()
	lines = nil
	for _, f := range slices.Sorted(maps.Keys(faults)) {
		lines = append(lines, []string{string(f), fmt.Sprint(faults[f])})
	}
	fmt.Printf("\n%d calls; %.0f %% were to go wrong (seed %d):\n\n", calls, 100*o.Share, o.Seed)
	rehearsal.WriteTable(os.Stdout, []string{"fault", "calls"}, lines)
	slices.Sort(took)
	fmt.Printf("\n%d of %d releases ended right; median %.1f s, slowest %.1f s\n", len(trials)-wrong, len(trials), took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
	if wrong > 0 {
		return fmt.Errorf("%d releases ended wrong", wrong)
	}
	return nil
}
