// Command medusa shows the whole way of a real Medusa shop on this machine.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"crypto/rand"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/databases"
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
	stage, err := o.Stage()
	if err != nil { return err }
	stage.Echo = os.Stderr
	fmt.Println(stage.Dir)
	if err := stage.Up(ctx); err != nil { return err }
	defer stage.Run(context.WithoutCancel(ctx), "local", "down")
	cloud, err := stage.Cloud(ctx)
	if err != nil { return err }
	if err := cloud.PushImage(ctx, base.Image, "docker.io/library/node", "22-bookworm-slim"); err != nil { return err }
	gw, err := stage.Gateway()
	if err != nil { return err }
	if err := os.Chmod(stage.Dir, 0o711); err != nil { return err }
	db, err := databases.Start(ctx, stage.Dir, gw)
	if err != nil { return err }
	defer db.Close()
	for name, v := range map[string]string{"DATABASE_URL": db.PostgresURL(), "REDIS_URL": db.RedisURL(), "JWT_SECRET": rand.Text(), "COOKIE_SECRET": rand.Text()} {
		if _, err := cloud.CreateSecret(ctx, "medusa-shop/"+name, v); err != nil { return err }
	}
	out, err := stage.Run(ctx, "ship", "--verbose")
	fmt.Println(out.Exit, err)
	fmt.Println("waiting"); <-ctx.Done()
	return nil
}
