package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// settle is how long a task must have run before a rollout is green. A crash after 5 s comes within it.
	settle = 8 * time.Second
	// memory is every container's hard limit in MiB: the app needs a tenth of it.
	memory = 64
	// registry is how task definitions name the registry, on AWS and here.
	registry = "000000000000.dkr.ecr.us-east-1.amazonaws.com/"
)

// programs are what images hold; they are compiled once.
type programs struct{ hello, foreign string }

// combination is where in the matrix a cell is.
type combination struct {
	Kind     string `json:"kind"`
	Strategy string `json:"strategy"`
	Breaker  bool   `json:"breaker"`
	Tasks    int    `json:"tasks"`
}

// cell is one service of the matrix: the good version runs, and then another version is shipped.
type cell struct {
	combination
	kind     kind
	name     string
	programs programs
	app      *rehearsal.Stage
	cloud    *rehearsal.Cloud
}

// seen is what a cell showed.
type seen struct {
	good, shipped rehearsal.Result
	load          rehearsal.LoadReport
	digests       []string // of the tasks that ECS wants, afterwards
	crashed       []string // ids of the new version's tasks that stopped
	tagged        string   // what :latest names afterwards
	page          string   // what is served afterwards
}

// run walks the cell. An error is one of the rehearsal, not of what it shows.
func (c *cell) run(ctx context.Context, stage *rehearsal.Stage, example string) (s seen, err error) {
	if c.app, err = stage.Plant(example, c.definition()); err != nil {
		return s, err
	}
	if c.kind.before != nil {
		if err := c.kind.before(ctx, c); err != nil {
			return s, err
		}
	}
	if s.good, err = c.app.Green(ctx, release.OutcomeSucceeded, "ship"); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, c.cloud.DeleteService(context.WithoutCancel(ctx), c.name, c.name)) }()
	if err := c.ship(ctx, &s); err != nil {
		return s, err
	}
	return s, c.look(ctx, &s)
}

// definition is the app as it is deployed in this cell.
func (c *cell) definition() rehearsal.App {
	return rehearsal.App{
		Name: c.name, Binary: c.programs.hello, Strategy: c.Strategy, Tasks: c.Tasks, Breaker: c.Breaker, Settle: settle,
		Task: func(task map[string]any) {
			if containers, ok := task["containerDefinitions"].([]any); ok {
				if main, ok := containers[0].(map[string]any); ok {
					main["memory"] = memory
				}
			}
			if c.kind.task != nil {
				c.kind.task(c, task)
			}
		},
	}
}

// ship breaks the app and ships it under load.
func (c *cell) ship(ctx context.Context, s *seen) (err error) {
	load := rehearsal.StartTraffic(ctx, rehearsal.Traffic{URL: s.good.Services[0].URL, KeepAlive: 1, Every: 20 * time.Millisecond})
	defer func() { s.load = load.Stop() }()
	if c.kind.plant != nil {
		if err := c.kind.plant(ctx, c); err != nil {
			return err
		}
	}
	if c.kind.during != nil {
		wait, heldErr := c.whileBuilding(ctx, c.kind.during)
		if heldErr != nil {
			return heldErr
		}
		defer func() { err = errors.Join(err, wait()) }()
	}
	if _, err := c.app.Commit(c.Kind); err != nil {
		return err
	}
	s.shipped, err = c.app.Release(ctx, "ship")
	return err
}

// look asks ECS and ECR themselves, and the service, what is there now.
func (c *cell) look(ctx context.Context, s *seen) (err error) {
	if s.digests, err = c.cloud.Digests(ctx, c.name, c.name, c.name); err != nil {
		return err
	}
	stopped, err := c.cloud.Tasks(ctx, c.name, c.name, types.DesiredStatusStopped)
	if err != nil {
		return err
	}
	for _, t := range stopped {
		if rehearsal.DigestOf(t, c.name) == string(s.shipped.Digest) {
			s.crashed = append(s.crashed, path.Base(aws.ToString(t.TaskArn)))
		}
	}
	if s.tagged, err = c.cloud.Tagged(ctx, c.name, "latest"); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	if s.page, err = rehearsal.Get(ctx, client, s.good.Services[0].URL); err != nil {
		s.page = fmt.Sprint("no page: ", err)
	}
	return nil
}
