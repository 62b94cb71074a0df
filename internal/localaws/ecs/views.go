package ecs

import (
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Views are what operations answer. They share nothing that changes later with the state, because they are encoded after
// the lock is released.

// serviceView computes what runs and adds it to what was asked for. The lock is held.
func (b *Backend) serviceView(s *service) types.Service {
	view := s.Def
	view.Events = slices.Clone(s.Def.Events)
	view.Tags = slices.Clone(s.Def.Tags)
	view.Deployments = []types.Deployment{}
	view.RunningCount, view.PendingCount = 0, 0
	for _, t := range b.memory.tasks {
		if t.Service == "" || t.serviceKey() != s.key() || t.stopped() {
			continue
		}
		switch t.status() {
		case statusRunning:
			view.RunningCount++
		case statusProvisioning, statusPending, statusActivating:
			view.PendingCount++
		}
	}
	if s.Deployment != "" {
		view.CurrentServiceDeployment = aws.String(s.Deployment)
	}
	view.CurrentServiceRevisions = []types.ServiceCurrentRevisionSummary{}
	if *s.Def.Status == statusInactive {
		return view
	}
	byRevision := b.count(s)
	for _, r := range b.revisionsOf(s) {
		c := byRevision[r.arn()]
		if r.arn() == s.Revision {
			view.Deployments = slices.Insert(view.Deployments, 0, b.primaryView(s, r, c))
		} else if c.running+c.pending+c.leaving > 0 {
			view.Deployments = append(view.Deployments, b.activeView(s, r, c))
		}
		if c.running+c.pending > 0 {
			view.CurrentServiceRevisions = append(view.CurrentServiceRevisions, types.ServiceCurrentRevisionSummary{
				Arn: aws.String(r.arn()), RequestedTaskCount: s.Def.DesiredCount, RunningTaskCount: int32(c.running), PendingTaskCount: int32(c.pending),
			})
		}
	}
	return view
}

// deploymentView is one entry of a service's deployments.
func deploymentView(s *service, r *revision, c counts, status string) types.Deployment {
	return types.Deployment{
		Id: &r.ID, Status: &status, TaskDefinition: r.Rev.TaskDefinition, CreatedAt: aws.Time(r.Deployed), UpdatedAt: aws.Time(r.Updated),
		RunningCount: int32(c.running), PendingCount: int32(c.pending),
		LaunchType: s.Def.LaunchType, NetworkConfiguration: s.Def.NetworkConfiguration, PlatformVersion: s.Def.PlatformVersion,
		RolloutState: types.DeploymentRolloutStateCompleted, RolloutStateReason: aws.String("ECS deployment " + r.ID + " completed."),
	}
}

// activeView is the entry of a deployment whose tasks have yet to go.
func (b *Backend) activeView(s *service, r *revision, c counts) types.Deployment {
	view := deploymentView(s, r, c, "ACTIVE")
	d, ok := b.memory.deployments[s.Deployment]
	if ok && d.SD.Rollback != nil && *d.SD.TargetServiceRevision.Arn == r.arn() {
		view.FailedTasks = int32(d.Failed)
		view.RolloutState, view.RolloutStateReason = types.DeploymentRolloutStateFailed, d.SD.Rollback.Reason
	}
	return view
}

// primaryView is the entry of the deployment that decides what shall run.
func (b *Backend) primaryView(s *service, r *revision, c counts) types.Deployment {
	view := deploymentView(s, r, c, "PRIMARY")
	view.RunningCount = int32(c.running)
	view.DesiredCount = s.Def.DesiredCount
	d, ok := b.memory.deployments[s.Deployment]
	if !ok {
		return view
	}
	view.FailedTasks = int32(*d.failures())
	switch {
	case d.inFlight():
		view.RolloutState = types.DeploymentRolloutStateInProgress
		view.RolloutStateReason = aws.String("ECS deployment " + r.ID + " in progress.")
	case s.Halted:
		view.RolloutState = types.DeploymentRolloutStateFailed
		view.RolloutStateReason = d.SD.StatusReason
	}
	return view
}

// deploymentDetail is a service deployment with its counts. The lock is held.
func (b *Backend) deploymentDetail(d *deployment) types.ServiceDeployment {
	view := d.SD
	s := b.memory.services[d.serviceKey()]
	if target := d.SD.TargetServiceRevision; target != nil && s != nil {
		c := b.count(s)[*target.Arn]
		view.TargetServiceRevision = &types.ServiceRevisionSummary{
			Arn: target.Arn, RequestedTaskCount: s.Def.DesiredCount, RunningTaskCount: int32(c.running), PendingTaskCount: int32(c.pending),
		}
	}
	breaker := d.SD.DeploymentConfiguration.DeploymentCircuitBreaker
	view.DeploymentCircuitBreaker = &types.ServiceDeploymentCircuitBreaker{Status: types.ServiceDeploymentRollbackMonitorsStatusDisabled}
	if breaker != nil && breaker.Enable && s != nil {
		view.DeploymentCircuitBreaker = &types.ServiceDeploymentCircuitBreaker{
			FailureCount: int32(d.Failed), Threshold: int32(breakerThreshold(breaker, s.desired())), Status: breakerStatus(d),
		}
	}
	return view
}

func breakerStatus(d *deployment) types.ServiceDeploymentRollbackMonitorsStatus {
	switch {
	case d.SD.Rollback != nil || d.SD.Status == types.ServiceDeploymentStatusStopped && d.Failed > 0:
		return types.ServiceDeploymentRollbackMonitorsStatusTriggered
	case d.inFlight():
		return types.ServiceDeploymentRollbackMonitorsStatusMonitoring
	}
	return types.ServiceDeploymentRollbackMonitorsStatusMonitoringComplete
}

func deploymentBrief(d *deployment) types.ServiceDeploymentBrief {
	return types.ServiceDeploymentBrief{
		ServiceDeploymentArn: d.SD.ServiceDeploymentArn, ServiceArn: d.SD.ServiceArn, ClusterArn: d.SD.ClusterArn,
		CreatedAt: d.SD.CreatedAt, StartedAt: d.SD.StartedAt, FinishedAt: d.SD.FinishedAt, Status: d.SD.Status,
		StatusReason: d.SD.StatusReason, TargetServiceRevisionArn: d.SD.TargetServiceRevision.Arn,
	}
}

func taskView(t *task) types.Task {
	view := t.T
	view.Containers = slices.Clone(t.T.Containers)
	view.Attachments = slices.Clone(t.T.Attachments)
	return view
}
