package facts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/check"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Denied implements check.Cloud: IAM simulates the role's policies, a call for each resource.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
func (a *Account) Denied(ctx context.Context, role string, wanted []check.Permission) ([]check.Permission, error) {
	var resources []string
	actions := map[string][]string{} // by resource
	for _, p := range wanted {
		if actions[p.Resource] == nil {
			resources = append(resources, p.Resource)
		}
		actions[p.Resource] = append(actions[p.Resource], p.Action)
	}
	denied := make([][]check.Permission, len(resources))
	group, ctx := errgroup.WithContext(ctx)
	for i, resource := range resources {
		group.Go(func() (err error) {
			denied[i], err = a.simulate(ctx, role, actions[resource], resource)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(denied...), nil
}

func (a *Account) simulate(ctx context.Context, role string, actions []string, resource string) ([]check.Permission, error) {
	in := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &role, ActionNames: actions, ResourceArns: []string{resource}}
	var denied []check.Permission
	for {
		out, err := awsclient.Call(ctx, a.iam.SimulatePrincipalPolicy, in)
		var absent *types.NoSuchEntityException
		if errors.As(err, &absent) {
			return nil, fmt.Errorf("role %s: %w", role, release.ErrNotFound)
		}
		if err != nil {
			return nil, err
		}
		for _, r := range out.EvaluationResults {
			if r.EvalDecision != types.PolicyEvaluationDecisionTypeAllowed {
				denied = append(denied, check.Permission{Action: aws.ToString(r.EvalActionName), Resource: resource})
			}
		}
		if !out.IsTruncated {
			return denied, nil
		}
		in.Marker = out.Marker
	}
}
