package orchestrator

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func containersOf(definitions []types.ContainerDefinition) []release.ContainerDefinition {
	var all []release.ContainerDefinition
	for _, c := range definitions {
		d := release.ContainerDefinition{
			Name: aws.ToString(c.Name), Image: aws.ToString(c.Image), Essential: c.Essential == nil || *c.Essential,
			VersionConsistency: string(c.VersionConsistency), User: aws.ToString(c.User), Secrets: secretsOf(c),
			EntryPoint: c.EntryPoint, Command: c.Command, WorkingDirectory: aws.ToString(c.WorkingDirectory),
			Memory: int(aws.ToInt32(c.Memory)), EnvironmentFiles: len(c.EnvironmentFiles) > 0, Mounts: mountsOf(c),
		}
		for _, pair := range c.Environment {
			if d.Environment == nil {
				d.Environment = map[string]string{}
			}
			d.Environment[aws.ToString(pair.Name)] = aws.ToString(pair.Value)
		}
		mapHealth(&d, c)
		mapLog(&d, c.LogConfiguration)
		all = append(all, d)
	}
	return all
}

// mountsOf lists where a container can write to what outlives it.
func mountsOf(c types.ContainerDefinition) []string {
	var paths []string
	for _, m := range c.MountPoints {
		if !aws.ToBool(m.ReadOnly) {
			paths = append(paths, aws.ToString(m.ContainerPath))
		}
	}
	return paths
}

// What ECS takes for a health check that does not say it.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
const (
	defaultHealthInterval = 30 * time.Second
	defaultHealthRetries  = 3
)

// mapHealth maps how a container's life is watched. A health check of NONE switches an inherited one off.
func mapHealth(d *release.ContainerDefinition, c types.ContainerDefinition) {
	if h := c.HealthCheck; h != nil && !slices.Equal(h.Command, []string{"NONE"}) {
		d.HealthCheck, d.StartPeriod = true, seconds(h.StartPeriod)
		d.HealthInterval, d.HealthRetries = defaultHealthInterval, defaultHealthRetries
		if h.Interval != nil {
			d.HealthInterval = seconds(h.Interval)
		}
		if h.Retries != nil {
			d.HealthRetries = int(*h.Retries)
		}
	}
	if c.StopTimeout != nil {
		timeout := seconds(c.StopTimeout)
		d.StopTimeout = &timeout
	}
}

func mapLog(d *release.ContainerDefinition, l *types.LogConfiguration) {
	if l == nil {
		return
	}
	d.LogDriver = string(l.LogDriver)
	if l.LogDriver == types.LogDriverAwslogs {
		d.LogGroup, d.LogRegion, d.LogPrefix = l.Options["awslogs-group"], l.Options["awslogs-region"], l.Options["awslogs-stream-prefix"]
		d.LogCreatesGroup = l.Options["awslogs-create-group"] == "true"
	}
}

// secretsOf lists every secret that ECS has to read before a container can start.
func secretsOf(c types.ContainerDefinition) []release.SecretReference {
	all := slices.Clone(c.Secrets)
	if c.LogConfiguration != nil {
		all = append(all, c.LogConfiguration.SecretOptions...)
	}
	var found []release.SecretReference
	for _, s := range all {
		found = append(found, release.SecretReference{Name: aws.ToString(s.Name), From: aws.ToString(s.ValueFrom)})
	}
	if r := c.RepositoryCredentials; r != nil {
		found = append(found, release.SecretReference{From: aws.ToString(r.CredentialsParameter)})
	}
	return found
}

func seconds(n *int32) time.Duration { return time.Duration(aws.ToInt32(n)) * time.Second }
