package orchestrator

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Observe implements release.Orchestrator. The deployment is looked at before the tasks, so that tasks are never older
// than the status that they are judged with once the deployment has ended. As long as it goes on, they may be as old as
// the last sign that something happened to them, and lookAgain at most.
func (o *Orchestrator) Observe(ctx context.Context, cluster string, r release.Rollout) (release.Observation, error) {
	var service types.Service
	var deployment types.ServiceDeployment
	both, group := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		service, err = o.describe(group, cluster, r.Service)
		return err
	})
	both.Go(func() (err error) {
		deployment, err = o.deployment(group, r.Deployment)
		return err
	})
	if err := both.Wait(); err != nil {
		return release.Observation{}, err
	}
	seen := release.Observation{
		Status: string(deployment.Status), StatusReason: aws.ToString(deployment.StatusReason),
		Stage: string(deployment.LifecycleStage), Alarms: triggered(deployment),
		Desired: int(service.DesiredCount), Messages: messagesOf(service, r),
	}
	count(&seen, service, deployment, r)
	return seen, o.complete(ctx, cluster, &seen, service, deployment, r)
}

// complete fills in what is asked for after the status is known.
func (o *Orchestrator) complete(ctx context.Context, cluster string, seen *release.Observation, s types.Service, d types.ServiceDeployment, r release.Rollout) error {
	all, group := errgroup.WithContext(ctx)
	all.Go(func() (err error) {
		seen.Newer, err = o.newer(group, cluster, s, d)
		return err
	})
	all.Go(func() (err error) {
		seen.Tasks, err = o.sight(group, cluster, s, d, r)
		return err
	})
	all.Go(func() error {
		own, err := o.revisions(group, []types.ServiceDeploymentBrief{{TargetServiceRevisionArn: targetOf(d)}})
		resolved := own[aws.ToString(targetOf(d))]
		seen.Resolved, seen.Refs = resolved.images, resolved.refs
		return err
	})
	return all.Wait()
}

// targetOf is the revision that the deployment brings.
func targetOf(d types.ServiceDeployment) *string {
	if d.TargetServiceRevision == nil {
		return nil
	}
	return d.TargetServiceRevision.Arn
}

// triggered names the alarms that ended the deployment.
func triggered(d types.ServiceDeployment) []string {
	if d.Alarms == nil {
		return nil
	}
	return d.Alarms.TriggeredAlarmNames
}

// count fills in how far this deployment is. The service's own record of the deployment tells most, but goes away with
// the deployment; what is left then is the target revision's counts and the circuit breaker's failures.
func count(seen *release.Observation, s types.Service, d types.ServiceDeployment, r release.Rollout) {
	if target := d.TargetServiceRevision; target != nil {
		seen.Running, seen.Pending = int(target.RunningTaskCount), int(target.PendingTaskCount)
	}
	if breaker := d.DeploymentCircuitBreaker; breaker != nil {
		seen.Failed = int(breaker.FailureCount)
	}
	for _, one := range s.Deployments {
		if r.StartedBy != "" && aws.ToString(one.Id) == r.StartedBy {
			seen.Running, seen.Pending = int(one.RunningCount), int(one.PendingCount)
			seen.Failed = max(seen.Failed, int(one.FailedTasks))
		}
	}
}

// newer gives the newest deployment that was created after ours and is not the way back from it.
func (o *Orchestrator) newer(ctx context.Context, cluster string, s types.Service, ours types.ServiceDeployment) (*release.PastRollout, error) {
	mine := aws.ToString(ours.ServiceDeploymentArn)
	if current := aws.ToString(s.CurrentServiceDeployment); current == mine {
		return nil, nil // the common case: nothing more to ask
	}
	past, err := o.pastSince(ctx, cluster, aws.ToString(s.ServiceName), aws.ToTime(ours.CreatedAt))
	if err != nil {
		return nil, err
	}
	for i, p := range past {
		if p.Deployment != mine && p.Started.After(aws.ToTime(ours.CreatedAt)) && !wayBack(ours, p) {
			return &past[i], nil
		}
	}
	return nil, nil
}

// wayBack reports whether p is ECS's own rollback of a deployment.
func wayBack(of types.ServiceDeployment, p release.PastRollout) bool {
	return of.Rollback != nil && of.Rollback.ServiceRevisionArn != nil &&
		aws.ToString(of.Rollback.ServiceRevisionArn) == p.Revision
}

// messagesOf gives the service's events since the rollout began, oldest first.
func messagesOf(s types.Service, r release.Rollout) []release.ServiceMessage {
	var messages []release.ServiceMessage
	for _, e := range slices.Backward(s.Events) { // ECS lists the newest first
		if at := aws.ToTime(e.CreatedAt); !at.Before(r.Started) {
			messages = append(messages, release.ServiceMessage{Service: r.Service, At: at, Text: aws.ToString(e.Message)})
		}
	}
	slices.SortStableFunc(messages, func(a, b release.ServiceMessage) int { return a.At.Compare(b.At) })
	return messages
}
