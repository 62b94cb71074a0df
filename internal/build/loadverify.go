package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// oneOf is the platform of several that the engine runs.
func (i engineInfo) oneOf(all []string) (string, error) {
	own, err := platforms.Parse(i.OSType + "/" + i.Architecture) // uname's x86_64 is known there
	if err != nil {
		return "", fmt.Errorf("the platform of %s: %w", i, err)
	}
	for _, name := range all {
		if p, err := platforms.Parse(name); err == nil && platforms.Only(own).Match(p) {
			return name, nil
		}
	}
	return "", fmt.Errorf("%s runs %s and takes one platform of an image, but the image is for %s\n  load it with a platform that it runs, or push it (--push)", i, platforms.Format(own), strings.Join(all, ", "))
}

// verify asks the engine for every name. ids are what the image may be known by there.
func (e *engine) verify(ctx context.Context, about engineInfo, names []string, platform string, ids ...release.Digest) (LoadedImage, error) {
	loaded := LoadedImage{Engine: about.String(), Names: names, Platform: platform}
	for _, name := range names {
		image, err := e.image(ctx, name)
		switch {
		case errors.Is(err, errNoImage):
			return LoadedImage{}, fmt.Errorf("%w: %s says after it was loaded that there is no %s\n  its disk may be full (docker system df), or something removes images meanwhile (docker image prune); then load it again", ErrNotLoaded, about, name)
		case err != nil:
			return LoadedImage{}, err
		}
		loaded.ID = release.Digest(image.ID)
		if !slices.Contains(ids, loaded.ID) {
			return LoadedImage{}, fmt.Errorf("%w: %s is %s in %s, which is not what was loaded (%s): something else gave it that name meanwhile; load it again", ErrNotLoaded, name, loaded.ID, about, ids[0])
		}
	}
	return loaded, nil
}

// store names the image in the builder's own store, for a builder that shares it with what runs containers.
func (b *BuildKit) store(ctx context.Context, c *client.Client, req release.BuildRequest, want release.Digest, names []string, emit release.Emit) (LoadedImage, error) {
	workers, err := c.ListWorkers(ctx)
	if err != nil {
		return LoadedImage{}, b.unreachable(err)
	}
	if !slices.ContainsFunc(workers, func(w *client.WorkerInfo) bool {
		return w.Labels["org.mobyproject.buildkit.worker.executor"] == "containerd"
	}) {
		return LoadedImage{}, fmt.Errorf("%w: %s keeps no images that could be run, and there is no Docker Engine to load them into\n  start Docker, or use the built-in engine (`medusa-deploy local up`), or push the image instead (--push)", ErrNotLoaded, b.Name())
	}
	if err := b.name(ctx, c, client.ExporterImage, req, want, names, emit); err != nil {
		return LoadedImage{}, err
	}
	for _, name := range names {
		got, err := b.named(ctx, c, name, onlyPlatform(req))
		if err != nil || got != want {
			return LoadedImage{}, errors.Join(fmt.Errorf("%w: %s does not have %s under its name %s\n  its disk may be full, or something removes images meanwhile; then load it again", ErrNotLoaded, b.Name(), want, name), err)
		}
	}
	return LoadedImage{Engine: b.Name(), Names: names, ID: want}, nil
}

// named resolves a name as a build would that prefers what is in the builder's own store. No credentials are given, so
// that a registry that asks for them cannot answer in its place.
func (b *BuildKit) named(ctx context.Context, c *client.Client, name, platform string) (release.Digest, error) {
	options := sourceresolver.Opt{ImageOpt: &sourceresolver.ResolveImageOpt{ResolveMode: llb.ResolveModePreferLocal.String()}}
	if platform != "" {
		p, err := platforms.Parse(platform)
		if err != nil {
			return "", err
		}
		options.ImageOpt.Platform = &p
	}
	full, err := fullNames([]string{name})
	if err != nil {
		return "", err
	}
	var found release.Digest
	_, err = c.Build(ctx, client.SolveOpt{}, "", func(ctx context.Context, g gateway.Client) (*gateway.Result, error) {
		_, digest, _, err := g.ResolveImageConfig(ctx, full, options)
		found = release.Digest(digest)
		return gateway.NewResult(), err
	}, nil)
	return found, err
}
