// Command scale releases a hundred services at once on a local AWS without containers that enforces AWS's documented
// rates, and prints how long it took, which calls it made, and how many of them were throttled. It fails when one was.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

func main() {
	program := flag.String("program", "bin/medusa-deploy", "the program")
	engine := flag.String("engine", "bin/engine", "the engine's programs")
	example := flag.String("example", "examples/hello", "the app")
	services := flag.Int("services", 100, "how many")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := rehearsal.Absolute(program, engine, example)
	if err == nil {
		err = run(ctx, *program, *engine, *example, *services)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, engine, example string, services int) (err error) {
	stage, err := rehearsal.New(program, engine, example)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close(context.WithoutCancel(ctx))) }()
	fmt.Printf("making %d services at AWS's rates\n", services)
	fleet, err := rehearsal.NewFleet(ctx, stage, services)
	if err != nil {
		return err
	}
	made, err := fleet.Release(ctx)
	if err != nil {
		return err
	}
	for _, c := range made.Calls {
		fmt.Printf("  %-4s %-28s %5d calls, %d throttled\n", c.Service, c.Operation, c.Calls, c.Throttled)
	}
	throttled, calls := made.Throttled()
	fmt.Printf("%d services: %s in %.1f s, %d calls, %d throttled\n", services, made.Result.Outcome, made.Result.Took.Seconds(), calls, throttled)
	if throttled > 0 {
		return fmt.Errorf("%d calls were throttled", throttled)
	}
	return nil
}
