package logs

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Patterns of the service model (LogGroupName, LogStreamName).
var (
	groupPattern  = regexp.MustCompile(`^[\.\-_/#A-Za-z0-9]+$`)
	streamPattern = regexp.MustCompile(`^[^:*\x00]*$`)
)

const maxName = 512

func checkGroupName(name *string) error {
	return checkName("logGroupName", name, groupPattern)
}

func checkStreamName(name *string) error {
	return checkName("logStreamName", name, streamPattern)
}

func checkName(member string, name *string, pattern *regexp.Regexp) error {
	var v wire.Violations
	if name == nil {
		v.Add(member, "null", "Member must not be null")
		return v.Err()
	}
	v.Length(member, *name, len(*name), 1, maxName)
	v.Match(member, name, pattern)
	return v.Err()
}

// identify finds the group that is meant by a name or by an identifier (a name or an ARN), of which there must be one.
func identify(ctx context.Context, name, identifier *string) (place, error) {
	if (name == nil) == (identifier == nil) {
		return place{}, invalid("exactly one of logGroupName and logGroupIdentifier is needed")
	}
	at := place{region: regionOf(ctx)}
	if name == nil {
		text := strings.TrimSuffix(*identifier, ":*")
		if strings.HasPrefix(text, "arn:") && !strings.HasPrefix(text, arnPrefix(at.region)) {
			return place{}, invalid("%s is not a log group of this account and region", *identifier)
		}
		name = aws.String(strings.TrimPrefix(text, arnPrefix(at.region)))
	}
	if err := checkGroupName(name); err != nil {
		return place{}, err
	}
	at.group = *name
	return at, nil
}

func invalid(format string, args ...any) error {
	message := fmt.Sprintf(format, args...)
	return &types.InvalidParameterException{Message: &message}
}

// page bounds a limit that may be absent.
func page(limit *int32, high int32) (int, error) {
	var v wire.Violations
	v.Range("limit", limit, 1, high)
	if err := v.Err(); err != nil {
		return 0, err
	}
	if limit == nil {
		return int(high), nil
	}
	return int(*limit), nil
}
