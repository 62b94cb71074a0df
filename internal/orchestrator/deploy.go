package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// appearWithin is how long a service deployment may take to show up after ECS has accepted it.
	appearWithin = 2 * time.Minute
	// appearPoll grows to appearPollMax between two looks for it.
	appearPoll    = 20 * time.Millisecond
	appearPollMax = 2 * time.Second
	// appearList is every how many looks deployments are listed although the service shows no new one.
	appearList = 4
	// appearSlack is by how much the two records that ECS keeps of one deployment may differ in time.
	appearSlack = 10 * time.Second
	// beforeWindow is how far back deployments are noted as older than ours.
	beforeWindow = 10 * time.Minute
	// lostLooks and lostPause bound the looking for a deployment whose UpdateService got no answer.
	lostLooks = 4
	lostPause = 500 * time.Millisecond
	// lostAttempts is how often such an UpdateService is sent.
	lostAttempts = 8
)

var errNeverAppeared = fmt.Errorf("ECS accepted the deployment but shows no service deployment for it after %s", appearWithin)

// Deploy implements release.Orchestrator. The rollout that it gives is the one that this call started: not
// the one before, which ECS may still call the current one, and not one that somebody else starts at the same time.
// Task definition and settings change in one call, so that there is one deployment, and never one half changed.
func (o *Orchestrator) Deploy(ctx context.Context, cluster, service string, c release.Change) (release.Rollout, error) {
	in, tags, err := updateOf(cluster, service, c)
	if err != nil {
		return release.Rollout{}, err
	}
	before, err := o.describe(ctx, cluster, service)
	if err != nil {
		return release.Rollout{}, err
	}
	if err := o.tagService(ctx, before, tags); err != nil {
		return release.Rollout{}, err
	}
	older, err := o.arnsSince(ctx, cluster, service, time.Now().Add(-beforeWindow))
	if err != nil {
		return release.Rollout{}, err
	}
	older[aws.ToString(before.CurrentServiceDeployment)] = true
	accepted, err := o.update(ctx, in, primaryID(before))
	if err != nil {
		return release.Rollout{}, err
	}
	return o.awaitDeployment(ctx, cluster, accepted, older)
}

// update sends UpdateService. When its answer gets lost it looks whether ECS acted, because another UpdateService would
// start another deployment on top.
func (o *Orchestrator) update(ctx context.Context, in *ecs.UpdateServiceInput, before string) (types.Service, error) {
	for attempt := 1; ; attempt++ {
		out, err := awsclient.Call(ctx, o.ecs.UpdateService, in)
		switch {
		case err == nil && out.Service != nil:
			return *out.Service, nil
		case err == nil:
			return types.Service{}, errors.New("ECS answered UpdateService without a service")
		case !awsclient.Unsure(err):
			return types.Service{}, missing(err)
		}
		acted, found, lookErr := o.actedSince(ctx, *in.Cluster, *in.Service, before)
		if lookErr != nil || found {
			return acted, lookErr
		}
		if attempt == lostAttempts {
			return types.Service{}, err
		}
	}
}

// actedSince looks for a deployment that is newer than before.
func (o *Orchestrator) actedSince(ctx context.Context, cluster, service, before string) (types.Service, bool, error) {
	for look := range lostLooks {
		if look > 0 {
			if err := pause(ctx, lostPause); err != nil {
				return types.Service{}, false, err
			}
		}
		now, err := o.describe(ctx, cluster, service)
		if err != nil {
			return types.Service{}, false, err
		}
		if primaryID(now) != before {
			return now, true, nil
		}
	}
	return types.Service{}, false, nil
}

// primary is the newest deployment of a service.
func primary(s types.Service) (types.Deployment, bool) {
	for _, d := range s.Deployments {
		if aws.ToString(d.Status) == statusPrimary {
			return d, true
		}
	}
	return types.Deployment{}, false
}

func primaryID(s types.Service) string {
	d, _ := primary(s)
	return aws.ToString(d.Id)
}

// awaitDeployment waits until the service deployment of an accepted change shows up, and gives it as a rollout. ECS
// keeps two records of one deployment, ecs-svc/N in the service and the service deployment, and no link between them
// but the time: of those that are not older, the one nearest in time is meant.
func (o *Orchestrator) awaitDeployment(ctx context.Context, cluster string, accepted types.Service, older map[string]bool) (release.Rollout, error) {
	newest, ok := primary(accepted)
	if !ok {
		return release.Rollout{}, fmt.Errorf("service %s has no primary deployment: its deployment controller is not ECS", aws.ToString(accepted.ServiceName))
	}
	service, at := aws.ToString(accepted.ServiceName), aws.ToTime(newest.CreatedAt)
	ctx, cancel := context.WithTimeoutCause(ctx, appearWithin, errNeverAppeared)
	defer cancel()
	for look, wait := 1, appearPoll; ; look, wait = look+1, min(wait*3/2, appearPollMax) {
		listed, err := o.appeared(ctx, cluster, service, at.Add(-appearSlack), older, look%appearList == 0)
		if err != nil {
			return release.Rollout{}, err
		}
		if d, ok := nearest(listed, at, older); ok {
			return release.Rollout{
				Service: service, Deployment: aws.ToString(d.ServiceDeploymentArn), Revision: aws.ToString(d.TargetServiceRevisionArn),
				StartedBy: aws.ToString(newest.Id), Started: aws.ToTime(d.CreatedAt),
			}, nil
		}
		if err := pause(ctx, wait); err != nil {
			return release.Rollout{}, err
		}
	}
}

// appeared lists the service deployments since a time, once the service shows one that is not older, or always. The
// service is asked for first because many services take few calls, and each one's list a call of its own.
func (o *Orchestrator) appeared(ctx context.Context, cluster, service string, since time.Time, older map[string]bool, always bool) ([]types.ServiceDeploymentBrief, error) {
	if !always {
		s, err := o.describe(ctx, cluster, service)
		if current := aws.ToString(s.CurrentServiceDeployment); err != nil || current == "" || older[current] {
			return nil, err
		}
	}
	return o.listDeployments(ctx, cluster, service, since)
}

// nearest gives the deployment created nearest to at that is not older.
func nearest(listed []types.ServiceDeploymentBrief, at time.Time, older map[string]bool) (best types.ServiceDeploymentBrief, found bool) {
	for _, d := range listed {
		if older[aws.ToString(d.ServiceDeploymentArn)] {
			continue
		}
		if !found || aws.ToTime(d.CreatedAt).Sub(at).Abs() < aws.ToTime(best.CreatedAt).Sub(at).Abs() {
			best, found = d, true
		}
	}
	return best, found
}

func (o *Orchestrator) arnsSince(ctx context.Context, cluster, service string, since time.Time) (map[string]bool, error) {
	listed, err := o.listDeployments(ctx, cluster, service, since)
	if err != nil {
		return nil, err
	}
	arns := map[string]bool{}
	for _, d := range listed {
		arns[aws.ToString(d.ServiceDeploymentArn)] = true
	}
	return arns, nil
}
