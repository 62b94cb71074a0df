package orchestrator

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// blueprint is a definition, read and held together.
type blueprint struct {
	task    *ecs.RegisterTaskDefinitionInput
	service *ecs.CreateServiceInput
}

// readDefinition reads both files of a definition and reports what is wrong with either of them.
func readDefinition(def release.Definition) (blueprint, error) {
	task, taskErr := decode[ecs.RegisterTaskDefinitionInput](def.TaskDefinitionPath, def.TaskDefinition)
	service, serviceErr := decode[ecs.CreateServiceInput](def.ServicePath, def.Service)
	if err := joinProblems(taskErr, serviceErr); err != nil {
		return blueprint{}, err
	}
	b := blueprint{task, service}
	return b, b.check(def)
}

// joinProblems makes one DefinitionError of two.
func joinProblems(errs ...error) error {
	var all []Problem
	for _, err := range errs {
		var one *DefinitionError
		if errors.As(err, &one) {
			all = append(all, one.Problems...)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return &DefinitionError{all}
}

// check reports what is missing, and what does not fit together.
func (b blueprint) check(def release.Definition) error {
	var found []Problem
	task := func(text, hint string) { found = append(found, Problem{def.TaskDefinitionPath, 1, 1, text, hint}) }
	service := func(text, hint string) { found = append(found, Problem{def.ServicePath, 1, 1, text, hint}) }
	family := aws.ToString(b.task.Family)
	if family == "" {
		task(`"family" is missing`, `for example: "family": "medusa"`)
	}
	if len(b.task.ContainerDefinitions) == 0 {
		task(`"containerDefinitions" is missing or empty`, "a task needs at least one container")
	}
	for i, c := range b.task.ContainerDefinitions {
		if aws.ToString(c.Name) == "" || aws.ToString(c.Image) == "" {
			task(fmt.Sprintf("container %d needs \"name\" and \"image\"", i+1), "")
		}
	}
	if aws.ToString(b.service.ServiceName) == "" {
		service(`"serviceName" is missing`, `for example: "serviceName": "medusa-service"`)
	}
	if named := familyOf(aws.ToString(b.service.TaskDefinition)); named != "" && family != "" && named != family {
		service(fmt.Sprintf("the service runs task definition %q, but %s defines %q", named, def.TaskDefinitionPath, family), "give both the same name, or leave \"taskDefinition\" out")
	}
	if len(found) > 0 {
		return &DefinitionError{found}
	}
	return nil
}

// belongsTo refuses a service file that names another cluster.
func (b blueprint) belongsTo(cluster string, def release.Definition) error {
	named := aws.ToString(b.service.Cluster)
	if named == "" || clusterName(named) == clusterName(cluster) {
		return nil
	}
	line, column := memberPosition(def.Service, "cluster")
	return &DefinitionError{[]Problem{{def.ServicePath, line, column,
		fmt.Sprintf("the service belongs to cluster %q, but the target's cluster is %q", clusterName(named), cluster), `give both the same name, or leave "cluster" out`}}}
}

// familyOf is the family of FAMILY, FAMILY:REVISION or a task definition's ARN.
func familyOf(taskDefinition string) string {
	name := lastPart(taskDefinition)
	family, _, _ := strings.Cut(name, ":")
	return family
}

// Preview implements release.Orchestrator.
func (o *Orchestrator) Preview(def release.Definition) (release.Service, error) {
	b, err := readDefinition(def)
	if err != nil {
		return release.Service{}, err
	}
	s := release.Service{
		Name: aws.ToString(b.service.ServiceName), Cluster: clusterName(aws.ToString(b.service.Cluster)),
		Desired: int(aws.ToInt32(b.service.DesiredCount)), LoadBalanced: len(b.service.LoadBalancers) > 0,
		GracePeriod: seconds(b.service.HealthCheckGracePeriodSeconds),
		TaskDefinition: release.TaskDefinition{
			Family: aws.ToString(b.task.Family), ExecutionRole: aws.ToString(b.task.ExecutionRoleArn), Containers: containersOf(b.task.ContainerDefinitions),
			CPU: sizeOf(b.task.Cpu, "vcpu"), Memory: sizeOf(b.task.Memory, "gb"),
		},
	}
	if p := b.task.RuntimePlatform; p != nil {
		s.TaskDefinition.Architecture, s.TaskDefinition.OS = string(p.CpuArchitecture), string(p.OperatingSystemFamily)
	}
	for _, tag := range b.service.Tags {
		if aws.ToString(tag.Key) == healthPathTag {
			s.HealthPath = aws.ToString(tag.Value)
		}
	}
	mapControl(&s, b.service.DeploymentController, b.service.DeploymentConfiguration)
	return s, nil
}

// clusterName is the name of a cluster given by name or ARN; ECS takes "default" for none.
func clusterName(cluster string) string { return cmp.Or(lastPart(cluster), "default") }
