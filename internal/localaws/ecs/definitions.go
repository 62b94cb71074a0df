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
	b.lock()
	defer b.unlock()
	revision := int32(1)
	for _, d := range b.family(region(ctx), *in.Family) {
		revision = max(revision, d.Def.Revision+1)
	}
	d := &taskDefinition{Region: region(ctx), Tags: in.Tags, Def: definitionOf(in, revision)}
	d.Def.TaskDefinitionArn = aws.String(arn(d.Region, fmt.Sprintf("task-definition/%s:%d", *in.Family, revision)))
	if err := b.tables.definitions.Put(d.key(), *d); err != nil {
		return nil, err
	}
	b.memory.definitions[d.key()] = d
	def := d.Def
	return &awsecs.RegisterTaskDefinitionOutput{TaskDefinition: &def, Tags: in.Tags}, nil
}

func definitionOf(in *awsecs.RegisterTaskDefinitionInput, revision int32) types.TaskDefinition {
	containers := slices.Clone(in.ContainerDefinitions)
	for i := range containers {
		if containers[i].Essential == nil {
			containers[i].Essential = aws.Bool(true)
		}
	}
	def := types.TaskDefinition{
		Family: in.Family, Revision: revision, ContainerDefinitions: containers, Cpu: in.Cpu, Memory: in.Memory,
		NetworkMode: in.NetworkMode, RuntimePlatform: in.RuntimePlatform, RequiresCompatibilities: in.RequiresCompatibilities,
		Compatibilities:  []types.Compatibility{types.CompatibilityEc2, types.CompatibilityFargate},
		ExecutionRoleArn: in.ExecutionRoleArn, TaskRoleArn: in.TaskRoleArn, Volumes: []types.Volume{},
		PlacementConstraints: in.PlacementConstraints, EphemeralStorage: in.EphemeralStorage, IpcMode: in.IpcMode, PidMode: in.PidMode,
		Status: types.TaskDefinitionStatusActive, RegisteredAt: aws.Time(time.Now()),
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

// checkDefinition refuses what ECS refuses, and what only local ECS does.
func checkDefinition(in *awsecs.RegisterTaskDefinitionInput) error {
	if in.Family == nil || !namePattern.MatchString(*in.Family) {
		return clientError("Invalid family: it must have up to 255 letters, numbers, underscores, and hyphens.")
	}
	if len(in.ContainerDefinitions) == 0 {
		return clientError("Container list cannot be empty.")
	}
	if len(in.Volumes) > 0 {
		return unavailable("volumes")
	}
	if in.ProxyConfiguration != nil {
		return unavailable("proxyConfiguration")
	}
	names := map[string]bool{}
	essential := false
	for _, c := range in.ContainerDefinitions {
		if err := checkContainer(c, in); err != nil {
			return err
		}
		if names[*c.Name] {
			return clientError("Container.name values must be unique: %s", *c.Name)
		}
		names[*c.Name] = true
		essential = essential || c.Essential == nil || *c.Essential
	}
	if !essential {
		return clientError("Invalid setting: at least one container must be essential.")
	}
	return checkDependencies(in.ContainerDefinitions)
}

func checkContainer(c types.ContainerDefinition, in *awsecs.RegisterTaskDefinitionInput) error {
	switch {
	case c.Name == nil || !namePattern.MatchString(*c.Name):
		return clientError("Container.name must match %s.", namePattern)
	case aws.ToString(c.Image) == "":
		return clientError("Container.image should not be null or empty.")
	case c.Memory == nil && c.MemoryReservation == nil && in.Memory == nil:
		return clientError("Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified.", *c.Name)
	case len(c.Secrets) > 0:
		return unavailable("secrets of container " + *c.Name + ": give local AWS plain values in `environment`")
	case len(c.EnvironmentFiles) > 0:
		return unavailable("environmentFiles of container " + *c.Name)
	case len(c.MountPoints) > 0 || len(c.VolumesFrom) > 0:
		return unavailable("mount points of container " + *c.Name)
	case c.FirelensConfiguration != nil:
		return unavailable("FireLens")
	case c.RepositoryCredentials != nil:
		return unavailable("repositoryCredentials of container " + *c.Name)
	case c.RestartPolicy != nil && aws.ToBool(c.RestartPolicy.Enabled):
		return unavailable("the restart policy of container " + *c.Name)
	case c.HealthCheck != nil && !validHealthCommand(c.HealthCheck.Command):
		return clientError("Container %s: healthCheck.command must start with CMD or CMD-SHELL and name a command, or be NONE.", *c.Name)
	case c.HealthCheck != nil && !validHealthTimes(c.HealthCheck):
		return clientError("Container %s: healthCheck needs interval 5-300, timeout 2-60 and startPeriod 0-300 seconds, and retries 1-10.", *c.Name)
	case c.StopTimeout != nil && (*c.StopTimeout < 0 || *c.StopTimeout > 120):
		return clientError("Container %s: stopTimeout must be between 0 and 120 seconds.", *c.Name)
	}
	return checkLogging(c)
}

func validHealthCommand(command []string) bool {
	if len(command) == 0 {
		return false
	}
	switch command[0] {
	case "NONE":
		return true
	case "CMD":
		return len(command) > 1
	case "CMD-SHELL":
		return len(command) == 2
	}
	return false
}

// validHealthTimes holds a health check to ECS's bounds.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
func validHealthTimes(h *types.HealthCheck) bool {
	within := func(v *int32, low, high int32) bool { return v == nil || low <= *v && *v <= high }
	return within(h.Interval, 5, 300) && within(h.Timeout, 2, 60) && within(h.Retries, 1, 10) && within(h.StartPeriod, 0, 300)
}

func checkLogging(c types.ContainerDefinition) error {
	log := c.LogConfiguration
	if log == nil {
		return nil
	}
	if log.LogDriver != types.LogDriverAwslogs {
		return unavailable("the log driver " + string(log.LogDriver) + " of container " + *c.Name)
	}
	for _, option := range []string{"awslogs-group", "awslogs-region", "awslogs-stream-prefix"} {
		if log.Options[option] == "" {
			return clientError("Log driver awslogs requires options: %s (container %s)", option, *c.Name)
		}
	}
	return nil
}

// checkDependencies refuses dependencies on nothing and in a circle, and conditions that can never hold.
func checkDependencies(containers []types.ContainerDefinition) error {
	ordered, err := startOrder(containers)
	if err != nil {
		return err
	}
	byName := map[string]types.ContainerDefinition{}
	for _, c := range ordered {
		byName[*c.Name] = c
		for _, dep := range c.DependsOn {
			if err := checkCondition(*c.Name, dep, byName[*dep.ContainerName]); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkCondition refuses a condition that the container depended on cannot meet.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
func checkCondition(name string, dep types.ContainerDependency, on types.ContainerDefinition) error {
	switch dep.Condition {
	case types.ContainerConditionStart:
		return nil
	case types.ContainerConditionHealthy:
		if !checked(on) {
			return clientError("Container %s depends on %s to be HEALTHY, but that has no health check.", name, *on.Name)
		}
		return nil
	case types.ContainerConditionComplete, types.ContainerConditionSuccess:
		if on.Essential == nil || *on.Essential {
			return clientError("Container %s depends on %s to be %s, but that is essential.", name, *on.Name, dep.Condition)
		}
		return nil
	}
	return clientError("Container %s: dependsOn.condition must be START, COMPLETE, SUCCESS or HEALTHY, not %q.", name, dep.Condition)
}

// startOrder sorts containers so that each comes after those that it depends on.
func startOrder(containers []types.ContainerDefinition) ([]types.ContainerDefinition, error) {
	byName, placed := map[string]types.ContainerDefinition{}, map[string]bool{}
	for _, c := range containers {
		byName[*c.Name] = c
	}
	var ordered []types.ContainerDefinition
	var place func(c types.ContainerDefinition, above []string) error
	place = func(c types.ContainerDefinition, above []string) error {
		if slices.Contains(above, *c.Name) {
			return clientError("The container dependencies form a cycle: %s", strings.Join(append(above, *c.Name), " → "))
		}
		if placed[*c.Name] {
			return nil
		}
		for _, d := range c.DependsOn {
			other, ok := byName[aws.ToString(d.ContainerName)]
			if !ok {
				return clientError("Container %s depends on %q, which is not in the task definition.", *c.Name, aws.ToString(d.ContainerName))
			}
			if err := place(other, append(slices.Clone(above), *c.Name)); err != nil {
				return err
			}
		}
		placed[*c.Name] = true
		ordered = append(ordered, c)
		return nil
	}
	for _, c := range containers {
		if err := place(c, nil); err != nil {
			return nil, err
		}
	}
	return ordered, nil
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
