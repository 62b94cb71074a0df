package ecr

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// PutImage stores a manifest, or gives one that is there another tag.
func (b *Backend) PutImage(ctx context.Context, in *ecr.PutImageInput) (*ecr.PutImageOutput, error) {
	var v wire.Violations
	v.Require(in, "RepositoryName", "ImageManifest")
	if in.ImageTag != nil {
		v.Length("imageTag", *in.ImageTag, len(*in.ImageTag), 1, 300)
	}
	if err := v.Err(); err != nil {
		return nil, err
	}
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	name := aws.ToString(in.ImageTag)
	i, unchanged, err := b.put(r.place(), push{
		content: []byte(*in.ImageManifest), mediaType: aws.ToString(in.ImageManifestMediaType),
		digest: aws.ToString(in.ImageDigest), tag: name,
	})
	if err != nil {
		return nil, diskFull(err)
	}
	if unchanged {
		return nil, &types.ImageAlreadyExistsException{Message: aws.String(fmt.Sprintf(
			"Image with digest '%s' and tag '%s' already exists in the repository with name '%s' in registry with id '%s'", i.Digest, name, r.Name, wire.AccountID))}
	}
	return &ecr.PutImageOutput{Image: &types.Image{
		ImageId:                &types.ImageIdentifier{ImageDigest: &i.Digest, ImageTag: in.ImageTag},
		ImageManifest:          in.ImageManifest,
		ImageManifestMediaType: &i.MediaType,
		RegistryId:             aws.String(wire.AccountID),
		RepositoryName:         &r.Name,
	}}, nil
}

// BatchDeleteImage deletes by digest (the image with all its tags) or by tag (the tag, and with the last one the image).
func (b *Backend) BatchDeleteImage(ctx context.Context, in *ecr.BatchDeleteImageInput) (*ecr.BatchDeleteImageOutput, error) {
	if err := wire.Required(in, "RepositoryName", "ImageIds"); err != nil {
		return nil, err
	}
	if err := checkBatch(in.ImageIds); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.BatchDeleteImageOutput{}
	for _, id := range in.ImageIds {
		failure, err := b.unavailable(r.place(), id)
		if err != nil {
			return nil, err
		}
		if failure != nil {
			out.Failures = append(out.Failures, *failure)
			continue
		}
		deleted, err := b.deleteOne(r.place(), id)
		switch {
		case errors.Is(err, errReferenced):
			out.Failures = append(out.Failures, types.ImageFailure{
				FailureCode: types.ImageFailureCodeImageReferencedByManifestList, FailureReason: aws.String(err.Error()), ImageId: &id,
			})
		case err != nil:
			return nil, err
		}
		out.ImageIds = append(out.ImageIds, deleted...)
	}
	return out, nil
}

func (b *Backend) deleteOne(at place, id types.ImageIdentifier) ([]types.ImageIdentifier, error) {
	i, _, err := b.lookup(at, aws.ToString(id.ImageTag), aws.ToString(id.ImageDigest))
	if err != nil {
		return nil, err
	}
	if id.ImageTag != nil {
		byDigest, err := b.tagsByDigest(at)
		if err != nil {
			return nil, err
		}
		if len(byDigest[i.Digest]) > 1 {
			err := b.tags.Delete(at.child(*id.ImageTag))
			return []types.ImageIdentifier{{ImageDigest: &i.Digest, ImageTag: id.ImageTag}}, err
		}
	}
	names, err := b.remove(at, i.Digest)
	if err != nil {
		return nil, err
	}
	var gone []types.ImageIdentifier
	for _, name := range names {
		gone = append(gone, types.ImageIdentifier{ImageDigest: &i.Digest, ImageTag: &name})
	}
	if len(gone) == 0 {
		gone = append(gone, types.ImageIdentifier{ImageDigest: &i.Digest})
	}
	return gone, nil
}
