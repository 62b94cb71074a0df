package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// fixedMembers are those of a service file that stay as they were when the service was created. UpdateService has a
// deploymentController, but who deploys a service is no setting of a release.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/update-service-parameters.html
var fixedMembers = []string{"deploymentController", "launchType", "role", "schedulingStrategy"}

// identityMembers name the service and what it runs, or tell one request from another.
var identityMembers = []string{"clientToken", "cluster", "serviceName", "taskDefinition"}

// settable reports whether a member of a service file is a setting that UpdateService changes.
func settable(member string) bool {
	_, known := fieldOf(reflect.TypeFor[ecs.UpdateServiceInput](), member)
	return known && !slices.Contains(fixedMembers, member) && !slices.Contains(identityMembers, member)
}

// updateOf is the UpdateService that makes a change, with the tags that the service shall have.
func updateOf(cluster, service string, c release.Change) (*ecs.UpdateServiceInput, []types.Tag, error) {
	in, tags, err := settingsOf(c.Settings)
	if err != nil {
		return nil, nil, err
	}
	in.Cluster, in.Service, in.ForceNewDeployment = &cluster, &service, true
	if c.TaskDefinition != "" {
		in.TaskDefinition = &c.TaskDefinition
	}
	return in, tags, nil
}

// tagService brings the tags of a service's file to the service, the only ones of its settings that UpdateService does
// not take. Tags that the file does not name stay.
func (o *Orchestrator) tagService(ctx context.Context, s types.Service, want []types.Tag) error {
	if len(want) == 0 {
		return nil
	}
	have, err := o.tagsOf(ctx, s)
	if err != nil {
		return err
	}
	changed := slices.DeleteFunc(slices.Clone(want), func(t types.Tag) bool {
		return slices.ContainsFunc(have, func(h types.Tag) bool {
			return aws.ToString(h.Key) == aws.ToString(t.Key) && aws.ToString(h.Value) == aws.ToString(t.Value)
		})
	})
	if len(changed) == 0 {
		return nil
	}
	if _, err := awsclient.Call(ctx, o.ecs.TagResource, &ecs.TagResourceInput{ResourceArn: s.ServiceArn, Tags: changed}); err != nil {
		return fmt.Errorf("tag service %s: %w", aws.ToString(s.ServiceName), err)
	}
	return nil
}

// tagsOf gives a service's tags.
func (o *Orchestrator) tagsOf(ctx context.Context, s types.Service) ([]types.Tag, error) {
	out, err := awsclient.Call(ctx, o.ecs.ListTagsForResource, &ecs.ListTagsForResourceInput{ResourceArn: s.ServiceArn})
	if err != nil {
		return nil, fmt.Errorf("tags of service %s: %w", aws.ToString(s.ServiceName), err)
	}
	return out.Tags, nil
}

// settingsOf gives the settings that a service file has, as UpdateService takes them, and its tags; none without a file.
// CreateService's input cannot tell false from nothing said, so that the file is read once more, for UpdateService.
func settingsOf(def release.Definition) (*ecs.UpdateServiceInput, []types.Tag, error) {
	if len(def.Service) == 0 {
		return &ecs.UpdateServiceInput{}, nil, nil
	}
	created, err := decode[ecs.CreateServiceInput](def.ServicePath, def.Service)
	if err != nil {
		return nil, nil, err
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(def.Service, &members); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", def.ServicePath, err)
	}
	for member := range members {
		if !settable(member) {
			delete(members, member)
		}
	}
	raw, err := json.Marshal(members)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", def.ServicePath, err)
	}
	in, err := decode[ecs.UpdateServiceInput](def.ServicePath, raw)
	return in, created.Tags, err
}

// fixed is one member of a service file that the service has otherwise and ECS does not change.
type fixed struct {
	member     string
	file, have string
	cure       string
}

// unchangeable tells what a service file asks for that no update can bring, each with its place and cure.
func unchangeable(def release.Definition, file *ecs.CreateServiceInput, s types.Service) error {
	var problems []Problem
	for _, f := range fixedOf(file, s) {
		if f.file == "" || f.file == f.have {
			continue
		}
		line, column := memberPosition(def.Service, f.member)
		problems = append(problems, Problem{def.ServicePath, line, column,
			fmt.Sprintf("%q is %s, but service %s has %s, and ECS does not change that", f.member, f.file, aws.ToString(s.ServiceName), f.have), f.cure})
	}
	if len(problems) > 0 {
		return &DefinitionError{problems}
	}
	return nil
}

// fixedOf sets what a file says of the fixed members beside what the service has.
func fixedOf(file *ecs.CreateServiceInput, s types.Service) []fixed {
	const another = "write what it has, or create a service of another name and move the traffic to it"
	controller := func(c *types.DeploymentController, fallback types.DeploymentControllerType) string {
		if c == nil {
			return string(fallback)
		}
		return string(c.Type)
	}
	launch := string(s.LaunchType)
	cure := another
	if launch == "" {
		launch = "a capacityProviderStrategy"
		cure = `take "launchType" out, and write the service's capacityProviderStrategy`
	} else if file.LaunchType != "" {
		cure = fmt.Sprintf(`write %q, or take "launchType" out and write a capacityProviderStrategy: that can change`, launch)
	}
	role := ""
	if named := aws.ToString(file.Role); named != "" {
		role = lastPart(named)
	}
	return []fixed{
		{"deploymentController", controller(file.DeploymentController, ""), controller(s.DeploymentController, types.DeploymentControllerTypeEcs), another},
		{"launchType", string(file.LaunchType), launch, cure},
		{"role", role, orDefault(lastPart(aws.ToString(s.RoleArn)), "none"), `write what it has, or take "role" out: new services need none`},
		{"schedulingStrategy", string(file.SchedulingStrategy), string(orDefault(s.SchedulingStrategy, types.SchedulingStrategyReplica)), another},
	}
}
