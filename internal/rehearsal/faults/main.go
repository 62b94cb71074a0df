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
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

func main() {
	program := flag.String("program", "bin/medusa-deploy", "the program")
	engine := flag.String("engine", "bin/engine", "the engine's programs")
	example := flag.String("example", "examples/hello", "the app")
	releases := flag.Int("releases", 50, "how many versions to ship")
	share := flag.Float64("share", 0.2, "which part of all calls goes wrong")
	seed := flag.Uint64("seed", 1, "decides which")
	stall := flag.Duration("stall", 30*time.Second, "how long a stalled call takes")
	verbose := flag.Bool("v", false, "show the events of what goes wrong")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := rehearsal.Absolute(program, engine, example)
	if err == nil {
		err = run(ctx, *program, *engine, *example, *releases, *verbose, rehearsal.ProxyConfig{Share: *share, Seed: *seed, Stall: *stall})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "faults:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, engine, example string, releases int, verbose bool, config rehearsal.ProxyConfig) (err error) {
	stage, err := rehearsal.New(program, engine, example)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close(context.WithoutCancel(ctx))) }()
	ordeal, err := rehearsal.NewOrdeal(ctx, stage, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ordeal.Close()) }()
	fmt.Printf("%d releases, %.0f %% of all calls go wrong (seed %d)\n\n", releases, 100*config.Share, config.Seed)
	wrong := 0
	var took []time.Duration
	for n := range releases {
		trial, err := ordeal.Next(ctx)
		if err != nil {
			return fmt.Errorf("release %d: %w", n+1, err)
		}
		fmt.Printf("%3d  %s\n", n+1, trial)
		took = append(took, trial.Took)
		if len(trial.Wrong) > 0 {
			wrong++
			if verbose {
				fmt.Println(trial.Result.Raw)
			}
		}
	}
	calls, faults := ordeal.Faults()
	fmt.Printf("\n%d calls:", calls)
	for _, f := range slices.Sorted(maps.Keys(faults)) {
		fmt.Printf(" %d %s,", faults[f], f)
	}
	slices.Sort(took)
	fmt.Printf(" the others went through\nmedian %.1f s, slowest %.1f s; %d of %d right\n", took[len(took)/2].Seconds(), took[len(took)-1].Seconds(), releases-wrong, releases)
	if wrong > 0 {
		return fmt.Errorf("%d of %d releases did not end right", wrong, releases)
	}
	return nil
}
