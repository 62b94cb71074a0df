package ecs

import (
	"context"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// UpdateService changes a service. Whatever changes what tasks are made from starts a new deployment, which overtakes
// one that is in flight; a new desired count alone does not.
func (b *Backend) UpdateService(ctx context.Context, in *awsecs.UpdateServiceInput) (*awsecs.UpdateServiceOutput, error) {
	if err := checkUpdate(in); err != nil {
		return nil, err
	}
	b.lock()
	defer b.unlock()
	s, err := b.service(ctx, in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	if !s.active() {
		return nil, &types.ServiceNotActiveException{Message: aws.String("Service was not ACTIVE.")}
	}
	d, err := b.wanted(s, in)
	if err != nil {
		return nil, err
	}
	changed := *s
	apply(&changed, in, d)
	if !in.ForceNewDeployment && otherCapacity(s.Def.CapacityProviderStrategy, changed.Def.CapacityProviderStrategy) {
		return nil, invalid("When switching from launch type to capacity provider strategy on an existing service, or making a change to a capacity provider strategy on a service that is already using one, you must force a new deployment.")
	}
	anew := in.ForceNewDeployment || differ(s.Def, changed.Def)
	if err := checkBalancers(changed.Def.LoadBalancers, d); err != nil {
		return nil, err
	}
	if in.LoadBalancers != nil {
		if err := b.ensureTargetGroups(ctx, &changed); err != nil {
			return nil, err
		}
	}
	s.Def = changed.Def
	s.Steady = false
	if anew {
		b.deploy(s, d)
	}
	b.saveService(s)
	b.wake(s.key())
	view := b.serviceView(s)
	return &awsecs.UpdateServiceOutput{Service: &view}, nil
}

// wanted is the task definition that an update asks for. A service keeps the one that it has, also when that is inactive
// by now. The lock is held.
func (b *Backend) wanted(s *service, in *awsecs.UpdateServiceInput) (*taskDefinition, error) {
	if in.TaskDefinition == nil {
		return b.definition(s.Region, s.Def.TaskDefinition)
	}
	return b.usable(s.Region, in.TaskDefinition)
}

func checkUpdate(in *awsecs.UpdateServiceInput) error {
	switch {
	case in.DeploymentController != nil && in.DeploymentController.Type != types.DeploymentControllerTypeEcs:
		return unavailable("the deployment controller " + string(in.DeploymentController.Type))
	case in.DesiredCount != nil && *in.DesiredCount < 0:
		return invalid("Desired count must be 0 or more.")
	case in.ServiceConnectConfiguration != nil && in.ServiceConnectConfiguration.Enabled:
		return unavailable("Service Connect")
	case len(in.ServiceRegistries) > 0:
		return unavailable("service registries")
	case len(in.VolumeConfigurations) > 0 || len(in.VpcLatticeConfigurations) > 0 || len(in.GatewayConnectors) > 0:
		return unavailable("volume, VPC Lattice and gateway configurations")
	}
	return checkConfiguration(in.DeploymentConfiguration)
}

// otherCapacity reports whether tasks would be placed elsewhere; no strategy and an empty one are the same.
func otherCapacity(before, after []types.CapacityProviderStrategyItem) bool {
	return len(before)+len(after) > 0 && !reflect.DeepEqual(before, after)
}

// differ reports whether a change is one of what tasks are made from.
func differ(before, after types.Service) bool {
	return *before.TaskDefinition != *after.TaskDefinition || aws.ToString(before.PlatformVersion) != aws.ToString(after.PlatformVersion) ||
		!reflect.DeepEqual(before.NetworkConfiguration, after.NetworkConfiguration) ||
		!reflect.DeepEqual(before.LoadBalancers, after.LoadBalancers)
}

// apply brings an update's members to a service. Of lists, an empty one is said and an absent one is not.
func apply(s *service, in *awsecs.UpdateServiceInput, d *taskDefinition) {
	s.Def.TaskDefinition = d.Def.TaskDefinitionArn
	s.Def.DeploymentConfiguration = completeConfiguration(s.Def.DeploymentConfiguration, in.DeploymentConfiguration)
	if in.DesiredCount != nil {
		s.Def.DesiredCount = *in.DesiredCount
	}
	if in.NetworkConfiguration != nil {
		s.Def.NetworkConfiguration = in.NetworkConfiguration
	}
	if in.LoadBalancers != nil {
		s.Def.LoadBalancers = in.LoadBalancers
	}
	if in.HealthCheckGracePeriodSeconds != nil {
		s.Def.HealthCheckGracePeriodSeconds = in.HealthCheckGracePeriodSeconds
	}
	if in.CapacityProviderStrategy != nil {
		s.Def.CapacityProviderStrategy, s.Def.LaunchType = in.CapacityProviderStrategy, ""
		if len(in.CapacityProviderStrategy) == 0 {
			s.Def.LaunchType = types.LaunchTypeFargate
		}
	}
	if in.PlatformVersion != nil {
		s.Def.PlatformVersion = in.PlatformVersion
	}
	applyPlain(s, in)
}

// applyPlain brings the members that make no difference on one machine, but are told.
func applyPlain(s *service, in *awsecs.UpdateServiceInput) {
	if in.EnableExecuteCommand != nil {
		s.Def.EnableExecuteCommand = *in.EnableExecuteCommand
	}
	if in.EnableECSManagedTags != nil {
		s.Def.EnableECSManagedTags = *in.EnableECSManagedTags
	}
	if in.PropagateTags != "" {
		s.Def.PropagateTags = in.PropagateTags
	}
	if in.AvailabilityZoneRebalancing != "" {
		s.Def.AvailabilityZoneRebalancing = in.AvailabilityZoneRebalancing
	}
	if in.PlacementConstraints != nil {
		s.Def.PlacementConstraints = in.PlacementConstraints
	}
	if in.PlacementStrategy != nil {
		s.Def.PlacementStrategy = in.PlacementStrategy
	}
}
