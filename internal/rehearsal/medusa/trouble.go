package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/shop"
)

// databasePatience is how long the load balancer may take to see that the database is gone, or back.
const databasePatience = time.Minute

// withoutDatabase stops PostgreSQL for a while. The tasks are alive, which /health says, but not ready, which the load
// balancer finds out at /ready: they get no requests, are not replaced, and serve again when the database is back.
func (s *show) withoutDatabase(ctx context.Context) error {
	s.say("the database goes away for a while: alive is not ready")
	before, err := s.tasks(ctx)
	if err != nil {
		return err
	}
	s.tell("PostgreSQL stopped")
	if err := s.Data.StopPostgres(); err != nil {
		return err
	}
	if err := s.await(ctx, http.StatusServiceUnavailable); err != nil {
		return err
	}
	s.tell("GET /ready: 503, from the load balancer, which has no healthy target")
	s.tell("PostgreSQL started")
	if err := s.Data.StartPostgres(ctx); err != nil {
		return err
	}
	if err := s.await(ctx, http.StatusOK); err != nil {
		return err
	}
	after, err := s.tasks(ctx)
	if err != nil {
		return err
	}
	s.tell("GET /ready: 200, from the same %d tasks", len(after))
	if !slices.Equal(before, after) {
		return fmt.Errorf("tasks were replaced: %q, now %q", before, after)
	}
	return nil
}

// tasks are the ARNs of the tasks of both services.
func (s *show) tasks(ctx context.Context) (arns []string, err error) {
	for _, service := range []string{shop.Server, shop.Worker} {
		all, err := s.Cloud.Tasks(ctx, shop.Cluster, service, types.DesiredStatusRunning)
		if err != nil {
			return nil, err
		}
		for _, one := range all {
			arns = append(arns, *one.TaskArn)
		}
	}
	return arns, nil
}

// await waits until /ready answers that status.
func (s *show) await(ctx context.Context, want int) error {
	ctx, cancel := context.WithTimeout(ctx, databasePatience)
	defer cancel()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	got := 0
	for got != want {
		select {
		case <-ctx.Done():
			return fmt.Errorf("/ready answers %d, want %d: %w", got, want, context.Cause(ctx))
		case <-ticker.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/ready", nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			got = resp.StatusCode
			if err := resp.Body.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}
