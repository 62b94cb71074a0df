package ecr

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// batchLimit is ImageIdentifierList's bound in the service model.
const batchLimit = 100

// DescribeImages gives facts about the images of a repository: all (paged), or those named.
func (b *Backend) DescribeImages(ctx context.Context, in *ecr.DescribeImagesInput) (*ecr.DescribeImagesOutput, error) {
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	byDigest, err := b.tagsByDigest(r.place())
	if err != nil {
		return nil, err
	}
	out := &ecr.DescribeImagesOutput{}
	var images []image
	if len(in.ImageIds) > 0 {
		if in.MaxResults != nil || in.NextToken != nil {
			return nil, invalidParameter("The parameters maxResults and nextToken cannot be used with imageIds")
		}
		if images, err = b.named(r.place(), in.ImageIds); err != nil {
			return nil, err
		}
	} else {
		if images, err = b.images.List(r.place().child("")); err != nil {
			return nil, err
		}
		if in.Filter != nil {
			images = slices.DeleteFunc(images, func(i image) bool { return !wants(in.Filter.TagStatus, len(byDigest[i.Digest]) > 0) })
		}
		if images, out.NextToken, err = paged(images, func(i image) string { return i.Digest }, in.MaxResults, in.NextToken); err != nil {
			return nil, err
		}
	}
	for _, i := range images {
		out.ImageDetails = append(out.ImageDetails, detail(r, i, byDigest[i.Digest]))
	}
	return out, nil
}

// named finds images by their ids; each once, in the order of the ids.
func (b *Backend) named(at place, ids []types.ImageIdentifier) ([]image, error) {
	if err := checkBatch(ids); err != nil {
		return nil, err
	}
	var images []image
	for _, id := range ids {
		i, ok, err := b.lookup(at, aws.ToString(id.ImageTag), aws.ToString(id.ImageDigest))
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, &types.ImageNotFoundException{Message: aws.String(fmt.Sprintf(
				"The image with imageId {imageDigest:'%s', imageTag:'%s'} does not exist within the repository with name '%s' in the registry with id '%s'",
				cmp.Or(aws.ToString(id.ImageDigest), "null"), cmp.Or(aws.ToString(id.ImageTag), "null"), at.name, wire.AccountID))}
		}
		if !slices.ContainsFunc(images, func(other image) bool { return other.Digest == i.Digest }) {
			images = append(images, i)
		}
	}
	return images, nil
}

func checkBatch(ids []types.ImageIdentifier) error {
	var v wire.Violations
	v.Length("imageIds", "[…]", len(ids), 1, batchLimit)
	return v.Err()
}

// wants applies a tagStatus filter.
func wants(status types.TagStatus, tagged bool) bool {
	switch status {
	case types.TagStatusTagged:
		return tagged
	case types.TagStatusUntagged:
		return !tagged
	}
	return true
}

func detail(r repository, i image, tags []string) types.ImageDetail {
	d := types.ImageDetail{
		ImageDigest:            &i.Digest,
		ImageManifestMediaType: &i.MediaType,
		ImagePushedAt:          &i.PushedAt,
		ImageSizeInBytes:       &i.Size,
		ImageStatus:            types.ImageStatusActive,
		ImageTags:              tags,
		RegistryId:             aws.String(wire.AccountID),
		RepositoryName:         &r.Name,
	}
	if i.ArtifactType != "" {
		d.ArtifactMediaType = &i.ArtifactType
	}
	if i.Subject != "" {
		d.SubjectManifestDigest = &i.Subject
	}
	return d
}

// ListImages gives an id for each tag, and one for each image without.
func (b *Backend) ListImages(ctx context.Context, in *ecr.ListImagesInput) (*ecr.ListImagesOutput, error) {
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	byDigest, err := b.tagsByDigest(r.place())
	if err != nil {
		return nil, err
	}
	var ids []types.ImageIdentifier
	err = b.images.Each(r.place().child(""), func(_ string, i image) error {
		names := byDigest[i.Digest]
		if in.Filter != nil && !wants(in.Filter.TagStatus, len(names) > 0) {
			return nil
		}
		if len(names) == 0 {
			ids = append(ids, types.ImageIdentifier{ImageDigest: &i.Digest})
		}
		for _, name := range names {
			ids = append(ids, types.ImageIdentifier{ImageDigest: &i.Digest, ImageTag: &name})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	name := func(id types.ImageIdentifier) string { return *id.ImageDigest + "\x00" + aws.ToString(id.ImageTag) }
	out := &ecr.ListImagesOutput{}
	out.ImageIds, out.NextToken, err = paged(ids, name, in.MaxResults, in.NextToken)
	return out, err
}

// BatchGetImage gives manifests. What cannot be given is a failure, not an error.
func (b *Backend) BatchGetImage(ctx context.Context, in *ecr.BatchGetImageInput) (*ecr.BatchGetImageOutput, error) {
	if err := wire.Required(in, "RepositoryName", "ImageIds"); err != nil {
		return nil, err
	}
	if err := checkBatch(in.ImageIds); err != nil {
		return nil, err
	}
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	out := &ecr.BatchGetImageOutput{}
	for _, id := range in.ImageIds {
		found, failure, err := b.get(r, id, in.AcceptedMediaTypes)
		switch {
		case err != nil:
			return nil, err
		case failure != nil:
			out.Failures = append(out.Failures, *failure)
		default:
			out.Images = append(out.Images, *found)
		}
	}
	return out, nil
}

func (b *Backend) get(r repository, id types.ImageIdentifier, accepted []string) (*types.Image, *types.ImageFailure, error) {
	failure, err := b.unavailable(r.place(), id)
	if err != nil || failure != nil {
		return nil, failure, err
	}
	i, _, err := b.lookup(r.place(), aws.ToString(id.ImageTag), aws.ToString(id.ImageDigest))
	if err != nil {
		return nil, nil, err
	}
	if len(accepted) > 0 && !slices.Contains(accepted, i.MediaType) {
		reason := fmt.Sprintf("Requested image has the media type %s, which is none of the accepted ones", i.MediaType)
		return nil, &types.ImageFailure{FailureCode: types.ImageFailureCodeImageNotFound, FailureReason: &reason, ImageId: &id}, nil
	}
	content, err := b.blobs.Read(blob.Digest(i.Digest))
	if err != nil {
		return nil, nil, err
	}
	return &types.Image{
		ImageId:                &types.ImageIdentifier{ImageDigest: &i.Digest, ImageTag: id.ImageTag},
		ImageManifest:          aws.String(string(content)),
		ImageManifestMediaType: &i.MediaType,
		RegistryId:             aws.String(wire.AccountID),
		RepositoryName:         &r.Name,
	}, nil, nil
}

// unavailable says why an id names no image; nil when it names one.
func (b *Backend) unavailable(at place, id types.ImageIdentifier) (*types.ImageFailure, error) {
	fail := func(code types.ImageFailureCode, reason string) (*types.ImageFailure, error) {
		return &types.ImageFailure{FailureCode: code, FailureReason: &reason, ImageId: &id}, nil
	}
	name, digest := aws.ToString(id.ImageTag), aws.ToString(id.ImageDigest)
	if name == "" && digest == "" {
		return fail(types.ImageFailureCodeMissingDigestAndTag, "Invalid request parameters: both tag and digest cannot be null")
	}
	if digest != "" {
		if _, err := blob.ParseDigest(digest); err != nil {
			return fail(types.ImageFailureCodeInvalidImageDigest, "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
		}
	}
	if name != "" {
		t, ok, err := b.tags.Get(at.child(name))
		if err != nil {
			return nil, err
		}
		if ok && digest != "" && t.Digest != digest {
			return fail(types.ImageFailureCodeImageTagDoesNotMatchDigest, "Requested image tag does not match digest")
		}
	}
	_, ok, err := b.lookup(at, name, digest)
	if err != nil {
		return nil, err
	}
	if !ok {
		return fail(types.ImageFailureCodeImageNotFound, "Requested image not found")
	}
	return nil, nil
}
