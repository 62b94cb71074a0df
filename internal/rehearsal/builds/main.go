// Command builds measures what the program adds to the tools that it stands on: a build and push of which nothing is new,
// and one with a cold cache, through each way to a builder, against the bare tool on the same daemon with the same files.
// Sides take turns, and so does who begins. It prints medians with their range, the difference, and where the program's
// time went. It fails when a build fails; it asserts nothing about time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	rounds, cold int
	layers       int
	size         int64
	only         string
}

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.rounds, "rounds", 15, "how often without anything new")
	flag.IntVar(&o.cold, "cold", 5, "how often with a cold cache")
	flag.IntVar(&o.layers, "layers", 12, "of the image")
	flag.Int64Var(&o.size, "size", 256, "of each layer, in KiB")
	flag.StringVar(&o.only, "only", "", "the ways whose names have this in them")
	rehearsal.Main("builds", func(ctx context.Context) error { return o.OnLocalAWS(ctx, o.run) })
}

func (o options) run(ctx context.Context, stage *rehearsal.Stage) (failed error) {
	if err := plant(stage, o); err != nil {
		return err
	}
	docker, err := rehearsal.StartDocker(ctx, stage.EngineDir)
	if err != nil {
		return err
	}
	defer func() { failed = errors.Join(failed, docker.Stop()) }()
	b, err := newBench(ctx, stage, docker)
	if err != nil {
		return err
	}
	for _, w := range b.ways() {
		if !strings.Contains(w.name, o.only) {
			continue
		}
		if err := b.measure(ctx, o, w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	b.print()
	return nil
}

// repository is the program's, and bareRepository the bare tools', so that neither finds what the other has pushed.
const (
	repository     = "app"
	bareRepository = "bare"
)

// plant makes the stage's app an image of many layers. Its work tree differs from the commit, because an image of a clean
// commit is not built again at all.
func plant(stage *rehearsal.Stage, o options) error {
	var dockerfile strings.Builder
	dockerfile.WriteString("FROM scratch\n")
	var failed []error
	for i := range o.layers {
		fmt.Fprintf(&dockerfile, "COPY files/%d /%d\n", i, i)
		var content []byte
		for n := 0; int64(len(content)) < o.size<<10; n++ {
			content = fmt.Appendf(content, "%d:%d\n", i, n)
		}
		failed = append(failed, stage.Write(fmt.Sprintf("files/%d", i), content[:o.size<<10]))
	}
	yaml := "app: app\nimage:\n  repository: " + repository + "\n  platforms: [linux/amd64]\ntargets:\n  local:\n    services: [none]\n"
	failed = append(failed, stage.Write("Dockerfile", []byte(dockerfile.String())), stage.Write(".dockerignore", nil), stage.Write("medusa-deploy.yaml", []byte(yaml)))
	if err := errors.Join(failed...); err != nil {
		return err
	}
	if _, err := stage.Commit("an image of many layers"); err != nil {
		return err
	}
	return stage.Write("files/note", []byte("not committed\n"))
}

// spent is what one run took.
type spent struct {
	all    time.Duration
	phases map[string]float64 // seconds; the program's alone
}

// side is who builds and pushes.
type side struct {
	name string
	run  func(context.Context) (spent, error)
	took []spent
}

// measure runs both sides of a way, first with nothing new, then cold.
func (b *bench) measure(ctx context.Context, o options, w *way) error {
	for _, c := range []struct {
		what   string
		rounds int
		before func(context.Context) error
	}{
		{"nothing new", o.rounds, nil}, {"cold", o.cold, func(ctx context.Context) error { return b.cool(ctx, w) }},
	} {
		ours := &side{name: "medusa-deploy push", run: func(ctx context.Context) (spent, error) { return b.program(ctx, w) }}
		bare := &side{name: w.bareName, run: func(ctx context.Context) (spent, error) { return b.bare(ctx, w) }}
		sides := []*side{ours, bare}
		for round := range c.rounds + 1 {
			for _, s := range sides {
				if c.before != nil {
					if err := c.before(ctx); err != nil {
						return err
					}
				}
				took, err := s.run(ctx)
				if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				if round > 0 { // the first warms up
					s.took = append(s.took, took)
				}
			}
			slices.Reverse(sides)
		}
		b.lines = append(b.lines, line(w.name+", "+c.what, ours, bare))
		fmt.Fprintf(os.Stderr, "%s\n", strings.Join(b.lines[len(b.lines)-1], "  "))
	}
	return nil
}

// program builds and pushes with the program.
func (b *bench) program(ctx context.Context, w *way) (spent, error) {
	b.stage.Env = w.env
	result, err := b.stage.Green(ctx, release.OutcomeSucceeded, append([]string{"push"}, w.args...)...)
	return spent{result.Took, result.Phases}, err
}
