package ecs

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// reconcile makes one step from what runs towards what is wanted. It tells when to look again although nothing happens
// (0: never), and whether a deleted service's last task has stopped.
func (b *Backend) reconcile(key string) (again time.Duration, drained bool) {
	b.lock()
	defer b.unlock()
	return b.advance(b.memory.services[key])
}

// advance is reconcile with the lock held.
func (b *Backend) advance(s *service) (again time.Duration, drained bool) {
	tasks := b.tasksOf(s)
	again = b.settle(s, tasks)
	if !s.Halted || s.desired() == 0 {
		again = sooner(again, b.step(s, tasks))
	}
	if *s.Def.Status != statusDraining {
		return again, false
	}
	return again, !slices.ContainsFunc(tasks, func(t *task) bool { return !t.stopped() })
}

// settle notes which tasks became healthy or failed. It tells when a task that needs nothing but time will count.
func (b *Backend) settle(s *service, tasks []*task) (again time.Duration) {
	for _, t := range tasks {
		if t.stopped() || t.leaving() {
			b.failed(s, t)
			continue
		}
		if b.healthy(s, t) {
			b.becameHealthy(s, t)
			continue
		}
		if wait, counting := b.steadyIn(s, t); counting {
			again = sooner(again, wait)
		}
	}
	return again
}

func (b *Backend) becameHealthy(s *service, t *task) {
	if t.WasHealthy {
		return
	}
	t.WasHealthy = true
	b.saveTask(t)
	if t.Revision != s.Revision {
		return
	}
	s.Failures, s.NotBefore = 0, time.Time{}
	b.saveService(s)
	d := b.memory.deployments[s.Deployment]
	if d != nil && d.inFlight() && resetsOnHealthy(s.Def.DeploymentConfiguration.DeploymentCircuitBreaker) {
		*d.failures() = 0
		b.saveDeployment(d)
	}
}

// resetsOnHealthy reports whether a task that became healthy makes the circuit breaker count anew, which is the default.
func resetsOnHealthy(c *types.DeploymentCircuitBreaker) bool {
	return c == nil || c.ResetOnHealthyTask == nil || *c.ResetOnHealthyTask
}

// population is a service's live tasks, told apart by whether they are what shall run.
type population struct {
	fresh, old               []*task // not leaving, oldest first
	healthyFresh, healthyOld int
	leaving                  int
}

func (b *Backend) populate(s *service, tasks []*task) population {
	var p population
	for _, t := range tasks {
		healthy := b.healthy(s, t)
		switch {
		case t.stopped():
		case t.leaving():
			p.leaving++
		case t.Revision == s.Revision:
			p.fresh = append(p.fresh, t)
			p.healthyFresh += one(healthy)
		default:
			p.old = append(p.old, t)
			p.healthyOld += one(healthy)
		}
	}
	return p
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// bounds are how few healthy and how many live tasks a service may have: the minimum rounds up, the maximum down.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html
func bounds(s *service) (low, high int) {
	c := s.Def.DeploymentConfiguration
	return (s.desired()*int(*c.MinimumHealthyPercent) + 99) / 100, s.desired() * int(*c.MaximumPercent) / 100
}

// step starts and stops tasks as far as the bounds allow, and ends the deployment when all is as wanted.
func (b *Backend) step(s *service, tasks []*task) (again time.Duration) {
	if b.running == nil {
		return 0
	}
	p := b.populate(s, tasks)
	d := b.memory.deployments[s.Deployment]
	low, high := bounds(s)
	need := s.desired() - len(p.fresh)
	room := max(high, s.desired()*one(len(p.old) == 0)) - len(p.fresh) - len(p.old)
	if n := min(need, room); n > 0 {
		if wait := time.Until(s.NotBefore); wait > 0 {
			again = wait
		} else {
			b.begin(d)
			b.startTasks(s, n)
		}
	}
	b.stopOld(s, p, low, need > 0 && room <= 0)
	if need < 0 {
		b.stopSurplus(s, p, -need)
	}
	if s.active() && len(p.old) == 0 && p.leaving == 0 && len(p.fresh) == s.desired() && p.healthyFresh == s.desired() {
		b.arrived(s, d)
	}
	return again
}

// arrived ends the deployment and announces the steady state, each once.
func (b *Backend) arrived(s *service, d *deployment) {
	if d != nil && d.inFlight() {
		b.begin(d)
		b.complete(s, d)
	}
	if !s.Steady {
		s.Steady = true
		b.event(s, fmt.Sprintf("(service %s) has reached a steady state.", s.Name))
	}
}

// startTasks starts n tasks of the service's revision.
func (b *Backend) startTasks(s *service, n int) {
	rev := b.memory.revisions[s.Revision]
	d, err := b.definition(s.Region, rev.Rev.TaskDefinition)
	if err != nil {
		b.Log.Error("ecs: the revision's task definition is gone", "service", s.Name, "err", err)
		return
	}
	var ids []string
	for range n {
		t := newTask(s.Region, s.Cluster, d)
		t.Service, t.Revision = s.Name, s.Revision
		t.T.Group, t.T.StartedBy, t.T.LaunchType = aws.String("service:"+s.Name), aws.String(rev.ID), s.Def.LaunchType
		t.T.Tags = propagated(s.Def.PropagateTags, nil, d, s.Def.Tags)
		b.launch(t, d)
		ids = append(ids, "(task "+t.id()+")")
	}
	b.event(s, fmt.Sprintf("(service %s) has started %d tasks: %s.", s.Name, n, strings.Join(ids, " ")))
}

// stopOld stops tasks that are no longer wanted as far as enough healthy ones remain. Healthy old tasks go one for each
// fresh one that is healthy, or when there is no room to start a fresh one without it.
func (b *Backend) stopOld(s *service, p population, low int, blocked bool) {
	spare := p.healthyFresh + p.healthyOld - low
	replaced := p.healthyOld - max(0, s.desired()-p.healthyFresh)
	if blocked {
		replaced = max(replaced, 1)
	}
	allowed := min(spare, replaced)
	var ids []string
	for _, t := range p.old {
		if b.healthy(s, t) {
			if allowed <= 0 {
				continue
			}
			allowed--
		}
		b.stopForScaling(s, t)
		ids = append(ids, "(task "+t.id()+")")
	}
	b.stoppedEvent(s, ids)
}

// stopSurplus stops tasks above the desired count: those that are not healthy first, then the newest.
func (b *Backend) stopSurplus(s *service, p population, n int) {
	order := slices.Clone(p.fresh)
	slices.Reverse(order)
	slices.SortStableFunc(order, func(x, y *task) int { return cmp.Compare(one(b.healthy(s, x)), one(b.healthy(s, y))) })
	var ids []string
	for _, t := range order[:n] {
		b.stopForScaling(s, t)
		ids = append(ids, "(task "+t.id()+")")
	}
	b.stoppedEvent(s, ids)
}

func (b *Backend) stoppedEvent(s *service, ids []string) {
	if len(ids) > 0 {
		b.event(s, fmt.Sprintf("(service %s) has stopped %d running tasks: %s.", s.Name, len(ids), strings.Join(ids, " ")))
	}
}

func (b *Backend) stopForScaling(s *service, t *task) {
	b.stop(t, types.TaskStopCodeServiceSchedulerInitiated, fmt.Sprintf("Scaling activity initiated by (deployment %s)", b.memory.revisions[s.Revision].ID))
}

// retire makes a deleted service inactive, after its target groups are gone: a service of the same name may be made the
// moment it is inactive.
func (b *Backend) retire(ctx context.Context, key string) {
	var s *service
	var groups []types.LoadBalancer
	b.locked(func() {
		s = b.memory.services[key]
		groups = s.Def.LoadBalancers
	})
	for _, l := range groups {
		if err := b.LoadBalancer.Remove(ctx, *l.TargetGroupArn); err != nil && ctx.Err() == nil {
			b.Log.Error("ecs: remove target group", "group", *l.TargetGroupArn, "err", err)
		}
	}
	if ctx.Err() != nil {
		return // the next process finds it draining and does it again
	}
	b.locked(func() {
		s.Def.Status = aws.String(statusInactive)
		b.saveService(s)
		delete(b.wakes, key)
	})
}

// healthy reports whether a task counts: it runs, its health checks pass, its targets are healthy, and it has run for a
// while: for long when it has neither checks nor targets.
func (b *Backend) healthy(s *service, t *task) bool {
	if t.status() != statusRunning || t.leaving() {
		return false
	}
	for _, well := range t.Targets {
		if !well {
			return false
		}
	}
	if b.hasChecks(t) && t.T.HealthStatus != types.HealthStatusHealthy {
		return false
	}
	_, counting := b.steadyIn(s, t)
	return !counting
}

// hasChecks reports whether an essential container of the task has a health check.
func (b *Backend) hasChecks(t *task) bool {
	d, err := b.definition(t.Region, t.T.TaskDefinitionArn)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(d.Def.ContainerDefinitions, func(c types.ContainerDefinition) bool { return *c.Essential && checked(c) })
}

// checked reports whether a container has a health check.
func checked(c types.ContainerDefinition) bool {
	return c.HealthCheck != nil && c.HealthCheck.Command[0] != "NONE"
}

// steadyIn tells how long a task still has to run before it can count.
func (b *Backend) steadyIn(_ *service, t *task) (wait time.Duration, counting bool) {
	if t.status() != statusRunning || t.T.StartedAt == nil {
		return 0, false
	}
	least := b.SteadyAfter
	if len(t.Targets) > 0 || b.hasChecks(t) {
		least = b.HealthyAfter
	}
	wait = time.Until(t.T.StartedAt.Add(least))
	return wait, wait > 0
}

// sooner is the shorter of two waits, of which 0 means never.
func sooner(a, b time.Duration) time.Duration {
	switch {
	case a <= 0:
		return b
	case b <= 0:
		return a
	}
	return min(a, b)
}
