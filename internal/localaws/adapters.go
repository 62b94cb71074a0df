package localaws

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecs"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/elb"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/logs"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/secrets"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ssm"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
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

// vault is Secrets Manager and Parameter Store as ECS sees them.
type vault struct {
	secrets *secrets.Backend
	ssm     *ssm.Backend
}

var _ ecs.Secrets = vault{}

// Secret implements ecs.Secrets.
func (v vault) Secret(ctx context.Context, region string, q ecs.SecretQuery) (string, error) {
	out, err := v.secrets.GetSecretValue(wire.WithCaller(ctx, wire.Caller{Region: region}), &secretsmanager.GetSecretValueInput{
		SecretId: &q.ID, VersionStage: unlessEmpty(q.Stage), VersionId: unlessEmpty(q.Version),
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

func unlessEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// Parameters implements ecs.Secrets. An ARN of another account stands for the parameter of that name here.
func (v vault) Parameters(ctx context.Context, region string, names []string) (map[string]string, []string, error) {
	asked := map[string]string{} // as it is here → as it was asked for
	in := &awsssm.GetParametersInput{WithDecryption: aws.Bool(true)}
	for _, name := range names {
		here := name
		if named, err := arn.Parse(name); err == nil {
			named.AccountID = wire.AccountID
			here = named.String()
		}
		asked[here] = name
		in.Names = append(in.Names, here)
	}
	out, err := v.ssm.GetParameters(wire.WithCaller(ctx, wire.Caller{Region: region}), in)
	if err != nil {
		return nil, nil, err
	}
	values := map[string]string{}
	for _, p := range out.Parameters {
		for _, id := range []*string{p.Name, p.ARN} {
			if name, ok := asked[*id+aws.ToString(p.Selector)]; ok {
				values[name] = *p.Value
			}
		}
	}
	var missing []string
	for _, here := range out.InvalidParameters {
		missing = append(missing, asked[here])
	}
	return values, missing, nil
}
