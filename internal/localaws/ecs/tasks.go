package ecs

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// task finds a task by id or ARN. The lock is held.
func (b *Backend) task(c *cluster, idOrARN string) (*task, bool) {
	t, ok := b.memory.tasks[arn(c.Region, "task/"+c.Name+"/"+lastPart(idOrARN))]
	return t, ok
}

// ListTasks lists a cluster's tasks by ARN: those that shall run, unless stopped ones are asked for.
func (b *Backend) ListTasks(ctx context.Context, in *awsecs.ListTasksInput) (*awsecs.ListTasksOutput, error) {
	wanted := string(in.DesiredStatus)
	if wanted == "" {
		wanted = statusRunning
	}
	b.lock()
	defer b.unlock()
	c, err := b.cluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	if in.ServiceName != nil {
		if _, err := b.service(ctx, in.Cluster, in.ServiceName); err != nil {
			return nil, err
		}
	}
	if in.StartedBy != nil && (in.ServiceName != nil || in.Family != nil || in.ContainerInstance != nil || in.LaunchType != "") {
		return nil, invalid("When you specify startedBy as the filter, it must be the only filter that you use.")
	}
	var arns []string
	for _, t := range b.memory.tasks {
		if t.Region == c.Region && t.Cluster == c.Name && *t.T.DesiredStatus == wanted && matches(t, in) {
			arns = append(arns, t.arn())
		}
	}
	slices.Sort(arns)
	page, next, err := paginate(arns, in.MaxResults, in.NextToken)
	return &awsecs.ListTasksOutput{TaskArns: page, NextToken: next}, err
}

func matches(t *task, in *awsecs.ListTasksInput) bool {
	family, _, _ := strings.Cut(lastPart(*t.T.TaskDefinitionArn), ":")
	switch {
	case in.ServiceName != nil && t.Service != lastPart(*in.ServiceName),
		in.Family != nil && family != *in.Family,
		in.StartedBy != nil && aws.ToString(t.T.StartedBy) != *in.StartedBy,
		in.LaunchType != "" && t.T.LaunchType != in.LaunchType,
		in.ContainerInstance != nil:
		return false
	}
	return true
}

// DescribeTasks describes up to a hundred tasks; those that do not exist, or stopped too long ago, are failures.
func (b *Backend) DescribeTasks(ctx context.Context, in *awsecs.DescribeTasksInput) (*awsecs.DescribeTasksOutput, error) {
	if err := several(len(in.Tasks), 100, "Tasks"); err != nil {
		return nil, err
	}
	b.lock()
	defer b.unlock()
	c, err := b.cluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	out := &awsecs.DescribeTasksOutput{Tasks: []types.Task{}, Failures: []types.Failure{}}
	for _, name := range in.Tasks {
		t, ok := b.task(c, name)
		if !ok {
			out.Failures = append(out.Failures, missing(arn(c.Region, "task/"+c.Name+"/"+lastPart(name))))
			continue
		}
		view := taskView(t)
		if !slices.Contains(in.Include, types.TaskFieldTags) {
			view.Tags = []types.Tag{}
		}
		out.Tasks = append(out.Tasks, view)
	}
	return out, nil
}

// StopTask stops one task.
func (b *Backend) StopTask(ctx context.Context, in *awsecs.StopTaskInput) (*awsecs.StopTaskOutput, error) {
	b.lock()
	defer b.unlock()
	c, err := b.cluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	t, ok := b.task(c, aws.ToString(in.Task))
	if !ok {
		return nil, invalid("The referenced task was not found.")
	}
	reason := "Task stopped by user"
	if in.Reason != nil {
		reason = *in.Reason
	}
	b.stop(t, types.TaskStopCodeUserInitiated, reason)
	view := taskView(t)
	return &awsecs.StopTaskOutput{Task: &view}, nil
}

// resource is something that can carry tags.
type resource struct {
	tags *[]types.Tag
	save func() error
}

// resource finds what an ARN names. The lock is held.
func (b *Backend) resource(ctx context.Context, name *string) (resource, error) {
	wanted := aws.ToString(name)
	for _, s := range b.memory.services {
		if s.Region == region(ctx) && s.arn() == wanted {
			return resource{&s.Def.Tags, func() error { return b.tables.services.Put(s.key(), *s) }}, nil
		}
	}
	for _, c := range b.memory.clusters {
		if c.Region == region(ctx) && c.arn() == wanted {
			return resource{&c.Tags, func() error { return b.tables.clusters.Put(c.key(), *c) }}, nil
		}
	}
	for _, d := range b.memory.definitions {
		if d.Region == region(ctx) && *d.Def.TaskDefinitionArn == wanted {
			return resource{&d.Tags, func() error { return b.tables.definitions.Put(d.key(), *d) }}, nil
		}
	}
	if t, ok := b.memory.tasks[wanted]; ok && t.Region == region(ctx) {
		return resource{&t.T.Tags, func() error { return b.tables.tasks.Put(t.arn(), *t) }}, nil
	}
	return resource{}, invalid("The specified resource %s was not found.", wanted)
}

// TagResource adds tags to a cluster, service, task definition or task.
func (b *Backend) TagResource(ctx context.Context, in *awsecs.TagResourceInput) (*awsecs.TagResourceOutput, error) {
	b.lock()
	defer b.unlock()
	r, err := b.resource(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	merged := slices.Clone(*r.tags)
	for _, tag := range in.Tags {
		merged = slices.DeleteFunc(merged, func(have types.Tag) bool { return aws.ToString(have.Key) == aws.ToString(tag.Key) })
		merged = append(merged, tag)
	}
	if err := checkTags(merged); err != nil {
		return nil, err
	}
	*r.tags = merged
	return &awsecs.TagResourceOutput{}, r.save()
}

// UntagResource removes tags.
func (b *Backend) UntagResource(ctx context.Context, in *awsecs.UntagResourceInput) (*awsecs.UntagResourceOutput, error) {
	b.lock()
	defer b.unlock()
	r, err := b.resource(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	*r.tags = slices.DeleteFunc(slices.Clone(*r.tags), func(have types.Tag) bool { return slices.Contains(in.TagKeys, aws.ToString(have.Key)) })
	return &awsecs.UntagResourceOutput{}, r.save()
}

// ListTagsForResource lists tags.
func (b *Backend) ListTagsForResource(ctx context.Context, in *awsecs.ListTagsForResourceInput) (*awsecs.ListTagsForResourceOutput, error) {
	b.lock()
	defer b.unlock()
	r, err := b.resource(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	tags := slices.Clone(*r.tags)
	if tags == nil {
		tags = []types.Tag{}
	}
	return &awsecs.ListTagsForResourceOutput{Tags: tags}, nil
}
