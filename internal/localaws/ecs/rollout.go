package ecs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// deploy starts a new deployment of a service: a new revision of everything that its tasks are made from. One that is in
// flight is overtaken. The lock is held.
func (b *Backend) deploy(s *service, d *taskDefinition) {
	b.finish(s, types.ServiceDeploymentStatusStopped, "A newer deployment of the service was started.")
	now := time.Now()
	rev := b.newRevision(s, d, now)
	sd := &deployment{Region: s.Region, Cluster: s.Cluster, Service: s.Name, Seq: now.UnixNano()}
	if before, ok := b.memory.deployments[s.Deployment]; ok {
		sd.Seq = max(sd.Seq, before.Seq+1)
	}
	sd.SD = types.ServiceDeployment{
		ServiceDeploymentArn: aws.String(arn(s.Region, "service-deployment/"+s.Cluster+"/"+s.Name+"/"+newServiceDeploymentID())),
		ServiceArn:           aws.String(s.arn()), ClusterArn: aws.String(s.clusterArn()),
		CreatedAt: &now, StartedAt: &now, UpdatedAt: &now, Status: types.ServiceDeploymentStatusPending,
		DeploymentConfiguration: s.Def.DeploymentConfiguration,
		TargetServiceRevision:   &types.ServiceRevisionSummary{Arn: aws.String(rev.arn())},
		SourceServiceRevisions:  b.runningRevisions(s),
	}
	b.memory.revisions[rev.arn()], b.memory.deployments[sd.arn()] = rev, sd
	s.Deployment, s.Revision, s.Halted, s.Steady = sd.arn(), rev.arn(), false, false
	s.Failures, s.NotBefore = 0, time.Time{}
	b.saveRevision(rev)
	b.saveDeployment(sd)
	b.saveService(s)
	b.wake(s.key())
}

func (b *Backend) newRevision(s *service, d *taskDefinition, now time.Time) *revision {
	rev := &revision{Region: s.Region, Cluster: s.Cluster, Service: s.Name, ID: newDeploymentID(), Deployed: now, Updated: now}
	rev.Rev = types.ServiceRevision{
		ServiceRevisionArn: aws.String(arn(s.Region, "service-revision/"+s.Cluster+"/"+s.Name+"/"+newRevisionID())),
		ServiceArn:         aws.String(s.arn()), ClusterArn: aws.String(s.clusterArn()), CreatedAt: &now,
		TaskDefinition: d.Def.TaskDefinitionArn, LaunchType: s.Def.LaunchType, CapacityProviderStrategy: s.Def.CapacityProviderStrategy,
		LoadBalancers: s.Def.LoadBalancers, NetworkConfiguration: s.Def.NetworkConfiguration, PlatformVersion: s.Def.PlatformVersion,
		ContainerImages: []types.ContainerImage{},
	}
	for _, c := range d.Def.ContainerDefinitions {
		rev.Rev.ContainerImages = append(rev.Rev.ContainerImages, types.ContainerImage{ContainerName: c.Name, Image: c.Image})
	}
	return rev
}

// runningRevisions are the revisions that a service's tasks run now.
func (b *Backend) runningRevisions(s *service) []types.ServiceRevisionSummary {
	all := []types.ServiceRevisionSummary{}
	byRevision := b.count(s)
	for _, r := range b.revisionsOf(s) {
		counts := byRevision[r.arn()]
		if counts.running+counts.pending > 0 {
			all = append(all, types.ServiceRevisionSummary{Arn: aws.String(r.arn()), RequestedTaskCount: s.Def.DesiredCount, RunningTaskCount: int32(counts.running), PendingTaskCount: int32(counts.pending)})
		}
	}
	return all
}

// finish ends the service's deployment if it is in flight. The lock is held.
func (b *Backend) finish(s *service, status types.ServiceDeploymentStatus, reason string) {
	d, ok := b.memory.deployments[s.Deployment]
	if !ok || !d.inFlight() {
		return
	}
	now := time.Now()
	d.SD.Status, d.SD.StatusReason = status, &reason
	d.SD.FinishedAt, d.SD.UpdatedAt = &now, &now
	if status == types.ServiceDeploymentStatusStopped {
		d.SD.StoppedAt = &now
	}
	b.saveDeployment(d)
}

// begin marks a deployment as under way. The lock is held.
func (b *Backend) begin(d *deployment) {
	if d.SD.Status != types.ServiceDeploymentStatusPending {
		return
	}
	d.SD.Status, d.SD.UpdatedAt = types.ServiceDeploymentStatusInProgress, aws.Time(time.Now())
	b.saveDeployment(d)
}

// complete ends a deployment whose tasks are all healthy and the only ones. The lock is held.
func (b *Backend) complete(s *service, d *deployment) {
	id := b.memory.revisions[s.Revision].ID
	if d.SD.Rollback != nil {
		b.finish(s, types.ServiceDeploymentStatusRollbackSuccessful, *d.SD.Rollback.Reason)
	} else {
		b.finish(s, types.ServiceDeploymentStatusSuccessful, "")
		d.SD.StatusReason = nil
		b.saveDeployment(d)
		s.LastGood = s.Revision
	}
	b.event(s, fmt.Sprintf("(service %s) (deployment %s) deployment completed.", s.Name, id))
}

// rollback turns a deployment around: the last good revision, with the digests that it resolved, is what shall run again.
// It reports false when there is none. The lock is held.
func (b *Backend) rollback(s *service, d *deployment, reason string) bool {
	good, ok := b.memory.revisions[s.LastGood]
	if !ok || d.SD.Rollback != nil {
		return false
	}
	now := time.Now()
	d.SD.Rollback = &types.Rollback{Reason: &reason, ServiceRevisionArn: aws.String(good.arn()), StartedAt: &now}
	d.SD.Status, d.SD.StatusReason, d.SD.UpdatedAt = types.ServiceDeploymentStatusRollbackInProgress, &reason, &now
	failed := b.memory.revisions[s.Revision]
	s.Revision, s.Halted, s.Failures, s.NotBefore = good.arn(), false, 0, time.Time{}
	s.Def.TaskDefinition = good.Rev.TaskDefinition
	good.Updated = now
	b.saveRevision(good)
	b.saveDeployment(d)
	b.saveService(s)
	b.event(s, fmt.Sprintf("(service %s) rolling back to deployment %s.", s.Name, good.ID))
	b.Log.Info("ecs: rollback", "service", s.Name, "from", failed.ID, "to", good.ID, "reason", reason)
	b.wake(s.key())
	return true
}

// giveUp stops a deployment that has nothing to go back to, or may not. What runs goes on running. The lock is held.
func (b *Backend) giveUp(s *service, d *deployment, reason string) {
	status := types.ServiceDeploymentStatusStopped
	if d.SD.Rollback != nil {
		status = types.ServiceDeploymentStatusRollbackFailed
	}
	b.finish(s, status, reason)
	s.Halted = true
	b.saveService(s)
	b.wake(s.key())
}

// Bounds of the circuit breaker's default threshold.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-circuit-breaker.html
const (
	breakerPercent = 50
	breakerMin     = 3
	breakerMax     = 200
)

// breakerThreshold is how many failed tasks trigger the circuit breaker.
func breakerThreshold(c *types.DeploymentCircuitBreaker, desired int) int {
	kind, value := types.ThresholdTypeBoundedPercent, breakerPercent
	if c != nil && c.ThresholdConfiguration != nil {
		kind, value = c.ThresholdConfiguration.Type, int(c.ThresholdConfiguration.Value)
	}
	percent := (desired*value + 99) / 100
	switch kind {
	case types.ThresholdTypeCount:
		return max(1, value)
	case types.ThresholdTypeUnboundedPercent:
		return max(1, percent)
	}
	return min(max(percent, breakerMin), breakerMax)
}

// failed counts a task of the current deployment that stopped without ever being healthy. The lock is held.
func (b *Backend) failed(s *service, t *task) {
	if t.Counted || t.WasHealthy || t.Revision != s.Revision || !failure(t) {
		return
	}
	t.Counted = true
	b.saveTask(t)
	s.Failures++
	s.NotBefore = time.Now().Add(restartDelay(s.Failures))
	b.saveService(s)
	if s.Failures == throttledFrom {
		b.event(s, fmt.Sprintf("(service %s) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section.", s.Name))
	}
	if d := b.memory.deployments[s.Deployment]; d != nil && d.inFlight() {
		*d.failures()++
		b.saveDeployment(d)
		b.trip(s, d)
	}
}

// trip ends a deployment in which the circuit breaker's threshold of failed tasks is reached. The lock is held.
func (b *Backend) trip(s *service, d *deployment) {
	breaker := s.Def.DeploymentConfiguration.DeploymentCircuitBreaker
	if breaker == nil || !breaker.Enable || *d.failures() < breakerThreshold(breaker, s.desired()) {
		return
	}
	const reason = "ECS deployment circuit breaker: tasks failed to start."
	id := b.memory.revisions[s.Revision].ID
	b.event(s, fmt.Sprintf("(service %s) (deployment %s) deployment failed: tasks failed to start.", s.Name, id))
	if !breaker.Rollback || !b.rollback(s, d, reason) {
		b.giveUp(s, d, reason)
	}
}

// failure reports whether a task stopped by a fault of its own.
func failure(t *task) bool {
	switch t.T.StopCode {
	case types.TaskStopCodeTaskFailedToStart, types.TaskStopCodeEssentialContainerExited:
		return true
	case types.TaskStopCodeServiceSchedulerInitiated:
		reason := aws.ToString(t.T.StoppedReason)
		return reason == reasonContainerHealth || strings.HasPrefix(reason, reasonTargetHealth)
	}
	return false
}

// restartDelay throttles the start of tasks that keep failing, as ECS does; the first failures are retried at once.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-throttle-logic.html
func restartDelay(failures int) time.Duration {
	if failures < throttledFrom {
		return 0
	}
	return min(time.Second<<min(failures-throttledFrom, 10), 5*time.Minute)
}

// throttledFrom is how many tasks in a row must fail before the next start waits.
const throttledFrom = 3

// Stop reasons, in ECS's own words.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
const (
	reasonContainerHealth = "Task failed container health checks"
	reasonTargetHealth    = "Task failed ELB health checks in (target-group "
	reasonEssential       = "Essential container in task exited"
)

// event adds to a service's events: the newest first, at most 100. The lock is held.
func (b *Backend) event(s *service, text string) {
	const most = 100
	e := types.ServiceEvent{Id: aws.String(newUUID()), CreatedAt: aws.Time(time.Now()), Message: &text}
	s.Def.Events = slices.Insert(s.Def.Events, 0, e)
	s.Def.Events = s.Def.Events[:min(len(s.Def.Events), most)]
	b.saveService(s)
}

// revisionsOf are a service's revisions, newest first. The lock is held.
func (b *Backend) revisionsOf(s *service) []*revision {
	var all []*revision
	for _, r := range b.memory.revisions {
		if r.Region == s.Region && r.Cluster == s.Cluster && r.Service == s.Name {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b *revision) int {
		if c := b.Deployed.Compare(a.Deployed); c != 0 {
			return c
		}
		return cmp.Compare(a.arn(), b.arn())
	})
	return all
}

// deploymentsOf are a service's deployments, newest first. The lock is held.
func (b *Backend) deploymentsOf(s *service) []*deployment {
	var all []*deployment
	for _, d := range b.memory.deployments {
		if d.serviceKey() == s.key() {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *deployment) int { return cmp.Compare(b.Seq, a.Seq) })
	return all
}

// tasksOf are a service's tasks, oldest first, stopped ones included. The lock is held.
func (b *Backend) tasksOf(s *service) []*task {
	var all []*task
	for _, t := range b.memory.tasks {
		if t.Service != "" && t.serviceKey() == s.key() {
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *task) int {
		if c := a.T.CreatedAt.Compare(*b.T.CreatedAt); c != 0 {
			return c
		}
		return cmp.Compare(a.arn(), b.arn())
	})
	return all
}

// counts are tasks of one revision.
type counts struct{ running, pending, leaving, healthy int }

// count counts a service's tasks by revision. The lock is held.
func (b *Backend) count(s *service) map[string]counts {
	all := map[string]counts{}
	for _, t := range b.memory.tasks {
		if t.Service != s.Name || t.stopped() || t.serviceKey() != s.key() {
			continue
		}
		c := all[t.Revision]
		switch {
		case t.leaving():
			c.leaving++
		case t.status() == statusRunning:
			c.running++
			c.healthy += one(b.healthy(s, t))
		default:
			c.pending++
		}
		all[t.Revision] = c
	}
	return all
}
