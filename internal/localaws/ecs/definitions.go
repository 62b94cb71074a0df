package ecs

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// RegisterTaskDefinition makes a new revision of a family.
func (b *Backend) RegisterTaskDefinition(ctx context.Context, in *awsecs.RegisterTaskDefinitionInput) (*awsecs.RegisterTaskDefinitionOutput, error) {
	if err := checkDefinition(in); err != nil {
		return nil, err
	}
	size, err := taskSizeOf(in)
	if err != nil {
		return nil, err
	}
	b.lock()
	defer b.unlock()
	revision := int32(1)
	for _, d := range b.family(region(ctx), *in.Family) {
		revision = max(revision, d.Def.Revision+1)
	}
	d := &taskDefinition{Region: region(ctx), Tags: in.Tags, Def: definitionOf(in, size, revision)}
	d.Def.TaskDefinitionArn = aws.String(arn(d.Region, fmt.Sprintf("task-definition/%s:%d", *in.Family, revision)))
	if err := b.tables.definitions.Put(d.key(), *d); err != nil {
		return nil, err
	}
	b.memory.definitions[d.key()] = d
	def := d.Def
	return &awsecs.RegisterTaskDefinitionOutput{TaskDefinition: &def, Tags: in.Tags}, nil
}

func definitionOf(in *awsecs.RegisterTaskDefinitionInput, size taskSize, revision int32) types.TaskDefinition {
	containers := slices.Clone(in.ContainerDefinitions)
	for i := range containers {
		if containers[i].Essential == nil {
			containers[i].Essential = aws.Bool(true)
		}
	}
	def := types.TaskDefinition{
		Family: in.Family, Revision: revision, ContainerDefinitions: containers, Cpu: number(size.cpu), Memory: number(size.memory),
		NetworkMode: in.NetworkMode, RuntimePlatform: in.RuntimePlatform, RequiresCompatibilities: in.RequiresCompatibilities,
		Compatibilities:  []types.Compatibility{types.CompatibilityEc2, types.CompatibilityFargate},
		ExecutionRoleArn: in.ExecutionRoleArn, TaskRoleArn: in.TaskRoleArn, Volumes: []types.Volume{},
		PlacementConstraints: in.PlacementConstraints, EphemeralStorage: in.EphemeralStorage, IpcMode: in.IpcMode, PidMode: in.PidMode,
		EnableFaultInjection: in.EnableFaultInjection,
		Status:               types.TaskDefinitionStatusActive, RegisteredAt: aws.Time(time.Now()),
		RegisteredBy: aws.String("arn:aws:iam::000000000000:root"),
	}
	if def.PlacementConstraints == nil {
		def.PlacementConstraints = []types.TaskDefinitionPlacementConstraint{}
	}
	return def
}

func clientError(format string, args ...any) error {
	return &types.ClientException{Message: aws.String(fmt.Sprintf(format, args...))}
}

// unavailable refuses what local ECS cannot do: to accept it and do nothing would be a lie.
func unavailable(what string) error {
	return clientError("local ECS cannot do this yet: %s", what)
}

// family gives the revisions of a family, oldest first. The lock is held.
func (b *Backend) family(region, name string) []*taskDefinition {
	var all []*taskDefinition
	for _, d := range b.memory.definitions {
		if d.Region == region && *d.Def.Family == name {
			all = append(all, d)
		}
	}
	slices.SortFunc(all, func(a, b *taskDefinition) int { return int(a.Def.Revision - b.Def.Revision) })
	return all
}

// definition finds what FAMILY, FAMILY:REVISION or an ARN names; without a revision the newest active one. The lock is held.
func (b *Backend) definition(region string, name *string) (*taskDefinition, error) {
	family, wanted, pinned := strings.Cut(lastPart(aws.ToString(name)), ":")
	if pinned {
		if n, err := strconv.ParseInt(wanted, 10, 32); err == nil {
			if d, ok := b.memory.definitions[definitionKey(region, family, int32(n))]; ok {
				return d, nil
			}
		}
		return nil, clientError("Unable to describe task definition.")
	}
	for _, d := range slices.Backward(b.family(region, family)) {
		if d.Def.Status == types.TaskDefinitionStatusActive {
			return d, nil
		}
	}
	return nil, clientError("Unable to describe task definition.")
}

// usable is definition for what is to be run. The lock is held.
func (b *Backend) usable(region string, name *string) (*taskDefinition, error) {
	if aws.ToString(name) == "" {
		return nil, invalid("TaskDefinition can not be blank.")
	}
	d, err := b.definition(region, name)
	if err != nil {
		return nil, clientError("TaskDefinition not found.")
	}
	if d.Def.Status != types.TaskDefinitionStatusActive {
		return nil, clientError("TaskDefinition is inactive")
	}
	return d, nil
}

// DescribeTaskDefinition describes one revision.
func (b *Backend) DescribeTaskDefinition(ctx context.Context, in *awsecs.DescribeTaskDefinitionInput) (*awsecs.DescribeTaskDefinitionOutput, error) {
	b.lock()
	defer b.unlock()
	d, err := b.definition(region(ctx), in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	def := d.Def
	out := &awsecs.DescribeTaskDefinitionOutput{TaskDefinition: &def}
	if slices.Contains(in.Include, types.TaskDefinitionFieldTags) {
		out.Tags = d.Tags
	}
	return out, nil
}

// DeregisterTaskDefinition makes one revision inactive: services that use it go on.
func (b *Backend) DeregisterTaskDefinition(ctx context.Context, in *awsecs.DeregisterTaskDefinitionInput) (*awsecs.DeregisterTaskDefinitionOutput, error) {
	if !strings.Contains(lastPart(aws.ToString(in.TaskDefinition)), ":") {
		return nil, invalid("Task definition %s must have a revision.", aws.ToString(in.TaskDefinition))
	}
	b.lock()
	defer b.unlock()
	d, err := b.definition(region(ctx), in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	d.Def.Status = types.TaskDefinitionStatusInactive
	d.Def.DeregisteredAt = aws.Time(time.Now())
	if err := b.tables.definitions.Put(d.key(), *d); err != nil {
		return nil, err
	}
	def := d.Def
	return &awsecs.DeregisterTaskDefinitionOutput{TaskDefinition: &def}, nil
}

// ListTaskDefinitions lists revisions by ARN.
func (b *Backend) ListTaskDefinitions(ctx context.Context, in *awsecs.ListTaskDefinitionsInput) (*awsecs.ListTaskDefinitionsOutput, error) {
	status := in.Status
	if status == "" {
		status = types.TaskDefinitionStatusActive
	}
	b.lock()
	defer b.unlock()
	byKey := map[string]string{}
	var keys []string
	for key, d := range b.memory.definitions {
		if d.Region == region(ctx) && d.Def.Status == status && (in.FamilyPrefix == nil || *d.Def.Family == *in.FamilyPrefix) {
			byKey[key] = *d.Def.TaskDefinitionArn
			keys = append(keys, key)
		}
	}
	compare := strings.Compare
	if in.Sort == types.SortOrderDesc {
		compare = func(a, b string) int { return strings.Compare(b, a) }
	}
	slices.SortFunc(keys, compare)
	page, next, err := paginateBy(compare, keys, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	arns := make([]string, 0, len(page))
	for _, key := range page {
		arns = append(arns, byKey[key])
	}
	return &awsecs.ListTaskDefinitionsOutput{TaskDefinitionArns: arns, NextToken: next}, nil
}

func orInt32(v *int32, fallback int32) *int32 {
	if v == nil {
		return &fallback
	}
	return v
}

// ListTaskDefinitionFamilies lists families that have a revision of the status asked for.
func (b *Backend) ListTaskDefinitionFamilies(ctx context.Context, in *awsecs.ListTaskDefinitionFamiliesInput) (*awsecs.ListTaskDefinitionFamiliesOutput, error) {
	b.lock()
	defer b.unlock()
	var names []string
	for _, d := range b.memory.definitions {
		wanted := in.Status == "" || in.Status == types.TaskDefinitionFamilyStatusAll || string(in.Status) == string(d.Def.Status)
		if d.Region == region(ctx) && wanted && strings.HasPrefix(*d.Def.Family, aws.ToString(in.FamilyPrefix)) && !slices.Contains(names, *d.Def.Family) {
			names = append(names, *d.Def.Family)
		}
	}
	slices.Sort(names)
	page, next, err := paginate(names, in.MaxResults, in.NextToken)
	return &awsecs.ListTaskDefinitionFamiliesOutput{Families: page, NextToken: next}, err
}
