package ecs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// pulled is an image that a container can be started from.
type pulled struct {
	ref    string // for the engine
	digest string // that the name resolved to
}

// pullAll resolves and pulls the images of a task's containers. An error is what ECS gives as the stopped reason.
func (b *Backend) pullAll(ctx context.Context, t *task, d *taskDefinition) (map[string]pulled, error) {
	images := map[string]pulled{}
	for _, c := range d.Def.ContainerDefinitions {
		image, err := b.pullOne(ctx, t, d, c)
		if ctx.Err() != nil {
			return nil, ctx.Err() // it was told to stop: that is no fault of the image
		}
		if err != nil {
			reason := "CannotPullContainerError: " + err.Error()
			b.locked(func() {
				t.container(*c.Name).Reason = &reason
				b.saveTask(t)
			})
			return nil, errors.New(reason)
		}
		images[*c.Name] = image
		b.locked(func() {
			t.container(*c.Name).ImageDigest = aws.String(image.digest)
			b.saveTask(t)
		})
	}
	return images, nil
}

func (b *Backend) pullOne(ctx context.Context, t *task, d *taskDefinition, c types.ContainerDefinition) (pulled, error) {
	found, err := b.resolve(ctx, t, c)
	if err != nil {
		return pulled{}, pullReason(*c.Image, err)
	}
	err = b.pulls.through(ctx, func() error {
		_, err := b.Engine.Pull(ctx, engine.PullRequest{
			Ref: found.Ref, PlainHTTP: found.PlainHTTP, Username: found.Username, Password: found.Password, Architecture: architecture(d),
		})
		return err
	})
	if err != nil {
		return pulled{}, pullReason(*c.Image, err)
	}
	return pulled{ref: found.Ref, digest: found.Digest}, nil
}

// pullReason words a failed pull as ECS does.
func pullReason(image string, err error) error {
	if errors.Is(err, engine.ErrImageNotFound) {
		return fmt.Errorf("pull image manifest has been retried 1 time(s): failed to resolve ref %s: %w", image, err)
	}
	return fmt.Errorf("failed to pull %s: %w", image, err)
}

func architecture(d *taskDefinition) string {
	if p := d.Def.RuntimePlatform; p != nil && p.CpuArchitecture == types.CPUArchitectureArm64 {
		return "arm64"
	}
	return "amd64"
}

// resolve gives the image of a container. A service's revision resolves a tag once, and every later task of it runs the
// same digest, also when the tag has moved meanwhile.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-type-ecs.html#deployment-container-image-stability
func (b *Backend) resolve(ctx context.Context, t *task, c types.ContainerDefinition) (ResolvedImage, error) {
	if t.Revision == "" || c.VersionConsistency == types.VersionConsistencyDisabled {
		return b.Images.Resolve(ctx, t.Region, *c.Image)
	}
	turn, _ := b.resolves.LoadOrStore(t.Revision, &sync.Mutex{})
	lock := turn.(*sync.Mutex)
	lock.Lock()
	defer lock.Unlock()
	if digest := b.pinned(t.Revision, *c.Name); digest != "" {
		return b.Images.Resolve(ctx, t.Region, pin(*c.Image, digest))
	}
	found, err := b.Images.Resolve(ctx, t.Region, *c.Image)
	if err != nil {
		return found, err
	}
	b.locked(func() { b.pinImage(t.Revision, *c.Name, found.Digest) })
	return found, nil
}

// pin names an image by digest: NAME[:TAG] becomes NAME@DIGEST.
func pin(image, digest string) string {
	name, _, _ := strings.Cut(image, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name = name[:i]
	}
	return name + "@" + digest
}

func (b *Backend) pinned(revisionARN, container string) string {
	b.lock()
	defer b.unlock()
	for _, i := range b.memory.revisions[revisionARN].Rev.ContainerImages {
		if *i.ContainerName == container {
			return aws.ToString(i.ImageDigest)
		}
	}
	return ""
}

// pinImage notes what a revision's image resolved to. What was described before stays as it was. The lock is held.
func (b *Backend) pinImage(revisionARN, container, digest string) {
	r := b.memory.revisions[revisionARN]
	images := slices.Clone(r.Rev.ContainerImages)
	for i := range images {
		if *images[i].ContainerName == container {
			images[i].ImageDigest = &digest
		}
	}
	r.Rev.ContainerImages = images
	b.saveRevision(r)
}
