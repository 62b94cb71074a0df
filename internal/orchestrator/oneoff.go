package orchestrator

import (
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// migrateSuffix is what a migration's family has after the service's.
	migrateSuffix = "-migrate"
	// longestFamily is how long the name of a family may be.
	// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RegisterTaskDefinition.html
	longestFamily = 255
)

// oneOff makes of a service's task definition that of a task that runs a command once on an image and then ends. It
// gives the name of the container that runs it.
//
// The command is part of the revision, not an override of the task: what ran on which digest can be read from ECS for
// good (a task is forgotten an hour after its end), and a command may be longer than the 8192 characters of overrides.
func oneOff(in *ecs.RegisterTaskDefinitionInput, image release.Image, command []string) (container string, err error) {
	if err := pinContainers(in.ContainerDefinitions, image); err != nil {
		return "", err
	}
	in.Family = aws.String(migrateFamily(aws.ToString(in.Family)))
	app := appContainer(in.ContainerDefinitions, image.Repository)
	in.ContainerDefinitions = withCompanions(in.ContainerDefinitions, app, image.Repository)
	for i := range in.ContainerDefinitions {
		c := &in.ContainerDefinitions[i]
		// Nobody connects to the task, and on an instance a host port may be taken by the service that runs there.
		c.PortMappings = nil
		if aws.ToString(c.Name) != app {
			c.Essential = aws.Bool(false) // a sidecar serves for ever: only the command's end shall end the task
			continue
		}
		c.Essential, c.Command = aws.Bool(true), command
		c.HealthCheck = nil   // it does not serve
		c.RestartPolicy = nil // it would begin anew when it has ended
	}
	return app, nil
}

// migrateFamily is the family of the one-off tasks of a family.
func migrateFamily(family string) string {
	return family[:min(len(family), longestFamily-len(migrateSuffix))] + migrateSuffix
}

// appContainer names the container that runs the image: the first essential one, or else the first.
func appContainer(containers []types.ContainerDefinition, repository string) string {
	app := ""
	for _, c := range containers {
		if !release.SameRepository(aws.ToString(c.Image), repository) {
			continue
		}
		if c.Essential == nil || *c.Essential {
			return aws.ToString(c.Name)
		}
		if app == "" {
			app = aws.ToString(c.Name)
		}
	}
	return app
}

// withCompanions keeps the app's container and its sidecars. Other containers of the same image (say a worker beside
// the server) are left out, because they would run the new code on what is not migrated yet; unless the app's waits for
// them: then they prepare something for it.
func withCompanions(all []types.ContainerDefinition, app, repository string) []types.ContainerDefinition {
	needed := neededBy(all, app)
	var kept []types.ContainerDefinition
	for _, c := range all {
		if needed[aws.ToString(c.Name)] || !release.SameRepository(aws.ToString(c.Image), repository) {
			kept = append(kept, c)
		}
	}
	present := func(name *string) bool {
		return slices.ContainsFunc(kept, func(c types.ContainerDefinition) bool { return aws.ToString(c.Name) == aws.ToString(name) })
	}
	for i := range kept {
		c := &kept[i]
		c.DependsOn = slices.DeleteFunc(slices.Clone(c.DependsOn), func(d types.ContainerDependency) bool {
			return !present(d.ContainerName) || aws.ToString(d.ContainerName) == app // whose health check is gone
		})
		c.VolumesFrom = slices.DeleteFunc(slices.Clone(c.VolumesFrom), func(v types.VolumeFrom) bool { return !present(v.SourceContainer) })
		c.Links = slices.DeleteFunc(slices.Clone(c.Links), func(link string) bool {
			name, _, _ := strings.Cut(link, ":")
			return !present(&name)
		})
	}
	return kept
}

// neededBy names a container and all that it waits for.
func neededBy(all []types.ContainerDefinition, name string) map[string]bool {
	needed := map[string]bool{}
	var need func(string)
	need = func(name string) {
		if needed[name] {
			return
		}
		needed[name] = true
		for _, c := range all {
			if aws.ToString(c.Name) != name {
				continue
			}
			for _, d := range c.DependsOn {
				need(aws.ToString(d.ContainerName))
			}
		}
	}
	need(name)
	return needed
}

// taskVolumes are the volumes that a service has made for each of its tasks, for a task of its own.
func taskVolumes(all []types.ServiceVolumeConfiguration) []types.TaskVolumeConfiguration {
	var volumes []types.TaskVolumeConfiguration
	for _, v := range all {
		one := types.TaskVolumeConfiguration{Name: v.Name}
		if from := v.ManagedEBSVolume; from != nil {
			one.ManagedEBSVolume = &types.TaskManagedEBSVolumeConfiguration{}
			copyShared(reflect.ValueOf(one.ManagedEBSVolume).Elem(), reflect.ValueOf(from).Elem())
		}
		volumes = append(volumes, one)
	}
	return volumes
}
