package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
)

// Lanes are apps of their own on one local AWS, so that rounds of an experiment run side by side.
type Lanes struct {
	stages []*Stage
}

// NewLanes plants n apps on the stage, each with the example's program.
func NewLanes(ctx context.Context, s *Stage, example string, n int, app App) (*Lanes, error) {
	app.Binary = filepath.Join(s.Dir, "hello")
	if err := Compile(ctx, example, "amd64", app.Binary); err != nil {
		return nil, err
	}
	name, lanes := app.Name, &Lanes{}
	for i := range n {
		app.Name = fmt.Sprintf("%s-%d", name, i+1)
		planted, err := s.Plant(example, app)
		if err != nil {
			return nil, err
		}
		lanes.stages = append(lanes.stages, planted)
	}
	return lanes, nil
}

// Each runs rounds 1, 2, … on whichever lane is free, until one says that there is no further round or fails.
func (l *Lanes) Each(ctx context.Context, round func(ctx context.Context, lane *Stage, n int) (more bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	next, failures := 0, []error{}
	take := func() int {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next
	}
	var all sync.WaitGroup
	for _, lane := range l.stages {
		all.Go(func() {
			for ctx.Err() == nil {
				n := take()
				more, err := round(ctx, lane, n)
				if err != nil {
					mu.Lock()
					failures = append(failures, fmt.Errorf("round %d: %w", n, err))
					mu.Unlock()
					cancel()
				}
				if !more {
					return
				}
			}
		})
	}
	all.Wait()
	return errors.Join(failures...)
}

// Enumerate kills the story at its first, second, … event until it is over before that. It gives the events.
func (l *Lanes) Enumerate(ctx context.Context, story Story) ([]string, error) {
	var mu sync.Mutex
	at := map[int]string{}
	err := l.Each(ctx, func(ctx context.Context, lane *Stage, n int) (bool, error) {
		killed, err := story.Kill(ctx, lane, n)
		if err == nil && !killed.Ended {
			mu.Lock()
			at[n] = killed.Last()
			mu.Unlock()
		}
		return !killed.Ended, err
	})
	var table []string
	for n := 1; n <= len(at); n++ {
		if at[n] != "" { // in one lane the release may have had an event less than in another
			table = append(table, at[n])
		}
	}
	return table, err
}
