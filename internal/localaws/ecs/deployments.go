package ecs

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// ListServiceDeployments lists a service's deployments, newest first.
func (b *Backend) ListServiceDeployments(ctx context.Context, in *awsecs.ListServiceDeploymentsInput) (*awsecs.ListServiceDeploymentsOutput, error) {
	b.lock()
	defer b.unlock()
	cluster := in.Cluster
	if parts := strings.Split(aws.ToString(in.Service), "/"); cluster == nil && len(parts) == 3 {
		cluster = &parts[1] // the service's ARN names its cluster
	}
	s, err := b.service(ctx, cluster, in.Service)
	if err != nil {
		return nil, err
	}
	var matching []*deployment
	for _, d := range b.deploymentsOf(s) {
		if len(in.Status) > 0 && !slices.Contains(in.Status, d.SD.Status) || outside(in.CreatedAt, *d.SD.CreatedAt) {
			continue
		}
		matching = append(matching, d)
	}
	limit := int(*orInt32(in.MaxResults, 100))
	if limit < 1 || limit > 100 {
		return nil, invalid("maxResults must be between 1 and 100")
	}
	if after := aws.ToString(in.NextToken); after != "" {
		at := slices.IndexFunc(matching, func(d *deployment) bool { return d.arn() == after })
		if at < 0 {
			return nil, invalid("Invalid token.")
		}
		matching = matching[at+1:]
	}
	out := &awsecs.ListServiceDeploymentsOutput{ServiceDeployments: []types.ServiceDeploymentBrief{}}
	for _, d := range matching[:min(limit, len(matching))] {
		out.ServiceDeployments = append(out.ServiceDeployments, deploymentBrief(d))
	}
	if len(matching) > limit {
		out.NextToken = aws.String(matching[limit-1].arn())
	}
	return out, nil
}

func outside(span *types.CreatedAt, at time.Time) bool {
	return span != nil && (span.After != nil && !at.After(*span.After) || span.Before != nil && !at.Before(*span.Before))
}

// DescribeServiceDeployments describes up to twenty service deployments; those that do not exist are failures.
func (b *Backend) DescribeServiceDeployments(ctx context.Context, in *awsecs.DescribeServiceDeploymentsInput) (*awsecs.DescribeServiceDeploymentsOutput, error) {
	if err := several(len(in.ServiceDeploymentArns), 20, "serviceDeploymentArns"); err != nil {
		return nil, err
	}
	b.lock()
	defer b.unlock()
	out := &awsecs.DescribeServiceDeploymentsOutput{ServiceDeployments: []types.ServiceDeployment{}, Failures: []types.Failure{}}
	for _, name := range in.ServiceDeploymentArns {
		d, ok := b.memory.deployments[name]
		if !ok || d.Region != region(ctx) {
			out.Failures = append(out.Failures, missing(name))
			continue
		}
		out.ServiceDeployments = append(out.ServiceDeployments, b.deploymentDetail(d))
	}
	return out, nil
}

func several(n, most int, member string) error {
	if n == 0 {
		return invalid("%s cannot be empty.", member)
	}
	if n > most {
		return invalid("%s cannot have more than %d elements.", member, most)
	}
	return nil
}

// DescribeServiceRevisions describes up to twenty service revisions with the digests that they resolved.
func (b *Backend) DescribeServiceRevisions(ctx context.Context, in *awsecs.DescribeServiceRevisionsInput) (*awsecs.DescribeServiceRevisionsOutput, error) {
	if err := several(len(in.ServiceRevisionArns), 20, "serviceRevisionArns"); err != nil {
		return nil, err
	}
	b.lock()
	defer b.unlock()
	out := &awsecs.DescribeServiceRevisionsOutput{ServiceRevisions: []types.ServiceRevision{}, Failures: []types.Failure{}}
	for _, name := range in.ServiceRevisionArns {
		r, ok := b.memory.revisions[name]
		if !ok || r.Region != region(ctx) {
			out.Failures = append(out.Failures, missing(name))
			continue
		}
		out.ServiceRevisions = append(out.ServiceRevisions, r.Rev)
	}
	return out, nil
}

// StopServiceDeployment ends a deployment that is in flight: ROLLBACK goes back to the last successful revision, ABORT
// leaves everything as it is.
func (b *Backend) StopServiceDeployment(ctx context.Context, in *awsecs.StopServiceDeploymentInput) (*awsecs.StopServiceDeploymentOutput, error) {
	b.lock()
	defer b.unlock()
	d, ok := b.memory.deployments[aws.ToString(in.ServiceDeploymentArn)]
	if !ok || d.Region != region(ctx) {
		return nil, &types.ServiceDeploymentNotFoundException{Message: aws.String("Service deployment not found.")}
	}
	s, ok := b.memory.services[d.serviceKey()]
	if !ok || !d.inFlight() || d.SD.Rollback != nil || s.Deployment != d.arn() {
		return nil, &types.ConflictException{Message: aws.String(fmt.Sprintf("Service deployment is in the state %s and cannot be stopped.", d.SD.Status))}
	}
	const reason = "Service deployment was stopped by the user."
	if in.StopType == types.StopServiceDeploymentStopTypeAbort {
		b.giveUp(s, d, reason)
	} else if !b.rollback(s, d, reason) {
		b.giveUp(s, d, reason+" There is no earlier successful deployment to roll back to.")
		for _, t := range b.tasksOf(s) {
			if t.Revision == s.Revision {
				b.stop(t, types.TaskStopCodeServiceSchedulerInitiated, "Scaling activity initiated by (deployment "+b.memory.revisions[s.Revision].ID+")")
			}
		}
	}
	return &awsecs.StopServiceDeploymentOutput{ServiceDeploymentArn: in.ServiceDeploymentArn}, nil
}
