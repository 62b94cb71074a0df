package orchestrator

import (
	"context"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Compare implements release.Orchestrator. The task definition is compared as a whole, with AWS's defaults written out on
// both sides; its tags are not, because they make no new revision. Of the service, what its file says is compared; what
// the file leaves out stays as it is. Whatever the file says that no update can bring is a *DefinitionError.
func (o *Orchestrator) Compare(ctx context.Context, cluster string, def release.Definition, repository string) ([]release.Difference, error) {
	b, err := readDefinition(def)
	if err != nil {
		return nil, err
	}
	if err := b.belongsTo(cluster, def); err != nil {
		return nil, err
	}
	s, err := o.describeWithTags(ctx, cluster, aws.ToString(b.service.ServiceName))
	if err != nil {
		return nil, err
	}
	if err := unchangeable(def, b.service, s); err != nil {
		return nil, err
	}
	have, err := o.taskRevision(ctx, aws.ToString(s.TaskDefinition))
	if err != nil {
		return nil, err
	}
	service, err := o.compareSettings(ctx, def, s)
	if err != nil {
		return nil, err
	}
	return append(compareDefinitions(b.task, have.definition, repository), service...), nil
}

// compareDefinitions tells what a task definition's file says otherwise than a revision.
func compareDefinitions(file *ecs.RegisterTaskDefinitionInput, have types.TaskDefinition, repository string) []release.Difference {
	c := comparison{where: "task definition " + aws.ToString(file.Family)}
	plain := func(d types.TaskDefinition) any {
		d.ContainerDefinitions = slices.Clone(d.ContainerDefinitions)
		for i := range d.ContainerDefinitions {
			if image := aws.ToString(d.ContainerDefinitions[i].Image); release.SameRepository(image, repository) {
				d.ContainerDefinitions[i].Image = aws.String(repositoryOf(image)) // whatever tag or digest it has
			}
		}
		return plainForm(d)
	}
	c.walk("", "", plain(onlyWritable(&have)), plain(asDefinition(file)))
	return c.found
}

// compareSettings tells what a service's file says otherwise than the service.
func (o *Orchestrator) compareSettings(ctx context.Context, def release.Definition, s types.Service) ([]release.Difference, error) {
	decoded, err := plainJSON(def.Service)
	if err != nil {
		return nil, err
	}
	file, _ := decoded.(map[string]any) // it was decoded into a struct before
	wanted := map[string]any{}
	for member, value := range file {
		if settable(member) || member == "tags" {
			wanted[member] = value
		}
	}
	have, err := o.settingsNow(ctx, s, wanted)
	if err != nil {
		return nil, err
	}
	plainSettings(have)
	plainNetwork(have)
	plainNetwork(wanted)
	c := comparison{where: "service " + aws.ToString(s.ServiceName), partial: true}
	c.walk("", "", have, wanted)
	return c.found, nil
}

// revisionMembers are settings that ECS tells of a service's revision only.
var revisionMembers = []string{"gatewayConnectors", "monitoring", "serviceConnectConfiguration", "volumeConfigurations", "vpcLatticeConfigurations"}

// settingsNow is what a service has of the wanted settings.
func (o *Orchestrator) settingsNow(ctx context.Context, s types.Service, wanted map[string]any) (map[string]any, error) {
	have, _ := canonical(reflect.ValueOf(s), "").(map[string]any)
	tags, _ := wanted["tags"].([]any)
	have["tags"] = onlyThese(tags, s.Tags)
	if !slices.ContainsFunc(revisionMembers, func(member string) bool { return wanted[member] != nil }) {
		return have, nil
	}
	revision, err := o.currentRevision(ctx, s)
	if err != nil {
		return nil, err
	}
	all, _ := canonical(reflect.ValueOf(revision), "").(map[string]any)
	for _, member := range revisionMembers {
		have[member] = all[member]
	}
	return have, nil
}

// currentRevision is the revision that the service's newest deployment brings; the zero one when it never had any.
func (o *Orchestrator) currentRevision(ctx context.Context, s types.Service) (types.ServiceRevision, error) {
	current := aws.ToString(s.CurrentServiceDeployment)
	if current == "" {
		return types.ServiceRevision{}, nil
	}
	d, err := o.deployment(ctx, current)
	if err != nil || targetOf(d) == nil {
		return types.ServiceRevision{}, err
	}
	out, err := awsclient.Call(ctx, o.ecs.DescribeServiceRevisions, &ecs.DescribeServiceRevisionsInput{ServiceRevisionArns: []string{*targetOf(d)}})
	if err != nil {
		return types.ServiceRevision{}, missing(err)
	}
	if len(out.ServiceRevisions) == 0 {
		return types.ServiceRevision{}, nil
	}
	return out.ServiceRevisions[0], nil
}

// onlyThese gives the tags that a file names: others may come from anywhere, and stay.
func onlyThese(named []any, have []types.Tag) any {
	var kept []any
	for _, t := range have {
		if slices.ContainsFunc(named, func(n any) bool {
			object, ok := n.(map[string]any)
			return ok && object["key"] == aws.ToString(t.Key)
		}) {
			kept = append(kept, map[string]any{"key": aws.ToString(t.Key), "value": aws.ToString(t.Value)})
		}
	}
	return kept
}

// settingDefaults are what a service has that never said anything else.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
var settingDefaults = map[string]string{
	"propagateTags":               string(types.PropagateTagsNone),
	"availabilityZoneRebalancing": string(types.AvailabilityZoneRebalancingDisabled),
}

// plainSettings writes out what ECS takes for granted of a service's settings as they are.
func plainSettings(have map[string]any) {
	for member, byDefault := range settingDefaults {
		if isEmpty(have[member]) {
			have[member] = byDefault
		}
	}
	if deployment, ok := have["deploymentConfiguration"].(map[string]any); ok && isEmpty(deployment["strategy"]) {
		deployment["strategy"] = string(types.DeploymentStrategyRolling)
	}
}

// plainNetwork writes out the default of a network, on both sides: it is replaced as a whole, so that what a file leaves
// out of it becomes the default. Subnets and security groups have no order.
func plainNetwork(settings map[string]any) {
	network, _ := settings["networkConfiguration"].(map[string]any)
	vpc, ok := network["awsvpcConfiguration"].(map[string]any)
	if !ok {
		return
	}
	if isEmpty(vpc["assignPublicIp"]) {
		vpc["assignPublicIp"] = string(types.AssignPublicIpDisabled)
	}
	for _, member := range []string{"subnets", "securityGroups"} {
		if list, ok := vpc[member].([]any); ok {
			sortItems(list)
		}
	}
}
