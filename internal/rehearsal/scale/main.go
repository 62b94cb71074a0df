// Command scale releases a hundred services at once on a local AWS without containers that enforces AWS's documented
// rates, and prints how long it took, which calls it made, and how many of them were throttled. It fails when one was.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strconv"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

func main() {
	var tools rehearsal.Tools
	tools.Flags()
	services := flag.Int("services", 100, "how many")
	rehearsal.Main("scale", func(ctx context.Context) error {
		return tools.OnStage(ctx, func(ctx context.Context, stage *rehearsal.Stage) error { return run(ctx, stage, *services) })
	})
}

func run(ctx context.Context, stage *rehearsal.Stage, services int) error {
	fleet, err := rehearsal.NewFleet(ctx, stage, services)
	if err != nil {
		return err
	}
	made, err := fleet.Release(ctx)
	if err != nil {
		return err
	}
	var lines [][]string
	for _, c := range made.Calls {
		lines = append(lines, []string{c.Service, c.Operation, strconv.Itoa(c.Calls), strconv.Itoa(c.Throttled)})
	}
	rehearsal.WriteTable(os.Stdout, []string{"service", "operation", "calls", "throttled"}, lines)
	throttled, calls := made.Throttled()
	fmt.Printf("\n%d services: %s in %.1f s, %d calls, %d throttled\n", services, made.Result.Outcome, made.Result.Took.Seconds(), calls, throttled)
	if throttled > 0 {
		return fmt.Errorf("%d calls were throttled", throttled)
	}
	return nil
}
