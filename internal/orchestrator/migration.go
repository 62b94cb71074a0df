package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// migration is what a migration's task is made from.
type migration struct {
	definition *ecs.RegisterTaskDefinitionInput
	container  string
	run        *ecs.RunTaskInput // all but the task definition and the token
}

// StartMigration implements release.Orchestrator. One command on one image is one task at a time, whoever asks for it:
// ECS itself sees to that, by the request's token (see startOnce). A run after one that has ended is a new one.
func (o *Orchestrator) StartMigration(ctx context.Context, req release.MigrationRequest) (release.MigrationTask, error) {
	if len(req.Command) == 0 {
		return release.MigrationTask{}, errors.New("the migration has no command: set `migrate: {command: [...]}` of the target")
	}
	m, err := o.planMigration(ctx, req)
	if err != nil {
		return release.MigrationTask{}, fmt.Errorf("migration of %s: %w", req.Service, err)
	}
	started := release.MigrationTask{Cluster: req.Cluster, Container: m.container}
	task, joined, err := o.startMigration(ctx, m)
	if err != nil {
		return release.MigrationTask{}, fmt.Errorf("migration of %s: %w", req.Service, err)
	}
	started.Task, started.Joined = taskOf(task), joined
	return started, nil
}

func (o *Orchestrator) startMigration(ctx context.Context, m migration) (task types.Task, joined bool, err error) {
	older, err := o.ended(ctx, m)
	if err != nil {
		return types.Task{}, false, err
	}
	task, joined, err = o.underWay(ctx, m.run)
	if joined || err != nil {
		return task, joined, err
	}
	arn, err := o.ensureTaskDefinition(ctx, m.definition)
	if err != nil {
		return types.Task{}, false, err
	}
	m.run.TaskDefinition = &arn
	return o.startOnce(ctx, m.run, older)
}

// planMigration takes the task definition and the network from the service, or from the files of one that is yet to be.
func (o *Orchestrator) planMigration(ctx context.Context, req release.MigrationRequest) (migration, error) {
	s, definition, err := o.migrationBase(ctx, req)
	if err != nil {
		return migration{}, err
	}
	container, err := oneOff(definition, req.Image, req.Command)
	if err != nil {
		return migration{}, fmt.Errorf("task definition %s: %w", aws.ToString(s.TaskDefinition), err)
	}
	m := migration{definition: definition, container: container, run: runLike(s)}
	m.run.Cluster = &req.Cluster
	m.run.StartedBy = aws.String(migrationID(aws.ToString(definition.Family), req.Image.Digest, req.Command))
	if s.PropagateTags == types.PropagateTagsService {
		// RunTask has no service to take tags from: they are given.
		m.run.PropagateTags = ""
		tags := s.Tags
		if s.ServiceArn != nil {
			if tags, err = o.tagsOf(ctx, s); err != nil {
				return migration{}, err
			}
		}
		m.run.Tags = ownTags(tags)
	}
	return m, nil
}

// migrationBase gives the service, or what it will be, and its task definition.
func (o *Orchestrator) migrationBase(ctx context.Context, req release.MigrationRequest) (types.Service, *ecs.RegisterTaskDefinitionInput, error) {
	s, err := o.describe(ctx, req.Cluster, req.Service)
	if err == nil {
		revision, err := o.taskRevision(ctx, aws.ToString(s.TaskDefinition))
		return s, revision.registerable(), err
	}
	if !errors.Is(err, release.ErrNotFound) || len(req.Definition.Service) == 0 {
		return types.Service{}, nil, err
	}
	b, err := readDefinition(req.Definition)
	if err != nil {
		return types.Service{}, nil, err
	}
	return asService(b.service), b.task, o.ensureCluster(ctx, req.Cluster)
}

// asService is the part of a service to be that matters to a task.
func asService(in *ecs.CreateServiceInput) types.Service {
	return types.Service{
		ServiceName: in.ServiceName, TaskDefinition: in.TaskDefinition, NetworkConfiguration: in.NetworkConfiguration,
		LaunchType: in.LaunchType, CapacityProviderStrategy: in.CapacityProviderStrategy, PlatformVersion: in.PlatformVersion,
		PlacementConstraints: in.PlacementConstraints, PlacementStrategy: in.PlacementStrategy,
		EnableECSManagedTags: in.EnableECSManagedTags, PropagateTags: in.PropagateTags, Tags: in.Tags,
		Deployments: []types.Deployment{{Status: aws.String(statusPrimary), VolumeConfigurations: in.VolumeConfigurations}},
	}
}

// runLike runs a task of its own where and how a service runs its tasks. It is in no load balancer, and nobody may open
// a shell in it.
func runLike(s types.Service) *ecs.RunTaskInput {
	newest, _ := primary(s)
	in := &ecs.RunTaskInput{
		Count: aws.Int32(1), Group: aws.String("migrate-" + aws.ToString(s.ServiceName)),
		NetworkConfiguration: s.NetworkConfiguration, PlatformVersion: s.PlatformVersion,
		LaunchType: s.LaunchType, CapacityProviderStrategy: s.CapacityProviderStrategy,
		EnableECSManagedTags: s.EnableECSManagedTags, PropagateTags: s.PropagateTags,
		VolumeConfigurations: taskVolumes(newest.VolumeConfigurations),
	}
	if len(in.CapacityProviderStrategy) > 0 {
		in.LaunchType = "" // ECS takes one of the two
	}
	if len(s.PlacementConstraints) > 0 || len(s.PlacementStrategy) > 0 { // which Fargate does not know
		in.PlacementConstraints, in.PlacementStrategy = s.PlacementConstraints, s.PlacementStrategy
	}
	if in.PropagateTags == types.PropagateTagsNone {
		in.PropagateTags = "" // a service may say so, a task may not
	}
	return in
}

// migrationID tells one migration from another: what runs, and on which image. It is the task's startedBy, which has up
// to 128 letters, digits, hyphens, underscores and slashes, and by which the task is found.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html
func migrationID(family string, digest release.Digest, command []string) string {
	what, err := json.Marshal([]any{family, digest, command})
	if err != nil {
		what = []byte(fmt.Sprint(family, digest, command)) // strings can always be encoded
	}
	sum := sha256.Sum256(what)
	return "medusa-migrate/" + digest.Short() + "/" + hex.EncodeToString(sum[:6])
}

// ended lists the tasks of a migration's family that have ended before, once those that are ending have: two runs of one
// migration must not overlap.
func (o *Orchestrator) ended(ctx context.Context, m migration) (map[string]bool, error) {
	arns, err := o.listTasks(ctx, &ecs.ListTasksInput{Cluster: m.run.Cluster, Family: m.definition.Family, DesiredStatus: types.DesiredStatusStopped})
	if err != nil {
		return nil, err
	}
	tasks, err := o.describeTasks(ctx, *m.run.Cluster, arns)
	if err != nil {
		return nil, err
	}
	older := map[string]bool{}
	for _, arn := range arns {
		older[arn] = true
	}
	for _, t := range tasks {
		if aws.ToString(t.LastStatus) != statusStopped && aws.ToString(t.StartedBy) == aws.ToString(m.run.StartedBy) {
			if _, err := o.awaitStopped(ctx, *m.run.Cluster, aws.ToString(t.TaskArn)); err != nil {
				return nil, err
			}
		}
	}
	return older, nil
}

// underWay finds a migration's task that runs. startedBy must be the only filter of such a list.
func (o *Orchestrator) underWay(ctx context.Context, in *ecs.RunTaskInput) (types.Task, bool, error) {
	arns, err := o.listTasks(ctx, &ecs.ListTasksInput{Cluster: in.Cluster, StartedBy: in.StartedBy})
	if err != nil {
		return types.Task{}, false, err
	}
	tasks, err := o.describeTasks(ctx, *in.Cluster, arns)
	if err != nil {
		return types.Task{}, false, err
	}
	for _, t := range tasks {
		if !ending(t) {
			return t, true, nil
		}
	}
	return types.Task{}, false, nil
}

// ending reports whether a task has stopped or is to.
func ending(t types.Task) bool {
	return aws.ToString(t.LastStatus) == statusStopped || aws.ToString(t.DesiredStatus) == statusStopped
}
