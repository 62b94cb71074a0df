package ssm

import (
	"context"
	"encoding/base64"
	"slices"
	"sort"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

// Options of a filter.
const (
	optionEquals     = "Equals"
	optionBeginsWith = "BeginsWith"
	optionContains   = "Contains"
	optionRecursive  = "Recursive"
	optionOneLevel   = "OneLevel"
)

// What can be filtered by: the option that each key has when none is named comes first.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_ParameterStringFilter.html
var (
	matching     = []string{optionEquals, optionBeginsWith}
	describeKeys = map[string][]string{
		"Name": {optionEquals, optionBeginsWith, optionContains}, "Path": {optionOneLevel, optionRecursive},
		"Type": matching, "KeyId": matching, "Tier": matching, "DataType": matching, "tag": matching,
	}
	byPathKeys = map[string][]string{"Path": {optionOneLevel, optionRecursive}, "Type": matching, "KeyId": matching}
)

// list gives a page of the region's parameters that pass every filter, in the order of their names, and the token of the
// next page.
func (b *Backend) list(ctx context.Context, keys map[string][]string, filters []types.ParameterStringFilter, limit *int32, most int, token *string) ([]parameter, *string, error) {
	if err := checkFilters(keys, filters); err != nil {
		return nil, nil, err
	}
	all, err := b.parameters.List(store.Key(regionOf(ctx), ""))
	if err != nil {
		return nil, nil, err
	}
	found := slices.DeleteFunc(all, func(p parameter) bool {
		return slices.ContainsFunc(filters, func(f types.ParameterStringFilter) bool { return !p.passes(f, keys) })
	})
	if token != nil {
		last, err := base64.RawURLEncoding.DecodeString(*token)
		if err != nil {
			return nil, nil, &types.InvalidNextToken{Message: ptr("The specified token isn't valid.")}
		}
		found = found[sort.Search(len(found), func(i int) bool { return found[i].Name > string(last) }):]
	}
	if limit != nil {
		most = int(*limit)
	}
	if len(found) <= most {
		return found, nil, nil
	}
	return found[:most], ptr(base64.RawURLEncoding.EncodeToString([]byte(found[most-1].Name))), nil
}

func keyOf(f types.ParameterStringFilter) string {
	if strings.HasPrefix(aws.ToString(f.Key), "tag:") {
		return "tag"
	}
	return aws.ToString(f.Key)
}

func checkFilters(keys map[string][]string, filters []types.ParameterStringFilter) error {
	for _, f := range filters {
		options, known := keys[keyOf(f)]
		switch {
		case !known:
			return &types.InvalidFilterKey{Message: ptr("The following filter key is not valid: " + aws.ToString(f.Key) + ".")}
		case f.Option != nil && !slices.Contains(options, *f.Option):
			return &types.InvalidFilterOption{Message: ptr("The following filter option is not valid: " + *f.Option + ". Valid options include: [" + strings.Join(options, ", ") + "].")}
		case len(f.Values) == 0 && keyOf(f) != "tag":
			return &types.InvalidFilterValue{Message: ptr("The following filter values are missing : null for filter key " + aws.ToString(f.Key))}
		}
	}
	return nil
}

// passes tells whether one of a filter's values matches.
func (p *parameter) passes(f types.ParameterStringFilter, keys map[string][]string) bool {
	option := keys[keyOf(f)][0]
	if f.Option != nil {
		option = *f.Option
	}
	have, there := p.attribute(f)
	if len(f.Values) == 0 {
		return there
	}
	return there && slices.ContainsFunc(f.Values, func(wanted string) bool { return matches(option, have, wanted) })
}

// attribute is what a filter looks at.
func (p *parameter) attribute(f types.ParameterStringFilter) (have string, there bool) {
	v := p.newest()
	switch keyOf(f) {
	case "Name":
		return p.Name, true
	case "Path":
		return "/" + strings.TrimPrefix(p.Name, "/"), true
	case "Type":
		return string(v.Type), true
	case "KeyId":
		return v.KeyID, v.KeyID != ""
	case "Tier":
		return string(v.Tier), true
	case "DataType":
		return v.DataType, true
	}
	for _, t := range p.Tags {
		if "tag:"+*t.Key == *f.Key {
			return aws.ToString(t.Value), true
		}
	}
	return "", false
}

func matches(option, have, wanted string) bool {
	switch option {
	case optionBeginsWith:
		return strings.HasPrefix(have, wanted)
	case optionContains:
		return strings.Contains(have, wanted)
	case optionOneLevel, optionRecursive:
		rest, below := strings.CutPrefix(have, strings.TrimSuffix(wanted, "/")+"/")
		return below && (option == optionRecursive || !strings.Contains(rest, "/"))
	}
	return have == wanted
}
