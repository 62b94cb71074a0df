package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Stop implements release.Orchestrator. A deployment that has nothing to go back to (a service's first) is aborted.
// Whether a refusal matters is read from the deployment itself, not from the wording of the refusal.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_StopServiceDeployment.html
func (o *Orchestrator) Stop(ctx context.Context, r release.Rollout) error {
	err := o.stop(ctx, r.Deployment, types.StopServiceDeploymentStopTypeRollback)
	if err == nil {
		return nil
	}
	d, lookErr := o.deployment(ctx, r.Deployment)
	switch {
	case lookErr != nil:
		return errors.Join(err, lookErr)
	case over(d.Status) || stopping(d.Status):
		return nil
	case len(d.SourceServiceRevisions) > 0:
		return err
	}
	return o.stop(ctx, r.Deployment, types.StopServiceDeploymentStopTypeAbort)
}

func (o *Orchestrator) stop(ctx context.Context, arn string, how types.StopServiceDeploymentStopType) error {
	_, err := awsclient.Call(ctx, o.ecs.StopServiceDeployment, &ecs.StopServiceDeploymentInput{ServiceDeploymentArn: &arn, StopType: how})
	if err != nil {
		return fmt.Errorf("stop %s: %w", arn, missing(err))
	}
	return nil
}

// stopping reports whether a service deployment is on its way to its end already.
func stopping(status types.ServiceDeploymentStatus) bool {
	switch status {
	case types.ServiceDeploymentStatusStopRequested, types.ServiceDeploymentStatusRollbackRequested,
		types.ServiceDeploymentStatusRollbackInProgress:
		return true
	}
	return false
}
