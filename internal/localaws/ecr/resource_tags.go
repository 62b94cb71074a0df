package ecr

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// maxTags is how many tags a resource may have ("Tagging a repository" in ECR's guide).
const maxTags = 50

// mergedTags gives old with the tags of a request on top.
func mergedTags(old map[string]string, added []types.Tag) (map[string]string, error) {
	merged := map[string]string{}
	maps.Copy(merged, old)
	for _, t := range added {
		key, value := aws.ToString(t.Key), aws.ToString(t.Value)
		switch {
		case key == "" || len(key) > 128:
			return nil, &types.InvalidTagParameterException{Message: aws.String("a tag key must have 1 to 128 characters")}
		case len(value) > 256:
			return nil, &types.InvalidTagParameterException{Message: aws.String("the value of the tag " + key + " must have at most 256 characters")}
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, &types.InvalidTagParameterException{Message: aws.String("the tag key " + key + " starts with aws:, which is reserved")}
		}
		merged[key] = value
	}
	if len(merged) > maxTags {
		return nil, &types.TooManyTagsException{Message: aws.String("a resource can have at most 50 tags")}
	}
	return merged, nil
}

// nameIn is the repository that an ARN names.
func nameIn(ctx context.Context, arn *string) (*string, error) {
	if arn == nil {
		var v wire.Violations
		v.Add("resourceArn", "null", "Member must not be null")
		return nil, v.Err()
	}
	prefix := arnPrefix(regionOf(ctx))
	name, ok := strings.CutPrefix(*arn, prefix)
	if !ok {
		return nil, invalidParameter("Invalid parameter at 'resourceArn' failed to satisfy constraint: 'must start with %s'", prefix)
	}
	return &name, nil
}

// changeTags edits the tags of the repository that an ARN names.
func (b *Backend) changeTags(ctx context.Context, arn *string, edit func(*repository) error) error {
	name, err := nameIn(ctx, arn)
	if err != nil {
		return err
	}
	_, err = b.change(ctx, nil, name, edit)
	return err
}

// ListTagsForResource gives a repository's tags in the order of their keys.
func (b *Backend) ListTagsForResource(ctx context.Context, in *ecr.ListTagsForResourceInput) (*ecr.ListTagsForResourceOutput, error) {
	name, err := nameIn(ctx, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	r, err := b.repository(ctx, nil, name)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListTagsForResourceOutput{}
	for _, key := range slices.Sorted(maps.Keys(r.Tags)) {
		out.Tags = append(out.Tags, types.Tag{Key: aws.String(key), Value: aws.String(r.Tags[key])})
	}
	return out, nil
}

// TagResource adds tags to a repository, or changes their values.
func (b *Backend) TagResource(ctx context.Context, in *ecr.TagResourceInput) (*ecr.TagResourceOutput, error) {
	if err := wire.Required(in, "ResourceArn", "Tags"); err != nil {
		return nil, err
	}
	err := b.changeTags(ctx, in.ResourceArn, func(r *repository) (err error) {
		r.Tags, err = mergedTags(r.Tags, in.Tags)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ecr.TagResourceOutput{}, nil
}

// UntagResource removes tags from a repository.
func (b *Backend) UntagResource(ctx context.Context, in *ecr.UntagResourceInput) (*ecr.UntagResourceOutput, error) {
	if err := wire.Required(in, "ResourceArn", "TagKeys"); err != nil {
		return nil, err
	}
	err := b.changeTags(ctx, in.ResourceArn, func(r *repository) error {
		for _, key := range in.TagKeys {
			delete(r.Tags, key)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.UntagResourceOutput{}, nil
}
