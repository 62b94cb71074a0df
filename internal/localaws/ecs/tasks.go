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

// RunTask starts tasks that belong to no service.
func (b *Backend) RunTask(ctx context.Context, in *awsecs.RunTaskInput) (*awsecs.RunTaskOutput, error) {
	count := int(*orInt32(in.Count, 1))
	if count < 1 || count > 10 {
		return nil, invalid("Count must be between 1 and 10.")
	}
	b.lock()
	defer b.unlock()
	c, err := b.cluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	d, err := b.usable(c.Region, in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	if err := checkOverrides(in.Overrides, d); err != nil {
		return nil, err
	}
	if again, err := b.startedBefore(c, d, in, count); again != nil || err != nil {
		return again, err
	}
	if b.running == nil {
		return nil, &types.ServerException{Message: aws.String("local ECS is stopping.")}
	}
	out := &awsecs.RunTaskOutput{Tasks: []types.Task{}, Failures: []types.Failure{}}
	for range count {
		t := newTask(c.Region, c.Name, d)
		t.T.StartedBy, t.T.LaunchType, t.T.Tags = in.StartedBy, in.LaunchType, in.Tags
		t.T.Group, t.Token = in.Group, aws.ToString(in.ClientToken)
		if in.Group == nil {
			t.T.Group = aws.String("family:" + *d.Def.Family)
		}
		if in.Overrides != nil {
			t.T.Overrides = in.Overrides
		}
		b.launch(t, d)
		out.Tasks = append(out.Tasks, taskView(t))
	}
	return out, nil
}

// startedBefore answers a request that is sent again, because its first answer was lost, with the tasks that it started: a
// migration must not run twice. The lock is held.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
func (b *Backend) startedBefore(c *cluster, d *taskDefinition, in *awsecs.RunTaskInput, count int) (*awsecs.RunTaskOutput, error) {
	if aws.ToString(in.ClientToken) == "" {
		return nil, nil
	}
	var started []*task
	for _, t := range b.memory.tasks {
		if t.Token == *in.ClientToken && t.Region == c.Region && t.Cluster == c.Name {
			started = append(started, t)
		}
	}
	if len(started) == 0 {
		return nil, nil
	}
	slices.SortFunc(started, func(x, y *task) int { return strings.Compare(x.arn(), y.arn()) })
	out := &awsecs.RunTaskOutput{Tasks: []types.Task{}, Failures: []types.Failure{}}
	for _, t := range started {
		if len(started) != count || *t.T.TaskDefinitionArn != *d.Def.TaskDefinitionArn {
			return nil, &types.ConflictException{Message: aws.String("The clientToken was used before, with other parameters."), ResourceIds: []string{t.arn()}}
		}
		out.Tasks = append(out.Tasks, taskView(t))
	}
	return out, nil
}

func checkOverrides(o *types.TaskOverride, d *taskDefinition) error {
	if o == nil {
		return nil
	}
	if _, ok := parseSize(o.Memory, "gb"); !ok {
		return invalid("Invalid 'memory' setting for task.")
	}
	for _, c := range o.ContainerOverrides {
		known := slices.ContainsFunc(d.Def.ContainerDefinitions, func(have types.ContainerDefinition) bool { return *have.Name == aws.ToString(c.Name) })
		if !known {
			return invalid("Override for container named %s is not a container in the TaskDefinition.", aws.ToString(c.Name))
		}
		if what := refusedOfOverride(c); what != "" {
			return unavailable(what + " in overrides")
		}
	}
	return nil
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
	const most = 50
	if len(merged) > most {
		return nil, invalid("A resource can have at most %d tags.", most)
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
