// Command medusa shows the whole way of a real Medusa shop on this machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/nodebase"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	base bool
}

func main() {
	var o options
	o.Flags()
	flag.BoolVar(&o.base, "base", false, "make the base image, print where it is, and stop")
	rehearsal.Main("medusa", func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	base, err := nodebase.Make(ctx, "", os.Stderr)
	if err != nil {
		return err
	}
	if o.base {
		fmt.Println(base.Layout)
		return nil
	}
	return nil
}
