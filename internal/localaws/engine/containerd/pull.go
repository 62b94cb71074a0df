//go:build linux

package containerd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// maxIndexBytes is Amazon ECR's limit on manifests (4 MiB).
const maxIndexBytes = 4 << 20

// Pull makes an image available under req.Ref. The registry is always asked whether it still has the image, as Amazon
// ECS does for each task; blobs that containerd knows from elsewhere, a build above all, are not moved again.
func (e *Engine) Pull(ctx context.Context, req engine.PullRequest) (engine.Image, error) {
	ctx, cancel := e.bound(ctx)
	defer cancel()
	resolver := newResolver(req)
	_, root, err := resolver.Resolve(ctx, req.Ref)
	switch {
	case errdefs.IsNotFound(err):
		return engine.Image{}, fmt.Errorf("%s: %w", req.Ref, engine.ErrImageNotFound)
	case err != nil:
		return engine.Image{}, fmt.Errorf("%w: %w", engine.ErrPull, err)
	}
	e.keys.Lock("image/" + req.Ref)
	defer func() { _ = e.keys.Unlock("image/" + req.Ref) }()
	img, err := e.pullResolved(ctx, resolver, req, root)
	if err != nil {
		return engine.Image{}, fmt.Errorf("%w %s: %w", engine.ErrPull, req.Ref, err)
	}
	return img, nil
}

func (e *Engine) pullResolved(ctx context.Context, r remotes.Resolver, req engine.PullRequest, root ocispec.Descriptor) (engine.Image, error) {
	manifest, err := e.platformManifest(ctx, r, req, root)
	if err != nil {
		return engine.Image{}, err
	}
	img, err := e.client.GetImage(ctx, req.Ref)
	if err != nil && !errdefs.IsNotFound(err) {
		return engine.Image{}, err
	}
	if err == nil && img.Target().Digest == manifest.Digest {
		img = client.NewImageWithPlatform(e.client, img.Metadata(), platforms.All)
		if ready, err := img.IsUnpacked(ctx, e.snapshotter); err == nil && ready {
			return e.describe(ctx, img, root)
		}
	}
	img, err = e.client.Pull(ctx, req.Ref,
		client.WithResolver(chosen{Resolver: r, manifest: manifest}),
		client.WithPlatformMatcher(platforms.All), // the manifest is chosen already, and any one of them is tried
		client.WithPullUnpack, client.WithPullSnapshotter(e.snapshotter), client.WithMaxConcurrentDownloads(6))
	if err != nil {
		return engine.Image{}, err
	}
	return e.describe(ctx, img, root)
}

func (e *Engine) describe(ctx context.Context, img client.Image, root ocispec.Descriptor) (engine.Image, error) {
	config, err := img.Spec(ctx)
	if err != nil {
		return engine.Image{}, fmt.Errorf("read the image's config: %w", err)
	}
	return engine.Image{
		Ref: img.Name(), Digest: root.Digest.String(), Manifest: img.Target().Digest.String(), Architecture: config.Architecture,
	}, nil
}

// newResolver talks to the registry as the request says.
func newResolver(req engine.PullRequest) remotes.Resolver {
	options := []docker.RegistryOpt{
		docker.WithPlainHTTP(func(string) (bool, error) { return req.PlainHTTP, nil }),
	}
	if req.Username != "" {
		options = append(options, docker.WithAuthorizer(docker.NewDockerAuthorizer(docker.WithAuthCreds(
			func(string) (string, string, error) { return req.Username, req.Password, nil }))))
	}
	return docker.NewResolver(docker.ResolverOptions{Hosts: docker.ConfigureDefaultRegistries(options...)})
}

// chosen is a resolver for which the reference names one platform's manifest, whatever the index around it.
type chosen struct {
	remotes.Resolver
	manifest ocispec.Descriptor
}

// Resolve gives the chosen manifest.
func (c chosen) Resolve(_ context.Context, ref string) (string, ocispec.Descriptor, error) {
	return ref, c.manifest, nil
}

// platformManifest is root itself, or the manifest for the requested architecture when root is an index.
func (e *Engine) platformManifest(ctx context.Context, r remotes.Resolver, req engine.PullRequest, root ocispec.Descriptor) (ocispec.Descriptor, error) {
	if !images.IsIndexType(root.MediaType) {
		return root, nil
	}
	raw, err := e.readIndex(ctx, r, req.Ref, root)
	if err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("read the image's index: %w", err)
	}
	var index ocispec.Index
	if err := json.Unmarshal(raw, &index); err != nil {
		return ocispec.Descriptor{}, fmt.Errorf("read the image's index: %w", err)
	}
	architecture := req.Architecture
	if architecture == "" {
		architecture = runtime.GOARCH
	}
	return chooseManifest(index, architecture)
}

func (e *Engine) readIndex(ctx context.Context, r remotes.Resolver, ref string, root ocispec.Descriptor) ([]byte, error) {
	if root.Size > maxIndexBytes {
		return nil, fmt.Errorf("it has %d bytes, more than the %d that a registry accepts", root.Size, maxIndexBytes)
	}
	if raw, err := content.ReadBlob(ctx, e.client.ContentStore(), root); err == nil {
		return raw, nil
	}
	fetcher, err := r.Fetcher(ctx, ref)
	if err != nil {
		return nil, err
	}
	body, err := fetcher.Fetch(ctx, root)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(body, maxIndexBytes))
	if err = errors.Join(err, body.Close()); err != nil {
		return nil, err
	}
	if got := root.Digest.Algorithm().FromBytes(raw); got != root.Digest {
		return nil, fmt.Errorf("the registry sent %s for %s", got, root.Digest)
	}
	return raw, nil
}

// chooseManifest picks the best manifest for linux/architecture. The error's words are the ones that Amazon ECS shows.
func chooseManifest(index ocispec.Index, architecture string) (ocispec.Descriptor, error) {
	want := platforms.Only(platforms.Normalize(ocispec.Platform{OS: "linux", Architecture: architecture}))
	var best *ocispec.Descriptor
	for i, candidate := range index.Manifests {
		if candidate.Platform == nil || !images.IsManifestType(candidate.MediaType) || !want.Match(*candidate.Platform) {
			continue // attestations have the platform unknown/unknown
		}
		if best == nil || want.Less(*candidate.Platform, *best.Platform) {
			best = &index.Manifests[i]
		}
	}
	if best == nil {
		return ocispec.Descriptor{}, fmt.Errorf("image Manifest does not contain descriptor matching platform 'linux/%s'", architecture)
	}
	return *best, nil
}
