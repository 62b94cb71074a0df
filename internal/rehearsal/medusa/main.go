// Command medusa takes a real Medusa shop the whole way on this machine, with what a machine without a registry has: a base
// image from Debian and npm packages, PostgreSQL and Redis, local AWS. It ships the shop and goes shopping. With -story the
// shop goes on living: changes under load, migrations good and bad, a crash, a database that goes away, a rollback, a push
// through local CI. It fails when anything is not as it should be, and leaves nothing behind.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/nodebase"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/shop"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	base, story, update bool
	transcript          string
}

func main() {
	var o options
	o.Flags()
	flag.BoolVar(&o.base, "base", false, "make the base image, print where it is, and stop")
	flag.BoolVar(&o.story, "story", false, "go on after the shopping")
	flag.StringVar(&o.transcript, "transcript", "", "with -story: a file that must tell the same story")
	flag.BoolVar(&o.update, "update", false, "write the transcript anew")
	rehearsal.Main("medusa", func(ctx context.Context) error { return run(ctx, o) })
}

func run(ctx context.Context, o options) error {
	if o.base {
		base, err := nodebase.Make(ctx, "", os.Stderr)
		if err == nil {
			fmt.Println(base.Layout)
		}
		return err
	}
	s := &show{stage: newStage(os.Stdout)}
	if err := s.play(ctx, o); err != nil {
		return err
	}
	if o.transcript == "" {
		return nil
	}
	return s.script().compare(o.transcript, o.update)
}

// play opens the shop, plays the acts, and closes it.
func (s *show) play(ctx context.Context, o options) (err error) {
	s.say("a base image, a local AWS, PostgreSQL and Redis")
	if s.Shop, err = shop.Open(ctx, o.Tools, s.out); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.end(context.WithoutCancel(ctx))) }()
	s.opened()
	acts := []func(context.Context) error{s.first, s.shopping}
	if o.story {
		acts = append(acts, s.oneLine, s.addTable, s.badMigration, s.crash, s.withoutDatabase, s.goBack, s.push)
	}
	for _, act := range acts {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return nil
}
