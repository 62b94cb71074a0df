package ecs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// RunTask starts tasks that belong to no service.
func (b *Backend) RunTask(ctx context.Context, in *awsecs.RunTaskInput) (*awsecs.RunTaskOutput, error) {
	if err := checkRun(in); err != nil {
		return nil, err
	}
	b.lock()
	defer b.unlock()
	c, err := b.cluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	request := requestOf(c, in)
	if again, err := b.startedBefore(c, in, request); again != nil || err != nil {
		return again, err
	}
	d, err := b.usable(c.Region, in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	if err := checkNetwork(in.NetworkConfiguration, d); err != nil {
		return nil, err
	}
	if err := checkOverrides(in.Overrides, d); err != nil {
		return nil, err
	}
	tags := propagated(in.PropagateTags, in.Tags, d, nil)
	if err := checkTags(tags); err != nil {
		return nil, err
	}
	if b.running == nil {
		return nil, &types.ServerException{Message: aws.String("local ECS is stopping.")}
	}
	out := &awsecs.RunTaskOutput{Tasks: []types.Task{}, Failures: []types.Failure{}}
	for range *orInt32(in.Count, 1) {
		t := newRun(c, d, in)
		t.T.Tags, t.Request = tags, request
		b.launch(t, d)
		out.Tasks = append(out.Tasks, taskView(t))
	}
	return out, nil
}

// newRun is a task as RunTask asks for it.
func newRun(c *cluster, d *taskDefinition, in *awsecs.RunTaskInput) *task {
	t := newTask(c.Region, c.Name, d)
	t.Token = aws.ToString(in.ClientToken)
	t.T.StartedBy, t.T.Group = in.StartedBy, in.Group
	if in.Group == nil {
		t.T.Group = aws.String("family:" + *d.Def.Family)
	}
	t.T.LaunchType, t.T.PlatformVersion, t.T.EnableExecuteCommand = in.LaunchType, in.PlatformVersion, in.EnableExecuteCommand
	if len(in.CapacityProviderStrategy) > 0 {
		t.T.CapacityProviderName = in.CapacityProviderStrategy[0].CapacityProvider
	}
	if in.Overrides != nil {
		t.T.Overrides = in.Overrides
	}
	return t
}

var (
	tokenPattern     = regexp.MustCompile(`^[!-~]{1,64}$`)
	startedByPattern = regexp.MustCompile(`^[A-Za-z0-9/_-]*$`)
)

// longestStartedBy is how long startedBy may be.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
const longestStartedBy = 128

func checkRun(in *awsecs.RunTaskInput) error {
	count := *orInt32(in.Count, 1)
	switch {
	case count < 1 || count > 10:
		return invalid("Count must be between 1 and 10.")
	case in.ClientToken != nil && !tokenPattern.MatchString(*in.ClientToken):
		return invalid("clientToken must have 1 to 64 ASCII characters in the range of 33-126.")
	case len(aws.ToString(in.StartedBy)) > longestStartedBy:
		return invalid("startedBy longer than %d.", longestStartedBy)
	case !startedByPattern.MatchString(aws.ToString(in.StartedBy)):
		return invalid("startedBy may have letters, numbers, hyphens, forward slashes, and underscores only.")
	case in.LaunchType != "" && len(in.CapacityProviderStrategy) > 0:
		return invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	case in.PropagateTags == types.PropagateTagsService:
		return invalid("propagateTags: SERVICE is not supported when running a task.")
	case len(in.VolumeConfigurations) > 0:
		return unavailable("volume configurations")
	}
	return nil
}

// checkNetwork wants a network for tasks that have one of their own, and for those alone.
func checkNetwork(n *types.NetworkConfiguration, d *taskDefinition) error {
	given := n != nil && n.AwsvpcConfiguration != nil
	switch own := d.Def.NetworkMode == types.NetworkModeAwsvpc; {
	case own && !given:
		return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
	case !own && given:
		return invalid("Network Configuration is not valid for the given networkMode of this task definition.")
	}
	return nil
}

// propagated are a task's tags: its own, and those of what it takes after.
func propagated(from types.PropagateTags, own []types.Tag, d *taskDefinition, service []types.Tag) []types.Tag {
	tags := slices.Clone(own)
	var more []types.Tag
	switch from {
	case types.PropagateTagsTaskDefinition:
		more = d.Tags
	case types.PropagateTagsService:
		more = service
	}
	for _, tag := range more {
		if !slices.ContainsFunc(tags, func(have types.Tag) bool { return aws.ToString(have.Key) == aws.ToString(tag.Key) }) {
			tags = append(tags, tag)
		}
	}
	if tags == nil {
		return []types.Tag{}
	}
	return tags
}

// mostTags is how many tags a resource can have.
const mostTags = 50

func checkTags(tags []types.Tag) error {
	if len(tags) > mostTags {
		return invalid("A resource can have at most %d tags.", mostTags)
	}
	return nil
}

// tokenLife is how long a token is known, unless its task is forgotten before.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
const tokenLife = 24 * time.Hour

// startedBefore answers a request that is sent again, because its first answer was lost, with the tasks that it started: a
// migration must not run twice. Of tasks that have stopped only the status is told. The lock is held.
func (b *Backend) startedBefore(c *cluster, in *awsecs.RunTaskInput, request string) (*awsecs.RunTaskOutput, error) {
	if aws.ToString(in.ClientToken) == "" {
		return nil, nil
	}
	var started []*task
	for _, t := range b.memory.tasks {
		if t.Token == *in.ClientToken && t.Region == c.Region && t.Cluster == c.Name && time.Since(*t.T.CreatedAt) < tokenLife {
			started = append(started, t)
		}
	}
	if len(started) == 0 {
		return nil, nil
	}
	slices.SortFunc(started, func(x, y *task) int { return strings.Compare(x.arn(), y.arn()) })
	out := &awsecs.RunTaskOutput{Tasks: []types.Task{}, Failures: []types.Failure{}}
	taken := &types.ConflictException{Message: aws.String("The provided clientToken is already in use with a different RunTask request.")}
	for _, t := range started {
		taken.ResourceIds = append(taken.ResourceIds, t.arn())
		view := taskView(t)
		if t.stopped() {
			view = types.Task{TaskArn: t.T.TaskArn, LastStatus: t.T.LastStatus, DesiredStatus: t.T.DesiredStatus}
		}
		out.Tasks = append(out.Tasks, view)
	}
	if started[0].Request != request {
		return nil, taken
	}
	return out, nil
}

// requestOf tells whether two requests ask for the same.
func requestOf(c *cluster, in *awsecs.RunTaskInput) string {
	asked := *in
	asked.ClientToken, asked.Cluster = nil, aws.String(c.arn())
	text, err := json.Marshal(asked)
	if err != nil {
		return err.Error() // it came as JSON
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
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
