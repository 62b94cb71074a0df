package secrets

import (
	"cmp"
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	maxPage    = 100
	maxFilters = 10
)

// ListSecrets lists the secrets of a region: by when they were made, unless another order is asked for.
func (b *Backend) ListSecrets(ctx context.Context, in *secretsmanager.ListSecretsInput) (*secretsmanager.ListSecretsOutput, error) {
	var v wire.Violations
	v.Range("maxResults", in.MaxResults, 1, maxPage)
	v.Length("filters", "[]", len(in.Filters), 0, maxFilters)
	if err := v.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	all, err := b.secrets.List(store.Key(regionOf(ctx), ""))
	if err != nil {
		return nil, err
	}
	listed := slices.DeleteFunc(all, func(s secret) bool {
		gone := s.deleted() && (!aws.ToBool(in.IncludePlannedDeletion) || !time.Now().Before(s.Purge))
		return gone || !s.matches(in.Filters)
	})
	slices.SortFunc(listed, order(in.SortBy, in.SortOrder))
	page, next, err := paged(listed, in.MaxResults, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &secretsmanager.ListSecretsOutput{NextToken: next}
	for _, s := range page {
		out.SecretList = append(out.SecretList, s.entry())
	}
	return out, nil
}

func (s *secret) entry() types.SecretListEntry {
	return types.SecretListEntry{
		ARN: aws.String(s.arn()), Name: &s.Name, Description: text(s.Description), KmsKeyId: text(s.KMSKey), Type: text(s.Type),
		CreatedDate: &s.Created, LastChangedDate: &s.Changed, LastAccessedDate: date(s.Accessed), DeletedDate: date(s.Purge),
		Tags: s.Tags, SecretVersionsToStages: s.stages(),
	}
}

// order compares secrets as a list is to be sorted; those that are equal in it, by name.
func order(by types.SortByType, direction types.SortOrderType) func(a, b secret) int {
	key := func(s secret) time.Time { return s.Created }
	switch by {
	case types.SortByTypeLastAccessedDate:
		key = func(s secret) time.Time { return s.Accessed }
	case types.SortByTypeLastChangedDate:
		key = func(s secret) time.Time { return s.Changed }
	case types.SortByTypeName:
		key = func(secret) time.Time { return time.Time{} }
	}
	return func(a, b secret) int {
		c := cmp.Or(key(a).Compare(key(b)), strings.Compare(a.Name, b.Name))
		if direction == types.SortOrderTypeDesc {
			return -c
		}
		return c
	}
}

// paged gives the page that follows the secret that the token names.
func paged(all []secret, limit *int32, token *string) ([]secret, *string, error) {
	if token != nil {
		last, err := base64.RawURLEncoding.DecodeString(*token)
		at := slices.IndexFunc(all, func(s secret) bool { return s.Name == string(last) })
		if err != nil || at < 0 {
			return nil, nil, &types.InvalidNextTokenException{Message: aws.String("The NextToken value is invalid.")}
		}
		all = all[at+1:]
	}
	size := maxPage
	if limit != nil {
		size = int(*limit)
	}
	if len(all) <= size {
		return all, nil, nil
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(all[size-1].Name))
	return all[:size], &next, nil
}

// matches tells whether a secret passes every filter. A value that starts with ! must not match.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Filter.html
func (s *secret) matches(filters []types.Filter) bool {
	for _, f := range filters {
		one := slices.ContainsFunc(f.Values, func(value string) bool {
			wanted, negated := strings.CutPrefix(value, "!")
			return s.has(f.Key, wanted) != negated
		})
		if !one {
			return false
		}
	}
	return true
}

// has tells whether an attribute of the secret starts with the text; for description and all, whatever its case.
func (s *secret) has(key types.FilterNameStringType, wanted string) bool {
	var keys, values []string
	for _, t := range s.Tags {
		keys, values = append(keys, aws.ToString(t.Key)), append(values, aws.ToString(t.Value))
	}
	starts := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(have string) bool { return strings.HasPrefix(have, wanted) })
	}
	folded := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(have string) bool {
			return strings.HasPrefix(strings.ToLower(have), strings.ToLower(wanted))
		})
	}
	switch key {
	case types.FilterNameStringTypeName:
		return starts(s.Name)
	case types.FilterNameStringTypeDescription:
		return folded(s.Description)
	case types.FilterNameStringTypeTagKey:
		return starts(keys...)
	case types.FilterNameStringTypeTagValue:
		return starts(values...)
	case types.FilterNameStringTypeAll:
		words := strings.FieldsFunc(s.Name+" "+s.Description, func(r rune) bool { return strings.ContainsRune(" /_+=.@!-", r) })
		return folded(slices.Concat(words, keys, values, []string{s.Name})...)
	}
	return wanted == "" // no secret here has a primary region or an owning service
}
