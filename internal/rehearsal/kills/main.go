// Command kills kills a release (SIGKILL) at each of its events in turn, runs it again, and checks that it ends right: it
// enumerates the events until the release comes to its end first. It prints a table and fails when one round ended wrong.
package main

import (
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	lanes int
	only  string
}

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.lanes, "lanes", 4, "rounds at the same time")
	flag.StringVar(&o.only, "story", "", "the only story to play (default: all)")
	rehearsal.Main("kills", func(ctx context.Context) error { return o.OnLocalAWS(ctx, o.run) })
}

func (o options) run(ctx context.Context, stage *rehearsal.Stage) error {
	all, err := rehearsal.NewLanes(ctx, stage, o.Example, o.lanes, rehearsal.App{Name: "kill", Strategy: "latest", Tasks: 2, Breaker: true})
	if err != nil {
		return err
	}
	for _, story := range rehearsal.Stories() {
		if o.only != "" && story.Name != o.only {
			continue
		}
		begin := time.Now()
		table, err := all.Enumerate(ctx, story)
		if err != nil {
			return fmt.Errorf("%s: %w", story.Name, err)
		}
		fmt.Printf("%s: killed at each of its %d events, run again: always right (%s)\n", story.Name, len(table), time.Since(begin).Round(time.Second))
		for i, event := range table {
			fmt.Printf("  %2d %s\n", i+1, event)
		}
	}
	return nil
}
