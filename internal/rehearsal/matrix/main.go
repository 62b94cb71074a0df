// Command matrix ships good and bad versions of an app in every combination of {kind of fault} × {strategy} × {circuit
// breaker} × {number of tasks}, each to a service of its own on one local AWS with real containers, under load. It prints
// what became of each: outcome, exit code, seconds to the verdict, what runs and is served afterwards, what :latest names,
// requests that failed, and what the failure was explained by. It fails, and says why, when a release was green that
// should not be, when the old version stopped serving, when :latest is not what runs, or when the explanation is wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// options are the command line.
type options struct {
	rehearsal.Tools
	foreign  string
	parallel int
	reduced  bool
	only     string
	asJSON   bool
	hold     string
}

func main() {
	var o options
	o.Flags()
	flag.StringVar(&o.foreign, "foreign", "internal/rehearsal/testdata/foreign", "the program that is built for another CPU")
	flag.IntVar(&o.parallel, "parallel", 5, "how many cells at once")
	flag.BoolVar(&o.reduced, "reduced", false, "one cell of each kind, together with every strategy, breaker and number of tasks")
	flag.StringVar(&o.only, "only", "", "only cells with this in their name, such as \"OOM, latest, breaker on\"")
	flag.BoolVar(&o.asJSON, "json", false, "print a JSON object a cell in place of the table")
	flag.StringVar(&o.hold, "hold", "", "only wait until whoever listens at this address ends the connection")
	rehearsal.Main("matrix", func(ctx context.Context) error {
		if o.hold != "" {
			return hold(o.hold)
		}
		return run(ctx, o)
	})
}

func run(ctx context.Context, o options) error {
	cells := o.cells()
	if len(cells) == 0 {
		return fmt.Errorf("there is no cell %q", o.only)
	}
	// A crash that comes late comes either before or after ECS counts the task: that takes two local AWS.
	timely := slices.DeleteFunc(slices.Clone(cells), func(c *cell) bool { return c.kind.late })
	late := slices.DeleteFunc(slices.Clone(cells), func(c *cell) bool { return !c.kind.late })
	var rows, more []row
	m := &matrix{options: o, slots: make(chan struct{}, max(1, o.parallel)), total: len(cells)}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		rows, err = m.onLocalAWS(ctx, timely, "--healthy-after", healthyAfter.String())
		return err
	})
	group.Go(func() (err error) {
		more, err = m.onLocalAWS(ctx, late)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return o.report(append(rows, more...))
}

// matrix is the cells on their way.
type matrix struct {
	options
	slots chan struct{} // as many cells at once as it has room for
	total int
	mu    sync.Mutex
	done  int
}

// healthyAfter is how long a task must run before it counts although its checks pass: on AWS the first check comes up to
// 30 s after the start.
const healthyAfter = 10 * time.Second

// cells are those that were asked for.
func (o options) cells() []*cell {
	var all []*cell
	for n, k := range kinds() {
		for i := range 8 {
			if o.reduced && i != n%8 {
				continue
			}
			c := &cell{kind: k, name: fmt.Sprintf("c%d%d", n, i)}
			c.combination = combination{k.name, []string{"latest", "pinned"}[i&1], i&2 == 0, []int{1, 4}[i>>2]}
			if strings.Contains(c.title(), o.only) {
				all = append(all, c)
			}
		}
	}
	return all
}

// onLocalAWS runs cells on a local AWS of their own. The rows are in the order of the cells.
func (m *matrix) onLocalAWS(ctx context.Context, cells []*cell, flags ...string) (rows []row, err error) {
	if len(cells) == 0 {
		return nil, nil
	}
	err = m.OnStage(ctx, func(ctx context.Context, stage *rehearsal.Stage) (err error) {
		rows, err = m.walkAll(ctx, stage, cells, flags)
		return err
	})
	return rows, err
}

func (m *matrix) walkAll(ctx context.Context, stage *rehearsal.Stage, cells []*cell, flags []string) ([]row, error) {
	compiled, err := m.compile(ctx, stage)
	if err != nil {
		return nil, err
	}
	if err := stage.Up(ctx, flags...); err != nil {
		return nil, err
	}
	cloud, err := stage.Cloud(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]row, len(cells))
	var all sync.WaitGroup
	for i, c := range cells {
		c.programs, c.cloud = compiled, cloud
		select {
		case m.slots <- struct{}{}:
		case <-ctx.Done():
			continue // it is not begun any more
		}
		all.Go(func() {
			defer func() { <-m.slots }()
			rows[i] = m.walk(ctx, stage, c)
		})
	}
	all.Wait()
	return rows, ctx.Err()
}

// walk runs one cell. One that cannot be run is a violation: nothing is known of it.
func (m *matrix) walk(ctx context.Context, stage *rehearsal.Stage, c *cell) row {
	s, err := c.run(ctx, stage, m.Example)
	r := newRow(c.kind, c.combination, s)
	if err != nil {
		r.Violations = []string{"it could not be run to its end: " + err.Error()}
	} else {
		r.Violations = append(r.Violations, violations(c.kind, c.Tasks, s)...)
	}
	m.tell(c, r, s)
	return r
}

func (o options) compile(ctx context.Context, stage *rehearsal.Stage) (programs, error) {
	compiled := programs{hello: filepath.Join(stage.Dir, "hello"), foreign: filepath.Join(stage.Dir, "foreign")}
	return compiled, errors.Join(
		rehearsal.Compile(ctx, o.Example, "amd64", compiled.hello),
		rehearsal.Compile(ctx, o.foreign, "arm64", compiled.foreign),
	)
}

func (c combination) title() string {
	breaker := "breaker off"
	if c.Breaker {
		breaker = "breaker on"
	}
	return fmt.Sprintf("%s, %s, %s, %d tasks", c.Kind, c.Strategy, breaker, c.Tasks)
}

// tell says of a cell how it ended.
func (m *matrix) tell(c *cell, r row, s seen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
	fmt.Fprintf(os.Stderr, "%2d of %d  %s: %s, exit %d, %.1f s\n", m.done, m.total, c.title(), r.Outcome, r.Exit, r.Total)
	if len(r.Violations) > 0 {
		fmt.Fprintf(os.Stderr, "  %s\n%s\n", strings.Join(r.Violations, "\n  "), s.shipped.Raw)
	}
}

// report prints the matrix; violations are an error.
func (o options) report(rows []row) error {
	var found []string
	for _, r := range rows {
		for _, v := range r.Violations {
			found = append(found, r.title()+": "+v)
		}
		if o.asJSON {
			if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
				return err
			}
		}
	}
	if !o.asJSON {
		print(os.Stdout, rows)
	}
	if len(found) > 0 {
		return fmt.Errorf("%d violations:\n  %s", len(found), strings.Join(found, "\n  "))
	}
	fmt.Fprintf(os.Stderr, "%d cells, no violation\n", len(rows))
	return nil
}
