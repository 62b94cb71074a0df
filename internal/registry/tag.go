package registry

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Tag implements release.Registry.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-retag.html
func (r *Registry) Tag(ctx context.Context, repository string, digest release.Digest, tag string) error {
	_, c, err := r.resolve(ctx, repository, string(digest))
	if err != nil {
		return wrap(err, "image %s", name(repository, string(digest)))
	}
	in := &ecr.PutImageInput{
		RegistryId: r.id, RepositoryName: &repository, ImageTag: &tag,
		ImageManifest: &c.raw, ImageDigest: aws.String(string(digest)),
	}
	if c.mediaType != "" {
		in.ImageManifestMediaType = &c.mediaType
	}
	_, err = awsclient.Call(ctx, r.api.PutImage, in)
	var already *types.ImageAlreadyExistsException
	var immutable *types.ImageTagAlreadyExistsException
	switch {
	case errors.As(err, &already):
		return nil
	case errors.As(err, &immutable):
		return fmt.Errorf("%w: tag %s of repository %s names another image (%w)\n  use another tag, or allow this one to move: aws ecr put-image-tag-mutability --repository-name %s"+
			" --image-tag-mutability IMMUTABLE_WITH_EXCLUSION --image-tag-mutability-exclusion-filters filterType=WILDCARD,filter=%s (name every tag that may move)", release.ErrImmutable, tag, repository, err, repository, tag)
	}
	return wrap(missing(err), "tag %s as %s", name(repository, string(digest)), tag)
}

// Untag implements release.Registry. The image stays under its other names.
func (r *Registry) Untag(ctx context.Context, repository, tag string) error {
	out, err := awsclient.Call(ctx, r.api.BatchDeleteImage, &ecr.BatchDeleteImageInput{
		RegistryId: r.id, RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageTag: &tag}},
	})
	if err = missing(err); errors.Is(err, release.ErrNotFound) {
		return nil
	}
	if err != nil {
		return wrap(err, "remove tag %s of repository %s", tag, repository)
	}
	for _, f := range out.Failures {
		if f.FailureCode != types.ImageFailureCodeImageNotFound {
			return fmt.Errorf("remove tag %s of repository %s: %s (%s)", tag, repository, aws.ToString(f.FailureReason), f.FailureCode)
		}
	}
	return nil
}
