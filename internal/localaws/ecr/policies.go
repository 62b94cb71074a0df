package ecr

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Policies are stored and given back. Local AWS neither expires images by a lifecycle policy nor refuses callers by a
// repository policy.

// PutLifecyclePolicy stores the lifecycle policy of a repository.
func (b *Backend) PutLifecyclePolicy(ctx context.Context, in *ecr.PutLifecyclePolicyInput) (*ecr.PutLifecyclePolicyOutput, error) {
	if err := wire.Required(in, "RepositoryName", "LifecyclePolicyText"); err != nil {
		return nil, err
	}
	var policy struct {
		Rules []json.RawMessage `json:"rules"`
	}
	if err := json.Unmarshal([]byte(*in.LifecyclePolicyText), &policy); err != nil || len(policy.Rules) == 0 {
		return nil, invalidParameter("Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation failure: must be a JSON object with rules'")
	}
	r, err := b.change(ctx, in.RegistryId, in.RepositoryName, func(r *repository) error {
		r.Lifecycle = *in.LifecyclePolicyText
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutLifecyclePolicyOutput{LifecyclePolicyText: in.LifecyclePolicyText, RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name}, nil
}

// GetLifecyclePolicy gives the lifecycle policy of a repository.
func (b *Backend) GetLifecyclePolicy(ctx context.Context, in *ecr.GetLifecyclePolicyInput) (*ecr.GetLifecyclePolicyOutput, error) {
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if r.Lifecycle == "" {
		return nil, lifecyclePolicyNotFound(r.Name)
	}
	return &ecr.GetLifecyclePolicyOutput{LifecyclePolicyText: &r.Lifecycle, RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name}, nil
}

// DeleteLifecyclePolicy removes the lifecycle policy of a repository and gives it a last time.
func (b *Backend) DeleteLifecyclePolicy(ctx context.Context, in *ecr.DeleteLifecyclePolicyInput) (*ecr.DeleteLifecyclePolicyOutput, error) {
	var text string
	r, err := b.change(ctx, in.RegistryId, in.RepositoryName, func(r *repository) error {
		if r.Lifecycle == "" {
			return lifecyclePolicyNotFound(r.Name)
		}
		text, r.Lifecycle = r.Lifecycle, ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteLifecyclePolicyOutput{LifecyclePolicyText: &text, RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name}, nil
}

func lifecyclePolicyNotFound(name string) error {
	return &types.LifecyclePolicyNotFoundException{Message: aws.String(fmt.Sprintf(
		"Lifecycle policy does not exist for the repository with name '%s' in the registry with id '%s'", name, wire.AccountID))}
}

// SetRepositoryPolicy stores the policy of a repository.
func (b *Backend) SetRepositoryPolicy(ctx context.Context, in *ecr.SetRepositoryPolicyInput) (*ecr.SetRepositoryPolicyOutput, error) {
	if err := wire.Required(in, "RepositoryName", "PolicyText"); err != nil {
		return nil, err
	}
	if !json.Valid([]byte(*in.PolicyText)) {
		return nil, invalidParameter("Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'")
	}
	r, err := b.change(ctx, in.RegistryId, in.RepositoryName, func(r *repository) error {
		r.Policy = *in.PolicyText
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.SetRepositoryPolicyOutput{PolicyText: in.PolicyText, RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name}, nil
}

// GetRepositoryPolicy gives the policy of a repository.
func (b *Backend) GetRepositoryPolicy(ctx context.Context, in *ecr.GetRepositoryPolicyInput) (*ecr.GetRepositoryPolicyOutput, error) {
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	if r.Policy == "" {
		return nil, repositoryPolicyNotFound(r.Name)
	}
	return &ecr.GetRepositoryPolicyOutput{PolicyText: &r.Policy, RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name}, nil
}

// DeleteRepositoryPolicy removes the policy of a repository and gives it a last time.
func (b *Backend) DeleteRepositoryPolicy(ctx context.Context, in *ecr.DeleteRepositoryPolicyInput) (*ecr.DeleteRepositoryPolicyOutput, error) {
	var text string
	r, err := b.change(ctx, in.RegistryId, in.RepositoryName, func(r *repository) error {
		if r.Policy == "" {
			return repositoryPolicyNotFound(r.Name)
		}
		text, r.Policy = r.Policy, ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.DeleteRepositoryPolicyOutput{PolicyText: &text, RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name}, nil
}

func repositoryPolicyNotFound(name string) error {
	return &types.RepositoryPolicyNotFoundException{Message: aws.String(fmt.Sprintf(
		"Repository policy does not exist for the repository with name '%s' in the registry with id '%s'", name, wire.AccountID))}
}
