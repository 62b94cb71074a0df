// Command latency measures how long after the fact a release knows how it ends: from the moment at which ECS counted the
// last new task as healthy to the exit of ship, and, for a version that crashes, from the stop of the second task to the
// exit of ship, with everything back. `aws ecs wait services-stable` is started as each rollout begins, and measured on the
// same rollouts. It asserts nothing about time.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	rounds, lanes int
}

func main() {
	var o options
	o.Flags()
	flag.IntVar(&o.rounds, "rounds", 24, "rollouts of each kind")
	flag.IntVar(&o.lanes, "lanes", 6, "services to take turns, so that the AWS CLI can wait for one while the next is shipped")
	rehearsal.Main("latency", func(ctx context.Context) error { return o.OnStage(ctx, o.run) })
}

func (o options) run(ctx context.Context, stage *rehearsal.Stage) (err error) {
	lanes, err := o.open(ctx, stage)
	if err != nil {
		return err
	}
	defer func() {
		for _, l := range lanes {
			err = errors.Join(err, l.await())
		}
	}()
	healthy, err := measure(ctx, lanes, o.rounds, "a good version", (*lane).good)
	if err != nil {
		return err
	}
	for _, l := range lanes {
		if err := l.app.Edit("Dockerfile", anchor, "ENV CRASH=3\n"+anchor); err != nil {
			return err
		}
	}
	crashed, err := measure(ctx, lanes, o.rounds, "a version that crashes", (*lane).crash)
	if err != nil {
		return err
	}
	print(healthy, crashed)
	return nil
}

// anchor is a line of the example's Dockerfile that a fault goes before.
const anchor = "USER 65532:65532"

// open ships the first version to every lane.
func (o options) open(ctx context.Context, stage *rehearsal.Stage) ([]*lane, error) {
	binary := filepath.Join(stage.Dir, "program")
	if err := rehearsal.Compile(ctx, o.Example, "amd64", binary); err != nil {
		return nil, err
	}
	if err := stage.Up(ctx); err != nil {
		return nil, err
	}
	cloud, err := stage.Cloud(ctx)
	if err != nil {
		return nil, err
	}
	var lanes []*lane
	for n := range o.lanes {
		l := &lane{name: fmt.Sprintf("lane%d", n), cloud: cloud}
		l.app, err = stage.Plant(o.Example, rehearsal.App{Name: l.name, Binary: binary, Strategy: string(release.StrategyLatest), Tasks: 2, Breaker: true})
		if err != nil {
			return nil, err
		}
		if _, err := l.app.Green(ctx, release.OutcomeSucceeded, "ship"); err != nil {
			return nil, err
		}
		lanes = append(lanes, l)
	}
	return lanes, nil
}

// measure ships to one lane after the other, never to two at once.
func measure(ctx context.Context, lanes []*lane, rounds int, what string, ship func(*lane, context.Context) (*sample, error)) ([]*sample, error) {
	var samples []*sample
	for n := range rounds {
		l := lanes[n%len(lanes)]
		if err := l.await(); err != nil {
			return nil, err
		}
		s, err := ship(l, ctx)
		if err != nil {
			return nil, fmt.Errorf("%s, rollout %d: %w", what, n+1, err)
		}
		samples = append(samples, s)
		fmt.Fprintf(os.Stderr, "%s, %d of %d: %.2f s\n", what, n+1, rounds, s.exited.Sub(s.fact).Seconds())
	}
	for _, l := range lanes {
		if err := l.await(); err != nil {
			return nil, err
		}
	}
	return samples, nil
}

// print writes what was measured.
func print(healthy, crashed []*sample) {
	header := []string{"", "from", "n", "median", "p95", "slowest", "verdict"}
	ecsDone := func(s *sample) time.Time { return s.ended }
	rehearsal.WriteTable(os.Stdout, header, [][]string{
		line("ship", "last task healthy", healthy, fact, exited, shipVerdict),
		line("of it, until ECS says SUCCESSFUL", "last task healthy", healthy, fact, ecsDone, nil),
		line("of it, since ECS says SUCCESSFUL", "SUCCESSFUL", healthy, ecsDone, exited, nil),
		line("aws ecs wait services-stable", "last task healthy", healthy, fact, waited, waiterVerdict),
		line("ship, and what ran before runs again", "second crash", crashed, fact, exited, shipVerdict),
		line("aws ecs wait services-stable", "second crash", crashed, fact, waited, waiterVerdict),
	})
}

func fact(s *sample) time.Time   { return s.fact }
func exited(s *sample) time.Time { return s.exited }
func waited(s *sample) time.Time { return s.waited }

func shipVerdict(s *sample) string { return fmt.Sprintf("%s, exit %d", s.outcome, s.exit) }

func waiterVerdict(s *sample) string {
	if s.waiter == 0 {
		return "stable, exit 0"
	}
	return fmt.Sprintf("exit %d", s.waiter)
}

func line(what, from string, samples []*sample, begin, end func(*sample) time.Time, verdict func(*sample) string) []string {
	var times []time.Duration
	verdicts := map[string]int{}
	for _, s := range samples {
		times = append(times, end(s).Sub(begin(s)))
		if verdict != nil {
			verdicts[verdict(s)]++
		}
	}
	slices.Sort(times)
	seconds := func(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }
	var said []string
	for _, v := range slices.Sorted(maps.Keys(verdicts)) {
		said = append(said, fmt.Sprintf("%d × %s", verdicts[v], v))
	}
	return []string{what, from, fmt.Sprint(len(times)), seconds(rehearsal.Percentile(times, 50)), seconds(rehearsal.Percentile(times, 95)), seconds(times[len(times)-1]), strings.Join(said, "; ")}
}
