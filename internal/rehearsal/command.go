package rehearsal

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Tools are where the program that is rehearsed lies, and what it takes.
type Tools struct {
	Program string // the medusa-deploy binary
	Engine  string // directory of the engine's binaries
	Example string // directory of the app that says how apps are deployed
}

// Flags declares the flags that name the tools. Call it before flag.Parse.
func (t *Tools) Flags() {
	flag.StringVar(&t.Program, "program", "bin/medusa-deploy", "the medusa-deploy binary")
	flag.StringVar(&t.Engine, "engine", "bin/engine", "the engine's binaries")
	flag.StringVar(&t.Example, "example", "examples/hello", "the app, or how it is deployed")
}

// Stage makes a stage with the tools. They may be named from the working directory.
func (t Tools) Stage() (*Stage, error) {
	if err := Absolute(&t.Program, &t.Engine, &t.Example); err != nil {
		return nil, err
	}
	return New(t.Program, t.Engine, t.Example)
}

// OnStage works on a stage made with the tools, and closes it.
func (t Tools) OnStage(ctx context.Context, work func(context.Context, *Stage) error) (err error) {
	stage, err := t.Stage()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stage.Close(context.WithoutCancel(ctx))) }()
	return work(ctx, stage)
}

// OnLocalAWS works on a stage whose local AWS runs, started with flags of `local up`.
func (t Tools) OnLocalAWS(ctx context.Context, work func(context.Context, *Stage) error, flags ...string) error {
	return t.OnStage(ctx, func(ctx context.Context, stage *Stage) error {
		if err := stage.Up(ctx, flags...); err != nil {
			return err
		}
		return work(ctx, stage)
	})
}

// Main parses the command line and does a command's work, which an interrupt ends early. An error is told, with exit code 1.
func Main(name string, run func(context.Context) error) {
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
}
