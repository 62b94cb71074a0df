// Command kills kills a release (SIGKILL) at each of its events in turn, runs it again, and checks that it ends right: it
// enumerates the events until the release comes to its end first. It prints a table and fails when one round ended wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

func main() {
	program := flag.String("program", "bin/medusa-deploy", "the program")
	engine := flag.String("engine", "bin/engine", "the engine's programs")
	example := flag.String("example", "examples/hello", "the app")
	lanes := flag.Int("lanes", 4, "rounds at the same time")
	only := flag.String("story", "", "the only story to play (default: all)")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := rehearsal.Absolute(program, engine, example)
	if err == nil {
		err = run(ctx, *program, *engine, *example, *only, *lanes)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "kills:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, engine, example, only string, lanes int) (err error) {
	stage, err := rehearsal.New(program, engine, example)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close(context.WithoutCancel(ctx))) }()
	if err := stage.Up(ctx); err != nil {
		return err
	}
	all, err := rehearsal.NewLanes(ctx, stage, example, lanes, rehearsal.App{Name: "kill", Strategy: "latest", Tasks: 2, Breaker: true})
	if err != nil {
		return err
	}
	for _, story := range rehearsal.Stories() {
		if only != "" && story.Name != only {
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
