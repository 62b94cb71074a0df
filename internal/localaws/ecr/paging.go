package ecr

import (
	"encoding/base64"
	"sort"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Page sizes of ECR's list operations.
const (
	defaultPage = 100
	maxPage     = 1000
)

// paged gives the page of items that follows token, and the token of the next one. Items are in the order of their
// names, and the token names the last item shown: what is added or removed meanwhile disturbs nothing.
func paged[T any](items []T, name func(T) string, maxResults *int32, token *string) ([]T, *string, error) {
	var v wire.Violations
	v.Range("maxResults", maxResults, 1, maxPage)
	if err := v.Err(); err != nil {
		return nil, nil, err
	}
	limit := defaultPage
	if maxResults != nil {
		limit = int(*maxResults)
	}
	if token != nil {
		last, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil {
			return nil, nil, invalidParameter("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token provided'")
		}
		items = items[sort.Search(len(items), func(i int) bool { return name(items[i]) > string(last) }):]
	}
	if len(items) <= limit {
		return items, nil, nil
	}
	next := base64.RawURLEncoding.EncodeToString([]byte(name(items[limit-1])))
	return items[:limit], &next, nil
}
