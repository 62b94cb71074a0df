package orchestrator

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// registerAttempts is how often a RegisterTaskDefinition whose answer got lost is looked after and sent again.
const registerAttempts = 8

// taskRevision is a registered task definition with its tags.
type taskRevision struct {
	definition types.TaskDefinition
	tags       []types.Tag
}

// taskRevision gives a task definition by ARN, FAMILY:REVISION or FAMILY.
func (o *Orchestrator) taskRevision(ctx context.Context, name string) (taskRevision, error) {
	out, err := awsclient.Call(ctx, o.ecs.DescribeTaskDefinition, &ecs.DescribeTaskDefinitionInput{
		TaskDefinition: &name, Include: []types.TaskDefinitionField{types.TaskDefinitionFieldTags},
	})
	if err != nil {
		return taskRevision{}, fmt.Errorf("task definition %s: %w", name, err)
	}
	if out.TaskDefinition == nil {
		return taskRevision{}, fmt.Errorf("task definition %s: %w", name, release.ErrNotFound)
	}
	return taskRevision{*out.TaskDefinition, out.Tags}, nil
}

// registerable is what registers the same again: every member that both shapes have, and the tags. What is left out is
// ECS's own: ARN, revision, status, times, what the definition requires and is compatible with. A test holds that
// nothing else is.
func (r taskRevision) registerable() *ecs.RegisterTaskDefinitionInput {
	var in ecs.RegisterTaskDefinitionInput
	copyShared(reflect.ValueOf(&in).Elem(), reflect.ValueOf(r.definition))
	in.ContainerDefinitions = slices.Clone(in.ContainerDefinitions)
	in.Tags = ownTags(r.tags)
	return &in
}

// ownTags leaves out the tags that only AWS may set, say those of the CloudFormation stack that made the thing.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
func ownTags(tags []types.Tag) []types.Tag {
	return slices.DeleteFunc(slices.Clone(tags), func(t types.Tag) bool {
		return strings.HasPrefix(strings.ToLower(aws.ToString(t.Key)), "aws:")
	})
}

// ensureTaskDefinition gives the ARN of the newest revision of the family when it says the same as want, or else
// registers want. Tags are not compared: they are not part of what runs.
func (o *Orchestrator) ensureTaskDefinition(ctx context.Context, want *ecs.RegisterTaskDefinitionInput) (string, error) {
	family := aws.ToString(want.Family)
	for attempt := 1; ; attempt++ {
		newest, err := o.newestRevision(ctx, family)
		if err != nil {
			return "", fmt.Errorf("look for task definition %s: %w", family, err)
		}
		if newest != nil && sameDefinition(want, newest) {
			return aws.ToString(newest.TaskDefinitionArn), nil
		}
		out, err := awsclient.Call(ctx, o.ecs.RegisterTaskDefinition, want)
		switch {
		case err == nil && out.TaskDefinition != nil:
			return aws.ToString(out.TaskDefinition.TaskDefinitionArn), nil
		case err == nil:
			return "", fmt.Errorf("register task definition %s: ECS answered without one", family)
		case !awsclient.Unsure(err) || attempt == registerAttempts:
			return "", fmt.Errorf("register task definition %s: %w", family, err)
		}
	}
}

// newestRevision is the newest ACTIVE revision of a family; nil when there is none.
func (o *Orchestrator) newestRevision(ctx context.Context, family string) (*types.TaskDefinition, error) {
	out, err := awsclient.Call(ctx, o.ecs.DescribeTaskDefinition, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &family})
	switch code := awsclient.CodeOf(err); {
	case err == nil:
		return out.TaskDefinition, nil
	case code == "ClientException" || code == "InvalidParameterException":
		return nil, nil // ECS's way to say that the family has no active revision: "Unable to describe task definition."
	}
	return nil, err
}
