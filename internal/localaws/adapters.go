package localaws

import (
	"context"
	"errors"
	"fmt"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecs"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/elb"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/logs"
)

// images is ECR as ECS sees it.
type images struct{ ecr *ecr.Backend }

var _ ecs.Images = images{}

// Resolve implements ecs.Images.
func (i images) Resolve(ctx context.Context, region, image string) (ecs.ResolvedImage, error) {
	r, err := i.ecr.Resolve(ctx, region, image)
	if errors.Is(err, ecr.ErrImageNotFound) {
		return ecs.ResolvedImage{}, fmt.Errorf("%w: %w", engine.ErrImageNotFound, err)
	}
	return ecs.ResolvedImage(r), err
}

// balancer is the load balancer as ECS sees it.
type balancer struct{ *elb.Balancer }

var _ ecs.LoadBalancer = balancer{}

// EnsureTargetGroup implements ecs.LoadBalancer.
func (b balancer) EnsureTargetGroup(ctx context.Context, group ecs.TargetGroup) error {
	return b.Ensure(ctx, elb.Group(group))
}

// Register implements ecs.LoadBalancer.
func (b balancer) Register(ctx context.Context, arn string, t ecs.Target) error {
	return b.Balancer.Register(ctx, arn, elb.Target(t))
}

// Health implements ecs.LoadBalancer. The reason is ELB's description, which is what ECS's events quote.
func (b balancer) Health(arn, targetID string) (state, reason string) {
	h := b.Balancer.Health(arn, targetID)
	return string(h.State), h.Description
}

// sink is CloudWatch Logs as ECS sees it.
type sink struct{ *logs.Backend }

var _ ecs.LogSink = sink{}

// Put implements ecs.LogSink.
func (s sink) Put(ctx context.Context, region, group, stream string, lines []ecs.LogLine) error {
	converted := make([]logs.Line, len(lines))
	for i, line := range lines {
		converted[i] = logs.Line(line)
	}
	return s.Backend.Put(ctx, region, group, stream, converted)
}
