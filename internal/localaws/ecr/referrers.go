package ecr

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Bounds of ListImageReferrers, from its service model.
const (
	defaultReferrers  = 20
	maxReferrers      = 50
	maxArtifactFilter = 5
)

// ListImageReferrers gives the images whose subject is the given one. A subject that does not exist has none: an
// artifact may be there before what it is about.
func (b *Backend) ListImageReferrers(ctx context.Context, in *ecr.ListImageReferrersInput) (*ecr.ListImageReferrersOutput, error) {
	var v wire.Violations
	v.Require(in, "RepositoryName", "SubjectId", "SubjectId.ImageDigest")
	v.Range("maxResults", in.MaxResults, 1, maxReferrers)
	if in.Filter != nil {
		v.Length("filter.artifactTypes", "[…]", len(in.Filter.ArtifactTypes), 0, maxArtifactFilter)
	}
	if err := v.Err(); err != nil {
		return nil, err
	}
	r, err := b.repository(ctx, in.RegistryId, in.RepositoryName)
	if err != nil {
		return nil, err
	}
	subject, err := blob.ParseDigest(*in.SubjectId.ImageDigest)
	if err != nil {
		return nil, invalidParameter("Invalid parameter at 'subjectId' failed to satisfy constraint: 'image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+''")
	}
	var artifactTypes []string
	if in.Filter != nil {
		if !active(in.Filter.ArtifactStatus) {
			return &ecr.ListImageReferrersOutput{Referrers: []types.ImageReferrer{}}, nil
		}
		artifactTypes = in.Filter.ArtifactTypes
	}
	found, err := b.referrers(r.place(), string(subject), artifactTypes)
	if err != nil {
		return nil, err
	}
	limit := in.MaxResults
	if limit == nil {
		limit = aws.Int32(defaultReferrers)
	}
	page, next, err := paged(found, func(i image) string { return i.Digest }, limit, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ecr.ListImageReferrersOutput{Referrers: []types.ImageReferrer{}, NextToken: next}
	for _, i := range page {
		out.Referrers = append(out.Referrers, referrer(i))
	}
	return out, nil
}

// active reports whether a filter lets active artifacts through; there are no others here.
func active(filter types.ArtifactStatusFilter) bool {
	return filter == "" || filter == types.ArtifactStatusFilterActive || filter == types.ArtifactStatusFilterAny
}

func referrer(i image) types.ImageReferrer {
	found := types.ImageReferrer{
		Digest: &i.Digest, MediaType: &i.MediaType, Size: &i.ManifestSize, Annotations: i.Annotations, ArtifactStatus: types.ArtifactStatusActive,
	}
	if i.ArtifactType != "" {
		found.ArtifactType = &i.ArtifactType
	}
	return found
}

// referrers gives the images of a repository that are about subject, in the order of their digests; of the named
// artifact types only, when any is named.
func (b *Backend) referrers(at place, subject string, artifactTypes []string) ([]image, error) {
	found := []image{}
	err := b.images.Each(at.child(""), func(_ string, i image) error {
		if i.Subject == subject && (len(artifactTypes) == 0 || slices.Contains(artifactTypes, i.ArtifactType)) {
			found = append(found, i)
		}
		return nil
	})
	return found, err
}
