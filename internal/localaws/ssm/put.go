package ssm

import (
	"cmp"
	"context"
	"regexp"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Limits of Parameter Store.
// https://docs.aws.amazon.com/general/latest/gr/ssm.html#limits_ssm
const (
	maxStandard    = 4096 // characters
	maxAdvanced    = 8192
	maxDescription = 1024
	maxPattern     = 1024
	maxVersions    = 100
	defaultKey     = "alias/aws/ssm"
)

// PutParameter makes a parameter, or gives one that is there another value as its next version.
func (b *Backend) PutParameter(ctx context.Context, in *ssm.PutParameterInput) (*ssm.PutParameterOutput, error) {
	if err := checkPut(in); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	region := regionOf(ctx)
	p, there, err := b.parameters.Get(store.Key(region, *in.Name))
	switch {
	case err != nil:
		return nil, err
	case there && !aws.ToBool(in.Overwrite):
		return nil, &types.ParameterAlreadyExists{Message: ptr("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")}
	case !there:
		p = parameter{Region: region, Name: *in.Name}
		if p.Tags, err = mergeTags(nil, in.Tags); err != nil {
			return nil, err
		}
	}
	next, err := p.next(in)
	if err != nil {
		return nil, err
	}
	next.Sealed = b.box.Seal([]byte(*in.Value), p.place(next.Number))
	p.Versions = append(p.Versions, next)
	p.Versions = p.Versions[max(0, len(p.Versions)-maxVersions):]
	return &ssm.PutParameterOutput{Tier: next.Tier, Version: next.Number}, b.parameters.Put(p.key(), p)
}

func checkPut(in *ssm.PutParameterInput) error {
	if err := wire.Required(in, "Name", "Value"); err != nil {
		return err
	}
	if err := checkNewName(*in.Name); err != nil {
		return err
	}
	if in.Policies != nil {
		return absent("Policies")
	}
	if aws.ToBool(in.Overwrite) && len(in.Tags) > 0 {
		return invalid("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	}
	if d := aws.ToString(in.DataType); d != "" && d != "text" && d != "aws:ec2:image" {
		return invalid("The following data type is not supported: %s (Data type names are all lowercase.)", d)
	}
	var v wire.Violations
	if *in.Value == "" {
		v.Length("value", "", 0, 1, maxAdvanced)
	}
	v.Length("description", aws.ToString(in.Description), len(aws.ToString(in.Description)), 0, maxDescription)
	v.Length("allowedPattern", aws.ToString(in.AllowedPattern), len(aws.ToString(in.AllowedPattern)), 0, maxPattern)
	return v.Err()
}

// next is the parameter's next version as a request wants it, without the value. What the request leaves out stays as in
// the version before.
func (p *parameter) next(in *ssm.PutParameterInput) (version, error) {
	var before version
	if len(p.Versions) > 0 {
		before = p.newest()
	}
	v := version{
		Number: before.Number + 1, Modified: time.Now().UTC().Truncate(time.Millisecond),
		Type: cmp.Or(in.Type, before.Type), Tier: cmp.Or(in.Tier, before.Tier, types.ParameterTierStandard),
		DataType: cmp.Or(aws.ToString(in.DataType), before.DataType, "text"), Description: before.Description, Pattern: before.Pattern,
	}
	if in.Description != nil {
		v.Description = *in.Description
	}
	if in.AllowedPattern != nil {
		v.Pattern = *in.AllowedPattern
	}
	switch {
	case v.Type == "":
		return v, invalid("A parameter type is required when you create a parameter.")
	case v.Type == types.ParameterTypeSecureString:
		v.KeyID = cmp.Or(aws.ToString(in.KeyId), before.KeyID, defaultKey)
	case in.KeyId != nil:
		return v, invalid("KeyId is required for SecureString type parameter only.")
	}
	return v, v.takes(*in.Value)
}

// takes checks a value against the tier's limit and the allowed pattern.
func (v *version) takes(value string) error {
	size := len([]rune(value))
	if v.Tier == types.ParameterTierIntelligentTiering {
		v.Tier = types.ParameterTierStandard
		if size > maxStandard {
			v.Tier = types.ParameterTierAdvanced
		}
	}
	switch {
	case v.Tier == types.ParameterTierStandard && size > maxStandard:
		return invalid("Standard tier parameters support a maximum parameter value of %d characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier. For more information, see https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-advanced-parameters.html", maxStandard)
	case size > maxAdvanced:
		return invalid("Advanced tier parameters support a maximum parameter value of %d characters.", maxAdvanced)
	case v.Pattern == "":
		return nil
	}
	pattern, err := regexp.Compile(`^(?:` + v.Pattern + `)$`)
	if err != nil {
		return &types.InvalidAllowedPatternException{Message: ptr("The request does not meet the regular expression requirement: " + v.Pattern)}
	}
	if !pattern.MatchString(value) {
		return &types.ParameterPatternMismatchException{Message: ptr("Parameter value, cannot be validated against allowedPattern: " + v.Pattern)}
	}
	return nil
}
