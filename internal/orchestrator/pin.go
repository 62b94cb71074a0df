package orchestrator

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Pin implements release.Orchestrator. A revision that names the digest already, as that of an earlier release does, is
// its own answer as long as it is active.
func (o *Orchestrator) Pin(ctx context.Context, taskDefinition string, image release.Image) (string, error) {
	from, err := o.taskRevision(ctx, taskDefinition)
	if err != nil {
		return "", err
	}
	want := from.registerable()
	if err := pinContainers(want.ContainerDefinitions, image); err != nil {
		return "", fmt.Errorf("pin task definition %s: %w", taskDefinition, err)
	}
	if from.definition.Status == types.TaskDefinitionStatusActive && sameDefinition(want, &from.definition) {
		return aws.ToString(from.definition.TaskDefinitionArn), nil
	}
	return o.ensureTaskDefinition(ctx, want)
}

// pinContainers has every container from the image's repository name the image by digest.
func pinContainers(containers []types.ContainerDefinition, image release.Image) error {
	if !image.Digest.Valid() {
		return fmt.Errorf("the image %s has no digest to pin", image.Ref())
	}
	found := false
	for i := range containers {
		c := &containers[i]
		if release.SameRepository(aws.ToString(c.Image), image.Repository) {
			c.Image = aws.String(repositoryOf(aws.ToString(c.Image)) + "@" + string(image.Digest))
			found = true
		}
	}
	if !found {
		return fmt.Errorf("none of its containers (%s) has an image from repository %s: set the `image` of the app's container to %s:latest",
			strings.Join(imagesOf(containers), ", "), image.Repository, image.Repository)
	}
	return nil
}

// imagesOf lists containers with their images, for people.
func imagesOf(containers []types.ContainerDefinition) []string {
	var all []string
	for _, c := range containers {
		all = append(all, aws.ToString(c.Name)+" runs "+aws.ToString(c.Image))
	}
	return all
}

// repositoryOf is an image reference without tag and digest. The host stays the one that the task definition names: one
// registry goes by several host names, and not every one of them can be reached from where the tasks run.
func repositoryOf(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	return name
}
