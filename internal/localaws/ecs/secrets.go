package ecs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsarn "github.com/aws/aws-sdk-go-v2/aws/arn"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// The secrets of a container definition: resolved when a task starts, and handed to the engine. Values are in no record
// and in no error.

// reference is what a secret's valueFrom names.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
type reference struct {
	region    string
	secret    SecretQuery // of Secrets Manager; or
	parameter string      // of Systems Manager: its name or ARN
	jsonKey   string      // of the secret's value; empty: all of it
}

// What follows the name in an ARN of Secrets Manager: nothing, or json-key:version-stage:version-id.
const (
	plainParts    = 2 // secret:NAME
	selectedParts = 5
)

// parameterResource begins the resource of a parameter's ARN.
const parameterResource = "parameter/"

var errSecretARN = errors.New("an invalid ARN format for the AWS Secrets Manager secret was specified. Specify a valid ARN and try again.") //nolint:staticcheck // ECS's own words

// referenceOf reads a valueFrom: the ARN of a secret or of a parameter, or a parameter's name in the task's own region.
func referenceOf(valueFrom, region string) (reference, error) {
	if !strings.HasPrefix(valueFrom, "arn:") {
		return reference{region: region, parameter: valueFrom}, nil
	}
	named, err := awsarn.Parse(valueFrom)
	if err != nil {
		return reference{}, errSecretARN
	}
	r := reference{region: named.Region}
	if named.Service == "ssm" && strings.HasPrefix(named.Resource, parameterResource) {
		r.parameter = valueFrom
		return r, nil
	}
	parts := strings.Split(named.Resource, ":")
	if named.Service != "secretsmanager" || parts[0] != "secret" || len(parts) != plainParts && len(parts) != selectedParts {
		return r, errSecretARN
	}
	named.Resource = parts[0] + ":" + parts[1]
	r.secret.ID = named.String()
	if len(parts) == selectedParts {
		r.jsonKey, r.secret.Stage, r.secret.Version = parts[2], parts[3], parts[4]
	}
	return r, nil
}

const maxParameterName = 2048

var parameterName = regexp.MustCompile(`^[a-zA-Z0-9_.\-/]+(:[a-zA-Z0-9_.\-]+)?$`)

// checkSecrets refuses what ECS refuses when a task definition is registered.
func checkSecrets(c types.ContainerDefinition, in *awsecs.RegisterTaskDefinitionInput) error {
	if len(c.Secrets) > 0 && aws.ToString(in.ExecutionRoleArn) == "" {
		return clientError("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
	}
	taken := map[string]bool{}
	for _, e := range c.Environment {
		taken[aws.ToString(e.Name)] = true
	}
	for _, s := range c.Secrets {
		name, from := aws.ToString(s.Name), aws.ToString(s.ValueFrom)
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			return clientError("Container %s: secrets.name must name an environment variable.", *c.Name)
		case taken[name]:
			return clientError("The secret name must be unique and not shared with any new or existing environment variables set on the container, such as '%s'.", name)
		case !strings.HasPrefix(from, "arn:") && (len(from) > maxParameterName || !parameterName.MatchString(from)):
			return clientError("The Systems Manager parameter name specified for secret %s is invalid. The parameter name can be up to 2048 characters and include the following letters and symbols: a-zA-Z0-9_.-/", name)
		}
		taken[name] = true
	}
	return nil
}

// secretEnv resolves the secrets of a task's containers: NAME=value for each, by container. An error is what ECS gives as
// the stopped reason.
func (b *Backend) secretEnv(ctx context.Context, t *task, d *taskDefinition) (map[string][]string, error) {
	env := map[string][]string{}
	values, err := b.secretValues(ctx, t, d)
	if err != nil {
		return nil, fmt.Errorf("ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: %w", err)
	}
	for _, c := range d.Def.ContainerDefinitions {
		for _, s := range c.Secrets {
			value := values[*s.ValueFrom]
			if strings.ContainsRune(value, 0) { // the runtime would refuse it, and quote it
				return nil, fmt.Errorf("CannotCreateContainerError: the value of the secret %s has a NUL character in it, which no environment variable can have", *s.Name)
			}
			env[*c.Name] = append(env[*c.Name], *s.Name+"="+value)
		}
	}
	return env, nil
}

// secretValues gives the values of all that a task's containers name, by valueFrom.
func (b *Backend) secretValues(ctx context.Context, t *task, d *taskDefinition) (map[string]string, error) {
	values := map[string]string{}
	parameters := map[string]map[string][]string{} // region → name → valueFrom
	for _, c := range d.Def.ContainerDefinitions {
		for _, s := range c.Secrets {
			from := *s.ValueFrom
			r, err := referenceOf(from, t.Region)
			if err != nil {
				return nil, fmt.Errorf("unable to retrieve secret from asm: trying to retrieve secret with value %s resulted in error: %w", from, err)
			}
			if r.parameter == "" {
				if values[from], err = b.secretValue(ctx, r); err != nil {
					return nil, fmt.Errorf("unable to retrieve secret from asm: service call has been retried 1 time(s): %w", err)
				}
				continue
			}
			if parameters[r.region] == nil {
				parameters[r.region] = map[string][]string{}
			}
			parameters[r.region][r.parameter] = append(parameters[r.region][r.parameter], from)
		}
	}
	for region, names := range parameters {
		if err := b.parameterValues(ctx, region, names, values); err != nil {
			return nil, fmt.Errorf("unable to retrieve secrets from ssm: service call has been retried 1 time(s): %w", err)
		}
	}
	return values, nil
}

func (b *Backend) secretValue(ctx context.Context, r reference) (string, error) {
	value, err := b.Secrets.Secret(ctx, r.region, r.secret)
	if err != nil {
		return "", fmt.Errorf("failed to fetch secret %s from secrets manager: %w", r.secret.ID, err)
	}
	if r.jsonKey == "" {
		return value, nil
	}
	return jsonValue(value, r.jsonKey)
}

// jsonValue gives one member of a secret that is a JSON object. A value that is no text is written as ECS's agent does,
// which is as Go prints it.
func jsonValue(value, key string) (string, error) {
	var object map[string]any
	if err := json.Unmarshal([]byte(value), &object); err != nil {
		return "", errors.New("invalid character looking for beginning of value") // ECS quotes the character, which is the secret's
	}
	member, ok := object[key]
	if !ok {
		return "", fmt.Errorf("retrieved secret from Secrets Manager did not contain json key %s", key)
	}
	return fmt.Sprint(member), nil
}

// parameterValues adds the values of a region's parameters, as many at a time as GetParameters takes.
func (b *Backend) parameterValues(ctx context.Context, region string, names map[string][]string, values map[string]string) error {
	const atOnce = 10
	wanted := make([]string, 0, len(names))
	for name := range names {
		wanted = append(wanted, name)
	}
	slices.Sort(wanted)
	for some := range slices.Chunk(wanted, atOnce) {
		found, missing, err := b.Secrets.Parameters(ctx, region, some)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			for i := range missing {
				missing[i] = nameOfParameter(missing[i])
			}
			return fmt.Errorf("invalid ssm parameters: %s", strings.Join(missing, ","))
		}
		for _, name := range some {
			for _, from := range names[name] {
				values[from] = found[name]
			}
		}
	}
	return nil
}

// nameOfParameter is the name in a parameter's ARN; a name is itself. A path begins with a slash, which its ARN does not
// repeat.
func nameOfParameter(text string) string {
	named, err := awsarn.Parse(text)
	if err != nil {
		return text
	}
	name := strings.TrimPrefix(named.Resource, parameterResource)
	if strings.Contains(name, "/") {
		return "/" + name
	}
	return name
}
