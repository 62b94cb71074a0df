package secrets

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// maxTags is how many tags a secret may have.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html
const maxTags = 50

// mergeTags gives old with the tags of a request on top; old itself stays as it is.
func mergeTags(old, added []types.Tag) ([]types.Tag, error) {
	merged := slices.Clone(old)
	for _, t := range added {
		key := aws.ToString(t.Key)
		switch {
		case key == "" || len(key) > 128:
			return nil, invalidParameter("The tag key must have between 1 and 128 characters.")
		case len(aws.ToString(t.Value)) > 256:
			return nil, invalidParameter("The tag value must have at most 256 characters.")
		case strings.HasPrefix(strings.ToLower(key), "aws:"):
			return nil, invalidParameter("Tag keys that start with aws: are reserved for use by AWS.")
		}
		if i := slices.IndexFunc(merged, func(have types.Tag) bool { return *have.Key == key }); i >= 0 {
			merged[i] = t
			continue
		}
		merged = append(merged, t)
	}
	if len(merged) > maxTags {
		return nil, invalidParameter("A secret can have at most %d tags.", maxTags)
	}
	return merged, nil
}

// TagResource adds tags to a secret, or changes their values.
func (b *Backend) TagResource(ctx context.Context, in *secretsmanager.TagResourceInput) (*secretsmanager.TagResourceOutput, error) {
	if err := wire.Required(in, "SecretId", "Tags"); err != nil {
		return nil, err
	}
	return &secretsmanager.TagResourceOutput{}, b.changeTags(ctx, in.SecretId, func(have []types.Tag) ([]types.Tag, error) {
		return mergeTags(have, in.Tags)
	})
}

// UntagResource removes tags from a secret.
func (b *Backend) UntagResource(ctx context.Context, in *secretsmanager.UntagResourceInput) (*secretsmanager.UntagResourceOutput, error) {
	if err := wire.Required(in, "SecretId", "TagKeys"); err != nil {
		return nil, err
	}
	return &secretsmanager.UntagResourceOutput{}, b.changeTags(ctx, in.SecretId, func(have []types.Tag) ([]types.Tag, error) {
		return slices.DeleteFunc(have, func(t types.Tag) bool { return slices.Contains(in.TagKeys, *t.Key) }), nil
	})
}

func (b *Backend) changeTags(ctx context.Context, id *string, change func([]types.Tag) ([]types.Tag, error)) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.live(ctx, id)
	if err != nil {
		return err
	}
	if s.Tags, err = change(s.Tags); err != nil {
		return err
	}
	return b.secrets.Put(s.key(), s)
}
