package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/uuid"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Create implements release.Orchestrator. A service that exists already is not changed: a deployment of it that is
// under way is the rollout, or else a new one.
func (o *Orchestrator) Create(ctx context.Context, cluster string, def release.Definition, taskDefinition string) (release.Rollout, error) {
	b, err := readDefinition(def)
	if err != nil {
		return release.Rollout{}, err
	}
	if err := b.belongsTo(cluster, def); err != nil {
		return release.Rollout{}, err
	}
	if err := o.ensureCluster(ctx, cluster); err != nil {
		return release.Rollout{}, err
	}
	name := aws.ToString(b.service.ServiceName)
	existing, err := o.describe(ctx, cluster, name)
	switch {
	case err == nil:
		return o.join(ctx, cluster, existing, taskDefinition)
	case !errors.Is(err, release.ErrNotFound):
		return release.Rollout{}, err
	}
	if taskDefinition == "" {
		if taskDefinition, err = o.ensureTaskDefinition(ctx, b.task); err != nil {
			return release.Rollout{}, err
		}
	}
	return o.createService(ctx, cluster, taskDefinition, b.service)
}

func (o *Orchestrator) createService(ctx context.Context, cluster, taskDefinition string, in *ecs.CreateServiceInput) (release.Rollout, error) {
	in.Cluster, in.TaskDefinition = &cluster, &taskDefinition
	if in.ClientToken == nil {
		in.ClientToken = aws.String(uuid.NewString()) // makes it safe to send again
	}
	name := aws.ToString(in.ServiceName)
	older, err := o.olderOf(ctx, cluster, name)
	if err != nil {
		return release.Rollout{}, err
	}
	out, err := awsclient.Call(ctx, o.ecs.CreateService, in)
	if err != nil && strings.Contains(awsclient.MessageOf(err), "not idempotent") {
		existing, lookErr := o.describe(ctx, cluster, name) // somebody else has just created it
		if lookErr != nil {
			return release.Rollout{}, errors.Join(err, lookErr)
		}
		return o.join(ctx, cluster, existing, taskDefinition)
	}
	if err != nil {
		return release.Rollout{}, fmt.Errorf("create service %s: %w", name, err)
	}
	if out.Service == nil {
		return release.Rollout{}, fmt.Errorf("create service %s: ECS answered without a service", name)
	}
	return o.awaitDeployment(ctx, cluster, *out.Service, older)
}

// olderOf notes the deployments of a deleted service of the same name.
func (o *Orchestrator) olderOf(ctx context.Context, cluster, service string) (map[string]bool, error) {
	older, err := o.arnsSince(ctx, cluster, service, time.Now().Add(-beforeWindow))
	if errors.Is(err, release.ErrNotFound) {
		return map[string]bool{}, nil
	}
	return older, err
}

// join gives the rollout of a service that exists: the one under way, or a new one, of taskDefinition where one is named.
func (o *Orchestrator) join(ctx context.Context, cluster string, s types.Service, taskDefinition string) (release.Rollout, error) {
	name := aws.ToString(s.ServiceName)
	past, err := o.Past(ctx, cluster, name)
	if err != nil {
		return release.Rollout{}, err
	}
	if len(past) > 0 && !over(types.ServiceDeploymentStatus(past[0].Status)) && !stopping(types.ServiceDeploymentStatus(past[0].Status)) {
		return past[0].Rollout, nil
	}
	return o.Deploy(ctx, cluster, name, release.Change{TaskDefinition: taskDefinition})
}

func (o *Orchestrator) ensureCluster(ctx context.Context, cluster string) error {
	out, err := awsclient.Call(ctx, o.ecs.DescribeClusters, &ecs.DescribeClustersInput{Clusters: []string{cluster}})
	if err != nil {
		return fmt.Errorf("look for cluster %s: %w", cluster, err)
	}
	for _, c := range out.Clusters {
		if aws.ToString(c.Status) != statusInactive {
			return nil
		}
	}
	if _, err := awsclient.Call(ctx, o.ecs.CreateCluster, &ecs.CreateClusterInput{ClusterName: &cluster}); err != nil {
		return fmt.Errorf("create cluster %s: %w", cluster, err)
	}
	return nil
}
