package ecs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// checkDefinition refuses what ECS refuses, and what only local ECS does.
func checkDefinition(in *awsecs.RegisterTaskDefinitionInput) error {
	if in.Family == nil || !namePattern.MatchString(*in.Family) {
		return clientError("Invalid family: it must have up to 255 letters, numbers, underscores, and hyphens.")
	}
	if len(in.ContainerDefinitions) == 0 {
		return clientError("Container list cannot be empty.")
	}
	if what := refusedOfTask(in); what != "" {
		return unavailable(what)
	}
	names := map[string]bool{}
	essential := false
	for _, c := range in.ContainerDefinitions {
		if err := checkContainer(c, in); err != nil {
			return err
		}
		if names[*c.Name] {
			return clientError("Container.name values must be unique: %s", *c.Name)
		}
		names[*c.Name] = true
		essential = essential || c.Essential == nil || *c.Essential
	}
	if !essential {
		return clientError("Invalid setting: at least one container must be essential.")
	}
	return checkDependencies(in.ContainerDefinitions)
}

func checkContainer(c types.ContainerDefinition, in *awsecs.RegisterTaskDefinitionInput) error {
	switch {
	case c.Name == nil || !namePattern.MatchString(*c.Name):
		return clientError("Container.name must match %s.", namePattern)
	case aws.ToString(c.Image) == "":
		return clientError("Container.image should not be null or empty.")
	case c.Memory == nil && c.MemoryReservation == nil && in.Memory == nil:
		return clientError("Invalid setting for container '%s'. At least one of 'memory' or 'memoryReservation' must be specified.", *c.Name)
	case c.HealthCheck != nil && !validHealthCommand(c.HealthCheck.Command):
		return clientError("Container %s: healthCheck.command must start with CMD or CMD-SHELL and name a command, or be NONE.", *c.Name)
	case c.HealthCheck != nil && !validHealthTimes(c.HealthCheck):
		return clientError("Container %s: healthCheck needs interval 5-300, timeout 2-60 and startPeriod 0-300 seconds, and retries 1-10.", *c.Name)
	case c.StartTimeout != nil && (*c.StartTimeout < 2 || *c.StartTimeout > 120):
		return clientError("Container %s: startTimeout must be between 2 and 120 seconds.", *c.Name)
	case c.StopTimeout != nil && (*c.StopTimeout < 0 || *c.StopTimeout > 120):
		return clientError("Container %s: stopTimeout must be between 0 and 120 seconds.", *c.Name)
	}
	if what := refusedOfContainer(c); what != "" {
		return unavailable(what + " of container " + *c.Name)
	}
	if err := checkPorts(c, in.NetworkMode); err != nil {
		return err
	}
	if err := checkSecrets(c, in); err != nil {
		return err
	}
	return checkLogging(c)
}

// checkPorts refuses host ports of their own: a task has an address of its own, on which its containers listen.
func checkPorts(c types.ContainerDefinition, mode types.NetworkMode) error {
	for _, p := range c.PortMappings {
		if p.HostPort == nil || *p.HostPort == 0 || *p.HostPort == aws.ToInt32(p.ContainerPort) {
			continue
		}
		if mode == types.NetworkModeAwsvpc {
			return clientError("When networkMode=awsvpc, the host ports and container ports in port mappings must match.")
		}
		return unavailable(fmt.Sprintf("the hostPort %d of container %s, which is not its containerPort", *p.HostPort, *c.Name))
	}
	return nil
}

func validHealthCommand(command []string) bool {
	if len(command) == 0 {
		return false
	}
	switch command[0] {
	case "NONE":
		return true
	case "CMD":
		return len(command) > 1
	case "CMD-SHELL":
		return len(command) == 2
	}
	return false
}

// validHealthTimes holds a health check to ECS's bounds.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
func validHealthTimes(h *types.HealthCheck) bool {
	within := func(v *int32, low, high int32) bool { return v == nil || low <= *v && *v <= high }
	return within(h.Interval, 5, 300) && within(h.Timeout, 2, 60) && within(h.Retries, 1, 10) && within(h.StartPeriod, 0, 300)
}

func checkLogging(c types.ContainerDefinition) error {
	log := c.LogConfiguration
	if log == nil {
		return nil
	}
	if log.LogDriver != types.LogDriverAwslogs {
		return unavailable("the log driver " + string(log.LogDriver) + " of container " + *c.Name)
	}
	for _, option := range []string{"awslogs-group", "awslogs-region", "awslogs-stream-prefix"} {
		if log.Options[option] == "" {
			return clientError("Log driver awslogs requires options: %s (container %s)", option, *c.Name)
		}
	}
	return nil
}

// checkDependencies refuses dependencies on nothing and in a circle, and conditions that can never hold.
func checkDependencies(containers []types.ContainerDefinition) error {
	ordered, err := startOrder(containers)
	if err != nil {
		return err
	}
	byName := map[string]types.ContainerDefinition{}
	for _, c := range ordered {
		byName[*c.Name] = c
		for _, dep := range c.DependsOn {
			if err := checkCondition(*c.Name, dep, byName[*dep.ContainerName]); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkCondition refuses a condition that the container depended on cannot meet.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
func checkCondition(name string, dep types.ContainerDependency, on types.ContainerDefinition) error {
	switch dep.Condition {
	case types.ContainerConditionStart:
		return nil
	case types.ContainerConditionHealthy:
		if !checked(on) {
			return clientError("Container %s depends on %s to be HEALTHY, but that has no health check.", name, *on.Name)
		}
		return nil
	case types.ContainerConditionComplete, types.ContainerConditionSuccess:
		if on.Essential == nil || *on.Essential {
			return clientError("Container %s depends on %s to be %s, but that is essential.", name, *on.Name, dep.Condition)
		}
		return nil
	}
	return clientError("Container %s: dependsOn.condition must be START, COMPLETE, SUCCESS or HEALTHY, not %q.", name, dep.Condition)
}

// startOrder sorts containers so that each comes after those that it depends on.
func startOrder(containers []types.ContainerDefinition) ([]types.ContainerDefinition, error) {
	byName, placed := map[string]types.ContainerDefinition{}, map[string]bool{}
	for _, c := range containers {
		byName[*c.Name] = c
	}
	var ordered []types.ContainerDefinition
	var place func(c types.ContainerDefinition, above []string) error
	place = func(c types.ContainerDefinition, above []string) error {
		if slices.Contains(above, *c.Name) {
			return clientError("The container dependencies form a cycle: %s", strings.Join(append(above, *c.Name), " → "))
		}
		if placed[*c.Name] {
			return nil
		}
		for _, d := range c.DependsOn {
			other, ok := byName[aws.ToString(d.ContainerName)]
			if !ok {
				return clientError("Container %s depends on %q, which is not in the task definition.", *c.Name, aws.ToString(d.ContainerName))
			}
			if err := place(other, append(slices.Clone(above), *c.Name)); err != nil {
				return err
			}
		}
		placed[*c.Name] = true
		ordered = append(ordered, c)
		return nil
	}
	for _, c := range containers {
		if err := place(c, nil); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}
