package orchestrator

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	statusInactive = "INACTIVE"
	statusPrimary  = "PRIMARY" // of a deployment: the newest
)

// Service implements release.Orchestrator. An INACTIVE service was deleted: it does not exist.
func (o *Orchestrator) Service(ctx context.Context, cluster, service string) (release.Service, error) {
	found, err := o.describe(ctx, cluster, service)
	if err != nil {
		return release.Service{}, err
	}
	s := serviceOf(found)
	s.Cluster = cluster
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		s.TaskDefinition, err = o.taskDefinition(ctx, aws.ToString(found.TaskDefinition))
		return err
	})
	both.Go(func() error {
		if s.CurrentDeployment == "" {
			return nil
		}
		d, err := o.deployment(ctx, s.CurrentDeployment)
		s.DeploymentInFlight = !over(d.Status)
		return err
	})
	if err := both.Wait(); err != nil {
		return release.Service{}, err
	}
	return s, nil
}

// describe asks for one service; release.ErrNotFound when it or its cluster does not exist.
func (o *Orchestrator) describe(ctx context.Context, cluster, service string) (types.Service, error) {
	s, found, err := o.servicesIn(cluster).get(ctx, service)
	if err == nil && !found {
		err = noService(cluster, service)
	}
	return s, err
}

// describeWithTags is describe for one who needs the service's tags as well.
func (o *Orchestrator) describeWithTags(ctx context.Context, cluster, service string) (types.Service, error) {
	found, err := servicesOf(o.ecs, cluster, types.ServiceFieldTags)(ctx, []string{service})
	s, ok := found[service]
	if err == nil && !ok {
		err = noService(cluster, service)
	}
	return s, err
}

func noService(cluster, service string) error {
	return fmt.Errorf("cluster %s has no service %s: %w", cluster, service, release.ErrNotFound)
}

// deployment asks for one service deployment.
func (o *Orchestrator) deployment(ctx context.Context, arn string) (types.ServiceDeployment, error) {
	d, found, err := o.gathering.deployments.get(ctx, arn)
	if err == nil && !found {
		err = fmt.Errorf("service deployment %s: %w", arn, release.ErrNotFound)
	}
	return d, err
}

// over reports whether a service deployment has ended.
func over(status types.ServiceDeploymentStatus) bool {
	switch status {
	case types.ServiceDeploymentStatusSuccessful, types.ServiceDeploymentStatusStopped,
		types.ServiceDeploymentStatusRollbackSuccessful, types.ServiceDeploymentStatusRollbackFailed:
		return true
	}
	return false
}

// Defaults of a rolling deployment.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
const (
	defaultMinimumHealthyPercent = 100
	defaultMaximumPercent        = 200
)

// serviceOf maps what ECS tells of a service; the task definition is looked up apart.
func serviceOf(s types.Service) release.Service {
	mapped := release.Service{
		Name: aws.ToString(s.ServiceName), ARN: aws.ToString(s.ServiceArn), Status: aws.ToString(s.Status),
		Desired: int(s.DesiredCount), Running: int(s.RunningCount), Pending: int(s.PendingCount),
		LoadBalanced:      len(s.LoadBalancers) > 0,
		GracePeriod:       seconds(s.HealthCheckGracePeriodSeconds),
		CurrentDeployment: aws.ToString(s.CurrentServiceDeployment),
	}
	mapControl(&mapped, s.DeploymentController, s.DeploymentConfiguration)
	return mapped
}

// mapControl maps who deploys the service and how, with ECS's defaults for what is not said.
func mapControl(s *release.Service, controller *types.DeploymentController, c *types.DeploymentConfiguration) {
	s.Controller = string(types.DeploymentControllerTypeEcs)
	if controller != nil && controller.Type != "" {
		s.Controller = string(controller.Type)
	}
	s.DeploymentStrategy = string(types.DeploymentStrategyRolling)
	s.MinimumHealthyPercent, s.MaximumPercent = defaultMinimumHealthyPercent, defaultMaximumPercent
	if c == nil {
		return
	}
	s.DeploymentStrategy = cmp.Or(string(c.Strategy), s.DeploymentStrategy)
	if c.MinimumHealthyPercent != nil {
		s.MinimumHealthyPercent = int(*c.MinimumHealthyPercent)
	}
	if c.MaximumPercent != nil {
		s.MaximumPercent = int(*c.MaximumPercent)
	}
	if b := c.DeploymentCircuitBreaker; b != nil {
		s.Breaker, s.BreakerRollback = b.Enable, b.Rollback
	}
	s.Bake = bakeOf(*c)
}

// taskDefinition gives a task definition by ARN or FAMILY:REVISION. A revision never changes, so it is asked for once.
func (o *Orchestrator) taskDefinition(ctx context.Context, arn string) (release.TaskDefinition, error) {
	o.mu.Lock()
	known, ok := o.definitions[arn]
	o.mu.Unlock()
	if ok {
		return known, nil
	}
	out, err := awsclient.Call(ctx, o.ecs.DescribeTaskDefinition, &ecs.DescribeTaskDefinitionInput{TaskDefinition: &arn})
	if err != nil {
		return release.TaskDefinition{}, fmt.Errorf("task definition %s: %w", arn, err)
	}
	if out.TaskDefinition == nil {
		return release.TaskDefinition{}, fmt.Errorf("task definition %s: %w", arn, release.ErrNotFound)
	}
	d := definitionOf(*out.TaskDefinition)
	o.mu.Lock()
	o.definitions[arn] = d
	o.mu.Unlock()
	return d, nil
}

func definitionOf(t types.TaskDefinition) release.TaskDefinition {
	d := release.TaskDefinition{
		ARN: aws.ToString(t.TaskDefinitionArn), Family: aws.ToString(t.Family), Revision: int(t.Revision),
		ExecutionRole: aws.ToString(t.ExecutionRoleArn), Containers: containersOf(t.ContainerDefinitions),
		CPU: sizeOf(t.Cpu, "vcpu"), Memory: sizeOf(t.Memory, "gb"),
	}
	if p := t.RuntimePlatform; p != nil {
		d.Architecture, d.OS = string(p.CpuArchitecture), string(p.OperatingSystemFamily)
	}
	return d
}

// definitionsOf lists the task definitions that a service runs now: two while it is being deployed.
func definitionsOf(s types.Service) []string {
	arns := []string{aws.ToString(s.TaskDefinition)}
	for _, d := range s.Deployments {
		if arn := aws.ToString(d.TaskDefinition); arn != "" && !slices.Contains(arns, arn) {
			arns = append(arns, arn)
		}
	}
	return arns
}
