package ssm

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// maxTags is how many tags a parameter may have.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AddTagsToResource.html
const maxTags = 50

// mergeTags gives old with the tags of a request on top; old itself stays as it is.
func mergeTags(old, added []types.Tag) ([]types.Tag, error) {
	merged := slices.Clone(old)
	for _, t := range added {
		if aws.ToString(t.Key) == "" || t.Value == nil {
			return nil, invalid("A tag needs a key and a value.")
		}
		if i := slices.IndexFunc(merged, func(have types.Tag) bool { return *have.Key == *t.Key }); i >= 0 {
			merged[i] = t
			continue
		}
		merged = append(merged, t)
	}
	if len(merged) > maxTags {
		return nil, &types.TooManyTagsError{}
	}
	return merged, nil
}

// AddTagsToResource adds tags to a parameter, or changes their values.
func (b *Backend) AddTagsToResource(ctx context.Context, in *ssm.AddTagsToResourceInput) (*ssm.AddTagsToResourceOutput, error) {
	if err := wire.Required(in, "ResourceType", "ResourceId", "Tags"); err != nil {
		return nil, err
	}
	return &ssm.AddTagsToResourceOutput{}, b.changeTags(ctx, in.ResourceType, *in.ResourceId, func(have []types.Tag) ([]types.Tag, error) {
		return mergeTags(have, in.Tags)
	})
}

// RemoveTagsFromResource removes tags from a parameter.
func (b *Backend) RemoveTagsFromResource(ctx context.Context, in *ssm.RemoveTagsFromResourceInput) (*ssm.RemoveTagsFromResourceOutput, error) {
	if err := wire.Required(in, "ResourceType", "ResourceId", "TagKeys"); err != nil {
		return nil, err
	}
	return &ssm.RemoveTagsFromResourceOutput{}, b.changeTags(ctx, in.ResourceType, *in.ResourceId, func(have []types.Tag) ([]types.Tag, error) {
		return slices.DeleteFunc(have, func(t types.Tag) bool { return slices.Contains(in.TagKeys, *t.Key) }), nil
	})
}

// ListTagsForResource gives a parameter's tags.
func (b *Backend) ListTagsForResource(ctx context.Context, in *ssm.ListTagsForResourceInput) (*ssm.ListTagsForResourceOutput, error) {
	if err := wire.Required(in, "ResourceType", "ResourceId"); err != nil {
		return nil, err
	}
	p, err := b.tagged(ctx, in.ResourceType, *in.ResourceId)
	return &ssm.ListTagsForResourceOutput{TagList: p.Tags}, err
}

func (b *Backend) changeTags(ctx context.Context, kind types.ResourceTypeForTagging, id string, change func([]types.Tag) ([]types.Tag, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	p, err := b.tagged(ctx, kind, id)
	if err != nil {
		return err
	}
	if p.Tags, err = change(p.Tags); err != nil {
		return err
	}
	return b.parameters.Put(p.key(), p)
}

// tagged gives the parameter that a request for tags names. Nothing else of Systems Manager is there to have tags.
func (b *Backend) tagged(ctx context.Context, kind types.ResourceTypeForTagging, id string) (parameter, error) {
	if kind != types.ResourceTypeForTaggingParameter {
		return parameter{}, absent("ResourceType=" + string(kind))
	}
	p, ok, err := b.parameters.Get(store.Key(regionOf(ctx), id))
	if err == nil && !ok {
		err = &types.InvalidResourceId{}
	}
	return p, err
}
