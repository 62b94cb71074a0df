package ecr

import (
	"context"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// mutability says which tags of a repository may move ("Preventing image tags from being overwritten" in ECR's guide).
type mutability struct {
	Mode       types.ImageTagMutability
	Exclusions []string `json:",omitempty"` // wildcard filters, of the *_WITH_EXCLUSION modes
}

var exclusionPattern = regexp.MustCompile(`^[0-9a-zA-Z._*-]{1,128}$`)

// mutabilityOf checks and takes over what a request asks for.
func mutabilityOf(mode types.ImageTagMutability, filters []types.ImageTagMutabilityExclusionFilter) (mutability, error) {
	if mode == "" {
		mode = types.ImageTagMutabilityMutable
	}
	m := mutability{Mode: mode}
	excluding := mode == types.ImageTagMutabilityImmutableWithExclusion || mode == types.ImageTagMutabilityMutableWithExclusion
	switch {
	case excluding && len(filters) == 0:
		return m, invalidParameter("Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "+
			"'must have at least one filter when imageTagMutability is %s'", mode)
	case !excluding && len(filters) > 0:
		return m, invalidParameter("Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: "+
			"'must be absent when imageTagMutability is %s'", mode)
	}
	var v wire.Violations
	if excluding {
		v.Length("imageTagMutabilityExclusionFilters", "[…]", len(filters), 1, 5)
	}
	for _, filter := range filters {
		v.Require(&filter, "Filter", "FilterType")
		v.Match("imageTagMutabilityExclusionFilters.filter", filter.Filter, exclusionPattern)
		m.Exclusions = append(m.Exclusions, aws.ToString(filter.Filter))
	}
	return m, v.Err()
}

func (m mutability) filters() []types.ImageTagMutabilityExclusionFilter {
	var filters []types.ImageTagMutabilityExclusionFilter
	for _, pattern := range m.Exclusions {
		filters = append(filters, types.ImageTagMutabilityExclusionFilter{
			Filter: aws.String(pattern), FilterType: types.ImageTagMutabilityExclusionFilterTypeWildcard,
		})
	}
	return filters
}

// movable reports whether the tag may be moved to another image.
func (m mutability) movable(tag string) bool {
	excluded := false
	for _, pattern := range m.Exclusions {
		excluded = excluded || wildcard(pattern, tag)
	}
	switch m.Mode {
	case types.ImageTagMutabilityImmutable:
		return false
	case types.ImageTagMutabilityImmutableWithExclusion:
		return excluded
	case types.ImageTagMutabilityMutableWithExclusion:
		return !excluded
	}
	return true
}

// wildcard matches a pattern whose "*" stands for any text.
func wildcard(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok || len(parts) == 1 {
		return ok && rest == ""
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[last])
}

// PutImageTagMutability changes which tags may move.
func (b *Backend) PutImageTagMutability(ctx context.Context, in *ecr.PutImageTagMutabilityInput) (*ecr.PutImageTagMutabilityOutput, error) {
	if err := wire.Required(in, "RepositoryName", "ImageTagMutability"); err != nil {
		return nil, err
	}
	m, err := mutabilityOf(in.ImageTagMutability, in.ImageTagMutabilityExclusionFilters)
	if err != nil {
		return nil, err
	}
	r, err := b.change(ctx, in.RegistryId, in.RepositoryName, func(r *repository) error {
		r.Mutability = m
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ecr.PutImageTagMutabilityOutput{
		ImageTagMutability: m.Mode, ImageTagMutabilityExclusionFilters: m.filters(),
		RegistryId: aws.String(wire.AccountID), RepositoryName: &r.Name,
	}, nil
}
