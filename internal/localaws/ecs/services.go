package ecs

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

// service finds a service by name or ARN. The lock is held.
func (b *Backend) service(ctx context.Context, clusterRef, nameOrARN *string) (*service, error) {
	c, err := b.cluster(ctx, clusterRef)
	if err != nil {
		return nil, err
	}
	s, ok := b.memory.services[store.Key(c.Region, c.Name, lastPart(aws.ToString(nameOrARN)))]
	if !ok {
		return nil, &types.ServiceNotFoundException{Message: aws.String("Service not found.")}
	}
	return s, nil
}

// CreateService makes a service and starts its first deployment.
func (b *Backend) CreateService(ctx context.Context, in *awsecs.CreateServiceInput) (*awsecs.CreateServiceOutput, error) {
	if err := checkCreate(in); err != nil {
		return nil, err
	}
	b.lock()
	defer b.unlock()
	c, err := b.cluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	if old, ok := b.memory.services[store.Key(c.Region, c.Name, *in.ServiceName)]; ok {
		switch *old.Def.Status {
		case statusActive:
			if token := aws.ToString(in.ClientToken); token != "" && token == old.Token {
				view := b.serviceView(old) // the same request, sent again
				return &awsecs.CreateServiceOutput{Service: &view}, nil
			}
			return nil, invalid("Creation of service was not idempotent.")
		case statusDraining:
			return nil, invalid("Unable to Start a service that is still Draining.")
		}
	}
	d, err := b.usable(c.Region, in.TaskDefinition)
	if err != nil {
		return nil, err
	}
	if err := checkBalancers(in.LoadBalancers, d); err != nil {
		return nil, err
	}
	s := newService(c, in, d)
	if err := b.ensureTargetGroups(ctx, s); err != nil {
		return nil, err
	}
	b.memory.services[s.key()] = s
	b.deploy(s, d)
	b.control(s)
	view := b.serviceView(s)
	return &awsecs.CreateServiceOutput{Service: &view}, nil
}

func newService(c *cluster, in *awsecs.CreateServiceInput, d *taskDefinition) *service {
	s := &service{Region: c.Region, Cluster: c.Name, Name: *in.ServiceName, Token: aws.ToString(in.ClientToken)}
	s.Def = types.Service{
		ServiceArn: aws.String(s.arn()), ServiceName: in.ServiceName, ClusterArn: aws.String(c.arn()), Status: aws.String(statusActive),
		CreatedAt: aws.Time(time.Now()), CreatedBy: aws.String("arn:aws:iam::000000000000:root"),
		DesiredCount: aws.ToInt32(in.DesiredCount), TaskDefinition: d.Def.TaskDefinitionArn,
		DeploymentConfiguration: completeConfiguration(nil, in.DeploymentConfiguration), DeploymentController: in.DeploymentController,
		LoadBalancers: in.LoadBalancers, NetworkConfiguration: in.NetworkConfiguration, HealthCheckGracePeriodSeconds: in.HealthCheckGracePeriodSeconds,
		LaunchType: in.LaunchType, CapacityProviderStrategy: in.CapacityProviderStrategy, PlatformVersion: in.PlatformVersion,
		PropagateTags: in.PropagateTags, EnableECSManagedTags: in.EnableECSManagedTags, EnableExecuteCommand: in.EnableExecuteCommand,
		PlacementConstraints: in.PlacementConstraints, PlacementStrategy: in.PlacementStrategy, RoleArn: in.Role, Tags: in.Tags,
		AvailabilityZoneRebalancing: in.AvailabilityZoneRebalancing,
		SchedulingStrategy:          types.SchedulingStrategyReplica, Events: []types.ServiceEvent{}, ServiceRegistries: []types.ServiceRegistry{},
	}
	if s.Def.AvailabilityZoneRebalancing == "" {
		s.Def.AvailabilityZoneRebalancing = types.AvailabilityZoneRebalancingEnabled // of a service that is created; an old one has none
	}
	if s.Def.DeploymentController == nil {
		s.Def.DeploymentController = &types.DeploymentController{Type: types.DeploymentControllerTypeEcs}
	}
	if s.Def.LaunchType == "" && len(in.CapacityProviderStrategy) == 0 {
		s.Def.LaunchType = types.LaunchTypeFargate
	}
	if s.Def.LoadBalancers == nil {
		s.Def.LoadBalancers = []types.LoadBalancer{}
	}
	if s.Def.PlacementConstraints == nil {
		s.Def.PlacementConstraints = []types.PlacementConstraint{}
	}
	if s.Def.PlacementStrategy == nil {
		s.Def.PlacementStrategy = []types.PlacementStrategy{}
	}
	return s
}

// completeConfiguration lays a change over what was there, with ECS's defaults below both.
func completeConfiguration(before, change *types.DeploymentConfiguration) *types.DeploymentConfiguration {
	full := types.DeploymentConfiguration{
		MaximumPercent: aws.Int32(200), MinimumHealthyPercent: aws.Int32(100), Strategy: types.DeploymentStrategyRolling,
		DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{},
	}
	for _, layer := range []*types.DeploymentConfiguration{before, change} {
		if layer == nil {
			continue
		}
		if layer.MaximumPercent != nil {
			full.MaximumPercent = layer.MaximumPercent
		}
		if layer.MinimumHealthyPercent != nil {
			full.MinimumHealthyPercent = layer.MinimumHealthyPercent
		}
		if layer.DeploymentCircuitBreaker != nil {
			full.DeploymentCircuitBreaker = layer.DeploymentCircuitBreaker
		}
	}
	return &full
}

func checkCreate(in *awsecs.CreateServiceInput) error {
	switch {
	case in.ServiceName == nil || !namePattern.MatchString(*in.ServiceName):
		return invalid("Service name must match %s.", namePattern)
	case in.DesiredCount != nil && *in.DesiredCount < 0:
		return invalid("Desired count must be 0 or more.")
	case in.DesiredCount == nil && in.SchedulingStrategy != types.SchedulingStrategyDaemon:
		return invalid("DesiredCount is required.")
	case in.SchedulingStrategy == types.SchedulingStrategyDaemon:
		return unavailable("the scheduling strategy DAEMON")
	case in.DeploymentController != nil && in.DeploymentController.Type != types.DeploymentControllerTypeEcs:
		return unavailable("the deployment controller " + string(in.DeploymentController.Type))
	case in.ServiceConnectConfiguration != nil && in.ServiceConnectConfiguration.Enabled:
		return unavailable("Service Connect")
	case len(in.ServiceRegistries) > 0:
		return unavailable("service registries")
	case len(in.VolumeConfigurations) > 0 || len(in.VpcLatticeConfigurations) > 0 || len(in.GatewayConnectors) > 0:
		return unavailable("volume, VPC Lattice and gateway configurations")
	case in.LaunchType != "" && len(in.CapacityProviderStrategy) > 0:
		return invalid("Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.")
	}
	return checkConfiguration(in.DeploymentConfiguration)
}

func checkConfiguration(c *types.DeploymentConfiguration) error {
	switch {
	case c == nil:
		return nil
	case c.Strategy != "" && c.Strategy != types.DeploymentStrategyRolling:
		return unavailable("the deployment strategy " + string(c.Strategy) + " (only ROLLING)")
	case c.Alarms != nil && c.Alarms.Enable:
		return unavailable("deployment alarms")
	case len(c.LifecycleHooks) > 0:
		return unavailable("deployment lifecycle hooks")
	case c.EarlySuccessCriteria != nil:
		return unavailable("early success criteria")
	case aws.ToInt32(c.BakeTimeInMinutes) > 0:
		return unavailable("a bake time")
	}
	full := completeConfiguration(nil, c)
	low, high := *full.MinimumHealthyPercent, *full.MaximumPercent
	if low < 0 || high < 0 || high > 200 || low > high || high == 0 {
		return invalid("Both maximumPercent and minimumHealthyPercent cannot be 0, and maximumPercent must be at least minimumHealthyPercent and at most 200.")
	}
	return nil
}

// checkBalancers refuses a load balancer for a container or port that the task definition does not have.
func checkBalancers(balancers []types.LoadBalancer, d *taskDefinition) error {
	for _, l := range balancers {
		if aws.ToString(l.TargetGroupArn) == "" {
			return unavailable("Classic Load Balancers; name a targetGroupArn")
		}
		mapped := slices.ContainsFunc(d.Def.ContainerDefinitions, func(c types.ContainerDefinition) bool {
			return *c.Name == aws.ToString(l.ContainerName) && slices.ContainsFunc(c.PortMappings, func(p types.PortMapping) bool {
				return aws.ToInt32(p.ContainerPort) == aws.ToInt32(l.ContainerPort)
			})
		})
		if !mapped {
			return invalid("The container %s did not have a container port %d defined.", aws.ToString(l.ContainerName), aws.ToInt32(l.ContainerPort))
		}
	}
	return nil
}

// ensureTargetGroups makes the service's target groups serve.
func (b *Backend) ensureTargetGroups(ctx context.Context, s *service) error {
	tags := map[string]string{}
	for _, t := range s.Def.Tags {
		tags[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	for _, l := range s.Def.LoadBalancers {
		group := TargetGroup{ARN: *l.TargetGroupArn, Service: s.Cluster + "/" + s.Name, Tags: tags}
		if err := b.LoadBalancer.EnsureTargetGroup(ctx, group); err != nil {
			return invalid("The target group %s cannot serve: %s", *l.TargetGroupArn, err)
		}
	}
	return nil
}

// DescribeServices describes up to ten services; those that do not exist are failures.
func (b *Backend) DescribeServices(ctx context.Context, in *awsecs.DescribeServicesInput) (*awsecs.DescribeServicesOutput, error) {
	if len(in.Services) == 0 {
		return nil, invalid("Services cannot be empty.")
	}
	if len(in.Services) > 10 {
		return nil, invalid("Services cannot have more than 10 elements.")
	}
	b.lock()
	defer b.unlock()
	if _, err := b.cluster(ctx, in.Cluster); err != nil {
		return nil, err
	}
	out := &awsecs.DescribeServicesOutput{Services: []types.Service{}, Failures: []types.Failure{}}
	for _, name := range in.Services {
		s, err := b.service(ctx, in.Cluster, &name)
		if err != nil {
			out.Failures = append(out.Failures, missing(arn(region(ctx), "service/"+clusterName(in.Cluster)+"/"+lastPart(name))))
			continue
		}
		view := b.serviceView(s)
		if !slices.Contains(in.Include, types.ServiceFieldTags) {
			view.Tags = nil
		}
		out.Services = append(out.Services, view)
	}
	return out, nil
}

// ListServices lists a cluster's services by ARN.
func (b *Backend) ListServices(ctx context.Context, in *awsecs.ListServicesInput) (*awsecs.ListServicesOutput, error) {
	b.lock()
	defer b.unlock()
	c, err := b.cluster(ctx, in.Cluster)
	if err != nil {
		return nil, err
	}
	var arns []string
	for _, s := range b.memory.services {
		if s.Region == c.Region && s.Cluster == c.Name && *s.Def.Status != statusInactive && (in.LaunchType == "" || in.LaunchType == s.Def.LaunchType) {
			arns = append(arns, s.arn())
		}
	}
	slices.Sort(arns)
	page, next, err := paginate(arns, in.MaxResults, in.NextToken)
	return &awsecs.ListServicesOutput{ServiceArns: page, NextToken: next}, err
}

// DeleteService stops a service's tasks and then makes it inactive. One that still wants tasks needs force.
func (b *Backend) DeleteService(ctx context.Context, in *awsecs.DeleteServiceInput) (*awsecs.DeleteServiceOutput, error) {
	b.lock()
	defer b.unlock()
	s, err := b.service(ctx, in.Cluster, in.Service)
	if err != nil {
		return nil, err
	}
	if *s.Def.Status == statusInactive {
		return nil, &types.ServiceNotFoundException{Message: aws.String("Service not found.")}
	}
	if s.desired() > 0 && !aws.ToBool(in.Force) && s.active() {
		return nil, invalid("The service cannot be stopped while it is scaled above 0.")
	}
	s.Def.Status = aws.String(statusDraining)
	s.Def.DesiredCount = 0
	b.finish(s, types.ServiceDeploymentStatusStopped, "The service was deleted.")
	b.saveService(s)
	b.wake(s.key())
	view := b.serviceView(s)
	return &awsecs.DeleteServiceOutput{Service: &view}, nil
}
