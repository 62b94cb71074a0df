package ssm

import (
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	maxName   = 2048
	maxLevels = 15
)

var (
	plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	pathName  = regexp.MustCompile(`^(/[A-Za-z0-9_.-]+)+$`)
)

// checkNewName holds the name of a parameter that is to be made to AWS's rules.
// https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
func checkNewName(name string) error {
	if err := checkLength("name", name); err != nil {
		return err
	}
	lower := strings.ToLower(strings.TrimPrefix(name, "/"))
	path := strings.Contains(name, "/")
	switch {
	case path && strings.HasPrefix(lower, "aws/"):
		return &types.AccessDeniedException{Message: ptr("No access to reserved parameter name: " + name + ".")}
	case !path && (strings.HasPrefix(lower, "aws") || strings.HasPrefix(lower, "ssm")):
		return invalid(`Parameter name: can't be prefixed with "aws" or "ssm" (case-insensitive).`)
	case path && strings.HasPrefix(lower, "ssm"), path && strings.HasPrefix(name, "/") && !pathName.MatchString(name):
		return invalid(`Parameter name: can't be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 symbols .-_`)
	case path && !strings.HasPrefix(name, "/"):
		return invalid("Parameter name must be a fully qualified name.")
	case !path && !plainName.MatchString(name):
		return invalid("Parameter name: only a mix of letters, numbers and the following 3 symbols .-_ are allowed.")
	case strings.Count(name, "/") > maxLevels:
		return &types.HierarchyLevelLimitExceededException{Message: ptr("A hierarchy can have a maximum of 15 levels.")}
	}
	return nil
}

func checkLength(member, name string) error {
	var v wire.Violations
	v.Length(member, name, len(name), 1, maxName)
	return v.Err()
}

func ptr(s string) *string { return &s }

// selection is a parameter as an operation names it: by name or ARN, with a version where one is named.
type selection struct {
	names    []string // an ARN with one level stands for NAME and for /NAME
	selector string   // ":VERSION" or ":LABEL"; empty: the newest
}

// selected reads NAME, NAME:VERSION, NAME:LABEL and the same with an ARN in place of the name. ok is false for an ARN of
// another account, region or service.
// https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-versions.html
func selected(ctx context.Context, text string) (s selection, ok bool) {
	name, isARN := strings.CutPrefix(text, arnPrefix(regionOf(ctx)))
	if !isARN && strings.HasPrefix(text, "arn:") {
		return s, false
	}
	if i := strings.Index(name, ":"); i >= 0 {
		name, s.selector = name[:i], name[i:]
	}
	switch {
	case !isARN:
		s.names = []string{name}
	case strings.Contains(name, "/"):
		s.names = []string{"/" + name}
	default:
		s.names = []string{name, "/" + name}
	}
	return s, true
}

// find gives the parameter that an operation names, and the version: ParameterNotFound, ParameterVersionNotFound.
func (b *Backend) find(ctx context.Context, text string) (parameter, version, selection, error) {
	s, ok := selected(ctx, text)
	if !ok {
		return parameter{}, version{}, s, errNotFound()
	}
	for _, name := range s.names {
		p, there, err := b.parameters.Get(store.Key(regionOf(ctx), name))
		if err != nil {
			return p, version{}, s, err
		}
		if there {
			v, err := p.pick(s.selector)
			return p, v, s, err
		}
	}
	return parameter{}, version{}, s, errNotFound()
}

// pick gives the version that a selector names. No version has a label here.
func (p *parameter) pick(selector string) (version, error) {
	if selector == "" {
		return p.newest(), nil
	}
	wanted := selector[1:]
	number, err := strconv.ParseInt(wanted, 10, 64)
	for _, v := range p.Versions {
		if err == nil && v.Number == number {
			return v, nil
		}
	}
	if err != nil {
		return version{}, &types.ParameterVersionNotFound{Message: ptr("Systems Manager could not find label " + wanted + " of " + p.Name + ". Verify the label and try again.")}
	}
	return version{}, &types.ParameterVersionNotFound{Message: ptr("Systems Manager could not find version " + wanted + " of " + p.Name + ". Verify the version and try again.")}
}
