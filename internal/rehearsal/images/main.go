package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/nodebase"
)

func main() {
	var tools rehearsal.Tools
	tools.Flags()
	again := flag.Bool("again", false, "also build the changed source on a machine that knows nothing: minutes more")
	verbose := flag.Bool("v", false, "show what the builds say")
	rehearsal.Main("images", func(ctx context.Context) error { return run(ctx, tools, *again, *verbose) })
}

func run(ctx context.Context, tools rehearsal.Tools, again, verbose bool) error {
	base, err := nodebase.Make(ctx, "", os.Stderr)
	if err != nil {
		return err
	}
	return tools.OnLocalAWS(ctx, func(ctx context.Context, stage *rehearsal.Stage) error {
		return measure(ctx, stage, base, again, verbose)
	})
}

// measure builds the shop's image in every way.
func measure(ctx context.Context, stage *rehearsal.Stage, base nodebase.Base, again, verbose bool) error {
	ways, err := prepare(ctx, stage)
	if err != nil {
		return err
	}
	b, err := newBuilder(ctx, stage, base)
	if err != nil {
		return err
	}
	b.verbose = verbose
	var results []result
	for _, w := range ways {
		fmt.Fprintf(os.Stderr, "building: %s\n", w.name)
		r, err := b.measure(ctx, w, again)
		if err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		fmt.Fprintf(os.Stderr, "  %s unpacked, %s compressed; cold %s, unchanged %s, one line changed %s\n", megabytes(r.image.unpacked()),
			megabytes(r.image.compressed()), seconds(r.cold), seconds(r.unchanged), seconds(r.changed))
		results = append(results, r)
	}
	write(os.Stdout, base, results)
	return judge(results)
}
