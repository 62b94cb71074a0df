package orchestrator

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const statusStopped = "STOPPED" // of a task

// Running implements release.Orchestrator. A task that is to stop but still runs is one of them.
func (o *Orchestrator) Running(ctx context.Context, cluster, service string) ([]release.Task, error) {
	tasks, err := o.tasksOf(ctx, cluster, service)
	return slices.DeleteFunc(tasks, func(t release.Task) bool { return t.LastStatus == statusStopped }), err
}

// tasksOf is tasks of a service that may not exist, which a list does not always tell from one without tasks.
func (o *Orchestrator) tasksOf(ctx context.Context, cluster, service string) ([]release.Task, error) {
	tasks, err := o.tasks(ctx, cluster, service)
	if err == nil && len(tasks) == 0 {
		_, err = o.describe(ctx, cluster, service)
	}
	return tasks, err
}

// tasks gives a service's tasks, oldest first: those that are to run, and those that are to stop or have stopped in the
// last hour. None is older than the call. The list is the caller's own.
func (o *Orchestrator) tasks(ctx context.Context, cluster, service string) ([]release.Task, error) {
	tasks, _, err := o.tasksIn(cluster).get(ctx, lastPart(service))
	return slices.Clone(tasks), err // others may have asked the same
}

// listTasks gives all pages of a list of tasks, by ARN.
func (o *Orchestrator) listTasks(ctx context.Context, in *ecs.ListTasksInput) ([]string, error) {
	var arns []string
	for {
		out, err := awsclient.Call(ctx, o.ecs.ListTasks, in)
		if err != nil {
			return nil, missing(err)
		}
		arns = append(arns, out.TaskArns...)
		if aws.ToString(out.NextToken) == "" {
			return arns, nil
		}
		in.NextToken = out.NextToken
	}
}

// describeTasks gives the tasks that ECS still knows, by ARN or id; the others are left out.
func (o *Orchestrator) describeTasks(ctx context.Context, cluster string, tasks []string) ([]types.Task, error) {
	return describeTasks(ctx, o.ecs, cluster, tasks)
}

// taskOf maps what ECS tells of a task.
func taskOf(t types.Task) release.Task {
	mapped := release.Task{
		ARN: aws.ToString(t.TaskArn), ID: lastPart(aws.ToString(t.TaskArn)), Service: serviceOfGroup(aws.ToString(t.Group)),
		StartedBy: aws.ToString(t.StartedBy), TaskDefinition: aws.ToString(t.TaskDefinitionArn),
		LastStatus: aws.ToString(t.LastStatus), DesiredStatus: aws.ToString(t.DesiredStatus), Health: string(t.HealthStatus),
		StopCode: string(t.StopCode), StoppedReason: aws.ToString(t.StoppedReason),
		Created: aws.ToTime(t.CreatedAt), Started: aws.ToTime(t.StartedAt), Stopped: aws.ToTime(t.StoppedAt),
	}
	for _, c := range t.Containers {
		one := release.Container{
			Name: aws.ToString(c.Name), Image: aws.ToString(c.Image), Digest: release.Digest(aws.ToString(c.ImageDigest)),
			Status: aws.ToString(c.LastStatus), Health: string(c.HealthStatus), Reason: aws.ToString(c.Reason),
		}
		if c.ExitCode != nil {
			exit := int(*c.ExitCode)
			one.ExitCode = &exit
		}
		mapped.Containers = append(mapped.Containers, one)
	}
	return mapped
}

// serviceOfGroup is the service of a task group "service:NAME"; empty for a task of its own.
func serviceOfGroup(group string) string {
	name, ok := strings.CutPrefix(group, "service:")
	if !ok {
		return ""
	}
	return name
}

// lastPart is what follows the last slash of an ARN.
func lastPart(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }
