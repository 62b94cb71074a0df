package check

import (
	"fmt"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// aws is an AWS CLI command for the target, to be typed as it stands.
func aws(t release.Target, command string) string {
	line := "aws " + command + " --region " + t.Region
	if t.Endpoint != "" {
		line += " --endpoint-url " + t.Endpoint
	}
	return line
}

// quoted is text as a POSIX shell takes it for one word.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// updateService is the command that changes one thing of a service.
func updateService(t release.Target, service, option string) string {
	return aws(t, fmt.Sprintf("ecs update-service --cluster %s --service %s %s", t.Cluster, service, option))
}

// deployment is the option that sets a service's whole deployment configuration: what it leaves out could be reset.
func deployment(minimum, maximum int) string {
	return fmt.Sprintf("--deployment-configuration 'minimumHealthyPercent=%d,maximumPercent=%d,deploymentCircuitBreaker={enable=true,rollback=true}'", minimum, maximum)
}

// changeTaskDefinition says how to make a change to a task definition, which cannot be changed: only replaced.
func changeTaskDefinition(v view, change string) string {
	if v.fromFiles {
		return change + " in " + v.def.TaskDefinitionPath
	}
	family := v.facts.TaskDefinition.Family
	return strings.Join([]string{
		change + ", then: " + aws(v.target, "ecs register-task-definition --cli-input-json file://ecs/task-definition.json"),
		updateService(v.target, v.name, "--task-definition "+family),
	}, " && ")
}

// changeService says how to make a change to a service: key and value as they stand in the file, option as the CLI has it.
func changeService(v view, inFile, option string) string {
	if v.fromFiles {
		return "set " + inFile + " in " + v.def.ServicePath
	}
	return updateService(v.target, v.name, option)
}
