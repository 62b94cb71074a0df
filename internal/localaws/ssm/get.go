package ssm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// maxNames is how many parameters are named at once.
const maxNames = 10

// show gives a version as the API does. A SecureString that nobody asked to decrypt is shown encrypted.
func (b *Backend) show(p parameter, v version, s selection, decrypt *bool) (types.Parameter, error) {
	shown := types.Parameter{
		ARN: ptr(p.arn()), Name: &p.Name, Type: v.Type, Version: v.Number, DataType: &v.DataType, LastModifiedDate: &v.Modified,
	}
	if s.selector != "" {
		shown.Selector = &s.selector
	}
	if v.Type == types.ParameterTypeSecureString && !aws.ToBool(decrypt) {
		shown.Value = ptr(base64.StdEncoding.EncodeToString(v.Sealed))
		return shown, nil
	}
	value, err := b.box.Unseal(v.Sealed, p.place(v.Number))
	if err != nil {
		return shown, fmt.Errorf("the value of the parameter %s: %w; put it again: aws ssm put-parameter --overwrite --name %s …", p.Name, err, p.Name)
	}
	shown.Value = ptr(string(value))
	return shown, nil
}

// GetParameter gives one parameter.
func (b *Backend) GetParameter(ctx context.Context, in *ssm.GetParameterInput) (*ssm.GetParameterOutput, error) {
	if err := wire.Required(in, "Name"); err != nil {
		return nil, err
	}
	if err := checkLength("name", *in.Name); err != nil {
		return nil, err
	}
	p, v, s, err := b.find(ctx, *in.Name)
	if err != nil {
		return nil, err
	}
	shown, err := b.show(p, v, s, in.WithDecryption)
	return &ssm.GetParameterOutput{Parameter: &shown}, err
}

func checkNames(in any, names []string) error {
	if err := wire.Required(in, "Names"); err != nil {
		return err
	}
	var v wire.Violations
	v.Length("names", "["+strings.Join(names, ", ")+"]", len(names), 1, maxNames)
	return v.Err()
}

// GetParameters gives several parameters, and the names of those that are not there.
func (b *Backend) GetParameters(ctx context.Context, in *ssm.GetParametersInput) (*ssm.GetParametersOutput, error) {
	if err := checkNames(in, in.Names); err != nil {
		return nil, err
	}
	out := &ssm.GetParametersOutput{}
	for _, name := range in.Names {
		p, v, s, err := b.find(ctx, name)
		if missing(err) {
			out.InvalidParameters = append(out.InvalidParameters, name)
			continue
		}
		if err != nil {
			return nil, err
		}
		shown, err := b.show(p, v, s, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, shown)
	}
	return out, nil
}

// missing tells whether an error says that there is no such parameter or version.
func missing(err error) bool {
	parameter, version := new(types.ParameterNotFound), new(types.ParameterVersionNotFound)
	return errors.As(err, &parameter) || errors.As(err, &version)
}

// GetParametersByPath gives the parameters below a path: those of the next level, or all.
func (b *Backend) GetParametersByPath(ctx context.Context, in *ssm.GetParametersByPathInput) (*ssm.GetParametersByPathOutput, error) {
	if err := wire.Required(in, "Path"); err != nil {
		return nil, err
	}
	var v wire.Violations
	v.Range("maxResults", in.MaxResults, 1, maxNames)
	if err := v.Err(); err != nil {
		return nil, err
	}
	if *in.Path != "/" && !pathName.MatchString(strings.TrimSuffix(*in.Path, "/")) {
		return nil, invalid(`The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "/". It can't be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.`)
	}
	option := optionOneLevel
	if aws.ToBool(in.Recursive) {
		option = optionRecursive
	}
	below := types.ParameterStringFilter{Key: ptr("Path"), Option: &option, Values: []string{*in.Path}}
	page, next, err := b.list(ctx, byPathKeys, append(slices.Clone(in.ParameterFilters), below), in.MaxResults, maxNames, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssm.GetParametersByPathOutput{NextToken: next}
	for _, p := range page {
		shown, err := b.show(p, p.newest(), selection{}, in.WithDecryption)
		if err != nil {
			return nil, err
		}
		out.Parameters = append(out.Parameters, shown)
	}
	return out, nil
}

// DescribeParameters tells all of the parameters but their values.
func (b *Backend) DescribeParameters(ctx context.Context, in *ssm.DescribeParametersInput) (*ssm.DescribeParametersOutput, error) {
	const maxPage = 50
	var v wire.Violations
	v.Range("maxResults", in.MaxResults, 1, maxPage)
	if err := v.Err(); err != nil {
		return nil, err
	}
	if aws.ToBool(in.Shared) {
		return &ssm.DescribeParametersOutput{}, nil // there is no other account to share one
	}
	filters := slices.Clone(in.ParameterFilters)
	for _, f := range in.Filters {
		filters = append(filters, types.ParameterStringFilter{Key: ptr(string(f.Key)), Values: f.Values, Option: ptr(optionBeginsWith)})
	}
	page, next, err := b.list(ctx, describeKeys, filters, in.MaxResults, maxPage, in.NextToken)
	if err != nil {
		return nil, err
	}
	out := &ssm.DescribeParametersOutput{NextToken: next}
	for _, p := range page {
		out.Parameters = append(out.Parameters, p.metadata())
	}
	return out, nil
}

func (p *parameter) metadata() types.ParameterMetadata {
	v := p.newest()
	m := types.ParameterMetadata{
		ARN: ptr(p.arn()), Name: &p.Name, Type: v.Type, Version: v.Number, Tier: v.Tier, DataType: &v.DataType, LastModifiedDate: &v.Modified,
		LastModifiedUser: ptr("arn:aws:iam::" + wire.AccountID + ":user/local"), Policies: []types.ParameterInlinePolicy{},
	}
	for to, text := range map[**string]string{&m.Description: v.Description, &m.AllowedPattern: v.Pattern, &m.KeyId: v.KeyID} {
		if text != "" {
			*to = &text
		}
	}
	return m
}

// DeleteParameter removes a parameter with all its versions.
func (b *Backend) DeleteParameter(ctx context.Context, in *ssm.DeleteParameterInput) (*ssm.DeleteParameterOutput, error) {
	if err := wire.Required(in, "Name"); err != nil {
		return nil, err
	}
	there, err := b.remove(ctx, *in.Name)
	if err == nil && !there {
		err = errNotFound()
	}
	return &ssm.DeleteParameterOutput{}, err
}

// DeleteParameters removes several parameters, and tells which were there.
func (b *Backend) DeleteParameters(ctx context.Context, in *ssm.DeleteParametersInput) (*ssm.DeleteParametersOutput, error) {
	if err := checkNames(in, in.Names); err != nil {
		return nil, err
	}
	out := &ssm.DeleteParametersOutput{}
	for _, name := range in.Names {
		there, err := b.remove(ctx, name)
		switch {
		case err != nil:
			return nil, err
		case there:
			out.DeletedParameters = append(out.DeletedParameters, name)
		default:
			out.InvalidParameters = append(out.InvalidParameters, name)
		}
	}
	return out, nil
}

func (b *Backend) remove(ctx context.Context, name string) (there bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := store.Key(regionOf(ctx), name)
	if _, there, err = b.parameters.Get(key); err != nil || !there {
		return false, err
	}
	return true, b.parameters.Delete(key)
}
