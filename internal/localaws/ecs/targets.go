package ecs

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The pace at which a target's health is read from the load balancer: quick until it is healthy, because a rollout waits
// for it.
const (
	targetPoll       = 10 * time.Millisecond
	targetPollSteady = 500 * time.Millisecond
)

// balancers are the load balancers of the task's revision. The lock is held.
func (b *Backend) balancers(t *task) []types.LoadBalancer {
	if r, ok := b.memory.revisions[t.Revision]; ok {
		return r.Rev.LoadBalancers
	}
	return nil
}

// join registers a task with its service's target groups.
func (b *Backend) join(ctx context.Context, t *task) error {
	var groups []types.LoadBalancer
	b.locked(func() { groups = b.balancers(t) })
	for _, l := range groups {
		target, err := t.target(int(*l.ContainerPort))
		if err != nil {
			return err
		}
		if err := b.LoadBalancer.Register(ctx, *l.TargetGroupArn, target); err != nil {
			return fmt.Errorf("ResourceInitializationError: register target with %s: %w", *l.TargetGroupArn, err)
		}
		b.lock()
		if _, known := t.Targets[*l.TargetGroupArn]; !known { // a task that was taken over is no news
			t.Targets[*l.TargetGroupArn] = false
			b.saveTask(t)
			s := b.memory.services[t.serviceKey()]
			b.event(s, fmt.Sprintf("(service %s) registered 1 targets in (target-group %s)", s.Name, *l.TargetGroupArn))
		}
		b.unlock()
	}
	return nil
}

// target is how the load balancer reaches a port of the task.
func (t *task) target(port int) (Target, error) {
	if t.Published == nil {
		return Target{ID: t.id(), IP: t.IP, Port: port}, nil
	}
	host, published, err := net.SplitHostPort(t.Published[port])
	if err != nil {
		return Target{}, fmt.Errorf("ResourceInitializationError: the container engine did not publish port %d: %w", port, err)
	}
	number, err := strconv.Atoi(published)
	return Target{ID: t.id(), IP: host, Port: number}, err
}

// leave takes a task out of its target groups and returns when the requests in flight are done.
func (b *Backend) leave(ctx context.Context, t *task) {
	var groups []string
	b.locked(func() {
		for group := range t.Targets {
			groups = append(groups, group)
		}
		if s, ok := b.memory.services[t.serviceKey()]; ok && len(groups) > 0 {
			b.event(s, fmt.Sprintf("(service %s) has begun draining connections on 1 tasks.", s.Name))
		}
	})
	var all sync.WaitGroup
	for _, group := range groups {
		all.Go(func() {
			if err := b.LoadBalancer.Deregister(ctx, group, t.id()); err != nil && ctx.Err() == nil {
				b.Log.Error("ecs: deregister target", "group", group, "task", t.id(), "err", err)
			}
		})
	}
	all.Wait()
	b.lock()
	defer b.unlock()
	for _, group := range groups {
		if s, ok := b.memory.services[t.serviceKey()]; ok && ctx.Err() == nil {
			b.event(s, fmt.Sprintf("(service %s) deregistered 1 targets in (target-group %s)", s.Name, group))
		}
	}
}

// watchTargets follows a task's health in its target groups until the task stops.
func (b *Backend) watchTargets(ctx context.Context, t *task, r *runner) {
	var groups []types.LoadBalancer
	b.locked(func() { groups = b.balancers(t) })
	for _, l := range groups {
		r.watchers.Go(func() { b.watchTarget(ctx, t, *l.TargetGroupArn, r) })
	}
}

func (b *Backend) watchTarget(ctx context.Context, t *task, group string, r *runner) {
	tick := time.NewTimer(0)
	defer tick.Stop()
	wasHealthy := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.stop:
			return
		case <-tick.C:
		}
		state, _ := b.LoadBalancer.Health(group, t.id())
		wasHealthy = wasHealthy || state == "healthy"
		b.noteTarget(t, group, state, wasHealthy)
		tick.Reset(targetPoll)
		if state == "healthy" {
			tick.Reset(targetPollSteady)
		}
	}
}

// noteTarget notes a target's state. A task whose target is unhealthy is replaced: at once when it was healthy before,
// after the load balancer's patience with new targets otherwise, and never within the grace period.
func (b *Backend) noteTarget(t *task, group, state string, wasHealthy bool) {
	b.lock()
	defer b.unlock()
	if t.leaving() || state == "initial" && t.Targets[group] {
		return // "initial" after healthy: the load balancer is new, and has not found anything wrong
	}
	if well := state == "healthy"; t.Targets[group] != well {
		t.Targets[group] = well
		b.saveTask(t)
		b.wake(t.serviceKey())
	}
	if state != "unhealthy" || b.inGrace(t) || t.T.StartedAt == nil {
		return
	}
	if wasHealthy || time.Since(*t.T.StartedAt) >= b.TargetPatience {
		b.stop(t, types.TaskStopCodeServiceSchedulerInitiated, reasonTargetHealth+group+")")
	}
}
