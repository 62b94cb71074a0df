package build

import (
	"context"
	"encoding/json"
	"fmt"

	contentapi "github.com/containerd/containerd/api/services/content/v1"
	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/containerd/v2/core/content/proxy"
	"github.com/containerd/platforms"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// inspect reads from the daemon's store what an image is: its platforms, labels, platform manifests and size.
func inspect(ctx context.Context, api contentapi.ContentClient, of release.Digest) (release.Image, error) {
	r := reader{store: proxy.NewContentStore(api)}
	image := release.Image{Digest: of}
	var top struct {
		MediaType string               `json:"mediaType"`
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	if err := r.json(ctx, digest.Digest(of), &top); err != nil {
		return release.Image{}, err
	}
	if len(top.Manifests) == 0 {
		return image, r.manifest(ctx, digest.Digest(of), &image)
	}
	for _, m := range top.Manifests {
		image.Manifests = append(image.Manifests, release.Digest(m.Digest))
		if err := r.manifest(ctx, m.Digest, &image); err != nil {
			return release.Image{}, err
		}
	}
	return image, nil
}

type reader struct{ store content.Store }

// manifest adds one platform's facts to the image.
func (r reader) manifest(ctx context.Context, of digest.Digest, image *release.Image) error {
	var manifest ocispec.Manifest
	if err := r.json(ctx, of, &manifest); err != nil {
		return err
	}
	var config ocispec.Image
	if err := r.json(ctx, manifest.Config.Digest, &config); err != nil {
		return err
	}
	image.Platforms = append(image.Platforms, platforms.Format(platforms.Normalize(config.Platform)))
	if image.Labels == nil {
		image.Labels = config.Config.Labels
	}
	for _, layer := range manifest.Layers {
		image.SizeBytes += layer.Size
	}
	return nil
}

func (r reader) read(ctx context.Context, of digest.Digest) ([]byte, error) {
	raw, err := content.ReadBlob(ctx, r.store, ocispec.Descriptor{Digest: of})
	if err != nil {
		return nil, fmt.Errorf("read what was built (%s) from the builder: %w", of, err)
	}
	return raw, nil
}

func (r reader) json(ctx context.Context, of digest.Digest, into any) error {
	raw, err := r.read(ctx, of)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return fmt.Errorf("read what was built (%s): %w", of, err)
	}
	return nil
}
