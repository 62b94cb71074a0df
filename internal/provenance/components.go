package provenance

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/provenance/sbom"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// sbom lists what is in an image's layers, as the registry has them.
func (a *Attester) sbom(ctx context.Context, req release.AttestRequest, of release.Digest) ([]byte, error) {
	raw, _, err := a.store.Manifest(ctx, req.Repository, of)
	if err != nil {
		return nil, err
	}
	var manifest ocispec.Manifest
	if err := json.Unmarshal(raw, &manifest); err != nil {
		return nil, fmt.Errorf("the manifest %s is not JSON: %w", of.Short(), err)
	}
	open := func(ctx context.Context, l sbom.Layer) (io.ReadCloser, error) {
		return a.store.Blob(ctx, req.Repository, release.Digest(l.Digest))
	}
	layers := make([]sbom.Layer, len(manifest.Layers))
	for i, l := range manifest.Layers {
		layers[i] = sbom.Layer{Digest: string(l.Digest)}
	}
	inventory, err := sbom.Take(ctx, layers, open)
	if err != nil {
		return nil, fmt.Errorf("list what is in %s: %w", of.Short(), err)
	}
	architecture, err := a.architecture(ctx, req.Repository, release.Digest(manifest.Config.Digest))
	if err != nil {
		return nil, err
	}
	return inventory.CycloneDX(sbom.About{
		Repository: req.Image.Repository, Digest: string(of), Architecture: architecture,
		Tool: programName, ToolVersion: a.config.Version, Serial: a.id(), Time: a.now(),
	})
}

// architecture is what an image's config says.
func (a *Attester) architecture(ctx context.Context, repository string, config release.Digest) (string, error) {
	blob, err := a.store.Blob(ctx, repository, config)
	if err != nil {
		return "", err
	}
	defer blob.Close()
	raw, err := io.ReadAll(io.LimitReader(blob, contentLimit))
	if err != nil {
		return "", fmt.Errorf("read the image's config: %w", err)
	}
	var image ocispec.Image
	if err := json.Unmarshal(raw, &image); err != nil {
		return "", fmt.Errorf("the image's config is not JSON: %w", err)
	}
	return image.Architecture, nil
}
