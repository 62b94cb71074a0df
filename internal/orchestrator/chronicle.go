package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

var _ release.ServiceReader = (*Orchestrator)(nil)

// Tasks gives a service's tasks, oldest first: those that run, and those that stopped within about the last hour.
func (o *Orchestrator) Tasks(ctx context.Context, cluster, service string) ([]release.Task, error) {
	return o.tasksOf(ctx, cluster, service)
}

// Task gives one task of the cluster by id or ARN, whoever started it; release.ErrNotFound when ECS does not know it (any
// more).
func (o *Orchestrator) Task(ctx context.Context, cluster, id string) (release.Task, error) {
	out, err := awsclient.Call(ctx, o.ecs.DescribeTasks, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: []string{id}})
	if err != nil {
		return release.Task{}, missing(err)
	}
	if len(out.Tasks) == 0 {
		return release.Task{}, fmt.Errorf("task %s of cluster %s: %w", id, cluster, release.ErrNotFound)
	}
	return taskOf(out.Tasks[0]), nil
}

// TaskDefinition gives a task definition by ARN or FAMILY:REVISION; release.ErrNotFound when there is none.
func (o *Orchestrator) TaskDefinition(ctx context.Context, name string) (release.TaskDefinition, error) {
	d, err := o.taskDefinition(ctx, name)
	var client *types.ClientException // is all that ECS says of one that does not exist
	if errors.As(err, &client) {
		return release.TaskDefinition{}, fmt.Errorf("task definition %s: %s %w", name, awsclient.MessageOf(err), release.ErrNotFound)
	}
	return d, err
}

// WayBack tells which service revision each of the deployments (ARNs) was rolled back to. Those that were not, or that
// ECS has forgotten, are left out. A rollback never changes its mind, so each is asked for once.
func (o *Orchestrator) WayBack(ctx context.Context, deployments []string) (map[string]string, error) {
	back, unknown := map[string]string{}, []string{}
	o.mu.Lock()
	for _, arn := range deployments {
		if revision, ok := o.back[arn]; ok {
			back[arn] = revision
		} else {
			unknown = append(unknown, arn)
		}
	}
	o.mu.Unlock()
	for chunk := range slices.Chunk(unknown, describeDeploymentsMax) {
		out, err := awsclient.Call(ctx, o.ecs.DescribeServiceDeployments, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: chunk})
		if err != nil {
			return nil, missing(err)
		}
		for _, d := range out.ServiceDeployments {
			if revision := revisionBack(d); revision != "" {
				back[aws.ToString(d.ServiceDeploymentArn)] = revision
			}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.Copy(o.back, back)
	return back, nil
}

func revisionBack(d types.ServiceDeployment) string {
	if d.Rollback == nil {
		return ""
	}
	return aws.ToString(d.Rollback.ServiceRevisionArn)
}
