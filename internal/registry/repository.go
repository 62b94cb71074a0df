package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
)

// movableTags are the tags of a new repository that may be moved to another image: the one that a release moves, and
// build caches. All others are immutable, so that git-<sha> names one image for good.
var movableTags = []string{"latest", "cache*"}

// EnsureRepository implements release.Registry. An existing repository is left as it is.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html
func (r *Registry) EnsureRepository(ctx context.Context, name string) (created bool, err error) {
	_, err = awsclient.Call(ctx, r.api.DescribeRepositories, &ecr.DescribeRepositoriesInput{RegistryId: r.id, RepositoryNames: []string{name}})
	var missing *types.RepositoryNotFoundException
	if err == nil || !errors.As(err, &missing) {
		return false, wrap(err, "look for repository %s", name)
	}
	in := &ecr.CreateRepositoryInput{
		RegistryId:         r.id,
		RepositoryName:     &name,
		ImageTagMutability: types.ImageTagMutabilityImmutableWithExclusion,
	}
	for _, tag := range movableTags {
		in.ImageTagMutabilityExclusionFilters = append(in.ImageTagMutabilityExclusionFilters, types.ImageTagMutabilityExclusionFilter{
			Filter: aws.String(tag), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		})
	}
	_, err = awsclient.Call(ctx, r.api.CreateRepository, in)
	var exists *types.RepositoryAlreadyExistsException
	if errors.As(err, &exists) {
		return false, nil // another release was faster, or the answer to our first attempt got lost
	}
	return err == nil, wrap(err, "create repository %s", name)
}

// wrap says what was being done when err came; nil stays nil.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
