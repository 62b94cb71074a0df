package orchestrator

import (
	"context"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// pastMax is how many deployments Past gives.
	pastMax = 100
	// listDeploymentsMax is the largest page of ListServiceDeployments.
	listDeploymentsMax = 100
)

// resolved is what a service revision's containers run.
type resolved struct {
	images     map[string]release.Digest // by container
	refs       map[string]string         // by container: as the task definition names the image
	definition string                    // ARN of the task definition
}

// complete reports whether every image has its digest: then none of it changes any more.
func (r resolved) complete() bool { return len(r.refs) > 0 && len(r.images) == len(r.refs) }

// Past implements release.Orchestrator.
func (o *Orchestrator) Past(ctx context.Context, cluster, service string) ([]release.PastRollout, error) {
	return o.pastSince(ctx, cluster, service, time.Time{})
}

// pastSince gives the deployments created at since or later, newest first.
func (o *Orchestrator) pastSince(ctx context.Context, cluster, service string, since time.Time) ([]release.PastRollout, error) {
	listed, err := o.listDeployments(ctx, cluster, service, since)
	if err != nil {
		return nil, err
	}
	listed = listed[:min(len(listed), pastMax)]
	revisions, err := o.revisions(ctx, listed)
	if err != nil {
		return nil, err
	}
	var past []release.PastRollout
	for _, d := range listed {
		r := revisions[aws.ToString(d.TargetServiceRevisionArn)]
		past = append(past, release.PastRollout{
			Rollout: release.Rollout{
				Service: service, Deployment: aws.ToString(d.ServiceDeploymentArn),
				Revision: aws.ToString(d.TargetServiceRevisionArn), Started: aws.ToTime(d.CreatedAt),
			},
			Status: string(d.Status), StatusReason: aws.ToString(d.StatusReason), Finished: aws.ToTime(d.FinishedAt), Images: r.images, Refs: r.refs, TaskDefinition: r.definition,
		})
	}
	return past, o.nameStarters(ctx, cluster, service, past)
}

// nameStarters fills in ecs-svc/N of the deployments that the service still lists: whoever joins a rollout in flight
// needs it to tell the rollout's tasks from others. Nothing but the time links the two records.
func (o *Orchestrator) nameStarters(ctx context.Context, cluster, service string, past []release.PastRollout) error {
	if len(past) == 0 || over(types.ServiceDeploymentStatus(past[0].Status)) {
		return nil
	}
	s, err := o.describe(ctx, cluster, service)
	if err != nil {
		return err
	}
	for _, d := range s.Deployments {
		best := -1
		for i := range past {
			apart := past[i].Started.Sub(aws.ToTime(d.CreatedAt)).Abs()
			if apart <= appearSlack && (best < 0 || apart < past[best].Started.Sub(aws.ToTime(d.CreatedAt)).Abs()) {
				best = i
			}
		}
		if best >= 0 {
			past[best].StartedBy = aws.ToString(d.Id)
		}
	}
	return nil
}

// listDeployments lists a service's deployments created at since or later, newest first; the zero time: all.
func (o *Orchestrator) listDeployments(ctx context.Context, cluster, service string, since time.Time) ([]types.ServiceDeploymentBrief, error) {
	in := &ecs.ListServiceDeploymentsInput{Cluster: &cluster, Service: &service, MaxResults: aws.Int32(listDeploymentsMax)}
	if !since.IsZero() {
		in.CreatedAt = &types.CreatedAt{After: aws.Time(since.Add(-time.Second))} // whether the bound itself counts is not documented
	}
	var all []types.ServiceDeploymentBrief
	for {
		out, err := awsclient.Call(ctx, o.ecs.ListServiceDeployments, in)
		if err != nil {
			return nil, missing(err)
		}
		for _, d := range out.ServiceDeployments {
			if !aws.ToTime(d.CreatedAt).Before(since) {
				all = append(all, d)
			}
		}
		if in.NextToken = out.NextToken; aws.ToString(in.NextToken) == "" {
			break
		}
	}
	slices.SortStableFunc(all, func(a, b types.ServiceDeploymentBrief) int {
		return aws.ToTime(b.CreatedAt).Compare(aws.ToTime(a.CreatedAt))
	})
	return all, nil
}

// revisions gives what the deployments' target revisions run, by revision ARN.
func (o *Orchestrator) revisions(ctx context.Context, listed []types.ServiceDeploymentBrief) (map[string]resolved, error) {
	found, unknown := map[string]resolved{}, []string{}
	o.mu.Lock()
	for _, d := range listed {
		arn := aws.ToString(d.TargetServiceRevisionArn)
		if r, ok := o.resolved[arn]; ok {
			found[arn] = r
		} else if arn != "" && !slices.Contains(unknown, arn) {
			unknown = append(unknown, arn)
		}
	}
	o.mu.Unlock()
	asked := make([]types.ServiceRevision, len(unknown))
	all, group := errgroup.WithContext(ctx)
	for i, arn := range unknown {
		all.Go(func() (err error) {
			asked[i], _, err = o.gathering.revisions.get(group, arn) // one that is forgotten is left out
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return nil, err
	}
	for _, revision := range asked {
		if arn := aws.ToString(revision.ServiceRevisionArn); arn != "" {
			found[arn] = o.remember(revision)
		}
	}
	return found, nil
}

func (o *Orchestrator) remember(revision types.ServiceRevision) resolved {
	r := resolved{images: map[string]release.Digest{}, refs: map[string]string{}, definition: aws.ToString(revision.TaskDefinition)}
	for _, c := range revision.ContainerImages {
		r.refs[aws.ToString(c.ContainerName)] = aws.ToString(c.Image)
		if digest := aws.ToString(c.ImageDigest); digest != "" {
			r.images[aws.ToString(c.ContainerName)] = release.Digest(digest)
		}
	}
	if r.complete() {
		o.mu.Lock()
		o.resolved[aws.ToString(revision.ServiceRevisionArn)] = r
		o.mu.Unlock()
	}
	return r
}
