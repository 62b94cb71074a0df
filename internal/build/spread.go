package build

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/containerd/v2/core/content/proxy"
	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// A builder of several nodes builds each platform where buildx would build it: on the node that has it natively. No node
// has the whole image then. Its index is put together here, byte by byte as BuildKit would, so that it has the digest that
// one node would give it.

// piece is the image of one platform.
type piece struct {
	image    release.Image
	manifest ocispec.Descriptor
}

// spreads says whether a request is built on several nodes.
func (b *Buildx) spreads(ctx context.Context, req release.BuildRequest) (bool, error) {
	if len(req.Platforms) < 2 {
		return false, nil
	}
	info, err := b.inspect(ctx)
	return len(info.Nodes) > 1, err
}

// eachPlatform builds every platform on its node, all at once; push says whether the result is pushed by its digest.
func (b *Buildx) eachPlatform(ctx context.Context, req release.BuildRequest, push bool, auth release.Credentials, emit release.Emit) ([]piece, error) {
	pieces := make([]piece, len(req.Platforms))
	all, ctx := errgroup.WithContext(ctx)
	emit = serial(emit)
	for i, platform := range req.Platforms {
		one := req
		one.Platforms = []string{platform}
		told := named(platform, emit)
		all.Go(func() error {
			return b.connected(ctx, platform, told, func(kit *BuildKit, c *client.Client, lives habitat) (err error) {
				if lives == inEngineOfOldStore {
					return fmt.Errorf("%s would build %s on a Docker Engine that does not keep its images in containerd's store, which takes no part in an image of several platforms\n  leave that node out: docker buildx rm --node", b.Name(), platform)
				}
				s, err := kit.prepare(one, push, auth, told)
				if err != nil {
					return err
				}
				if lives == inEngine {
					s.options.Exports[0].Attrs[string(exptypes.OptKeyStore)] = "false" // see Build and Push
				}
				defer s.done(ctx, c)
				if pieces[i].image, err = kit.built(ctx, c, s); err != nil {
					return err
				}
				of := digest.Digest(pieces[i].image.Digest)
				raw, err := reader{store: proxy.NewContentStore(c.ContentClient())}.read(ctx, of)
				pieces[i].manifest = ocispec.Descriptor{MediaType: ocispec.MediaTypeImageManifest, Digest: of, Size: int64(len(raw))}
				return err
			})
		})
	}
	return pieces, all.Wait()
}

// named puts the platform into the names of steps, as BuildKit does when it builds several.
func named(platform string, emit release.Emit) release.Emit {
	return func(event release.Event) {
		switch e := event.(type) {
		case release.BuildStep:
			e.ID = platform + "/" + e.ID
			if rest, ok := strings.CutPrefix(e.Name, "["); ok {
				e.Name = "[" + platform + " " + rest
			}
			emit(e)
		case release.BuildLog:
			e.ID = platform + "/" + e.ID
			emit(e)
		default:
			emit(event)
		}
	}
}

// join makes the index of an image that was built on several nodes, and says what the image is.
func join(req release.BuildRequest, pieces []piece) (release.Image, []byte, error) {
	index := ocispec.Index{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageIndex}
	image := release.Image{Repository: req.Repository, Labels: pieces[0].image.Labels}
	for i, p := range pieces {
		platform, err := platforms.Parse(req.Platforms[i])
		if err != nil {
			return release.Image{}, nil, fmt.Errorf("platform %q: %w", req.Platforms[i], err)
		}
		platform = platforms.Normalize(platform)
		p.manifest.Platform = &platform
		index.Manifests = append(index.Manifests, p.manifest)
		image.Manifests = append(image.Manifests, p.image.Digest)
		image.Platforms = slices.Concat(image.Platforms, p.image.Platforms)
		image.SizeBytes += p.image.SizeBytes
	}
	raw, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return release.Image{}, nil, err
	}
	image.Digest = digestOf(raw)
	return image, raw, nil
}

// buildSpread is Build on several nodes.
func (b *Buildx) buildSpread(ctx context.Context, req release.BuildRequest, emit release.Emit) (release.Image, error) {
	pieces, err := b.eachPlatform(ctx, req, false, release.Credentials{}, emit)
	if err != nil {
		return release.Image{}, err
	}
	image, _, err := join(req, pieces)
	return image, err
}

// pushSpread is Push on several nodes: each sends its manifest, and the index, which names them, follows.
func (b *Buildx) pushSpread(ctx context.Context, req release.BuildRequest, want release.Digest, tag string, auth release.Credentials, emit release.Emit) error {
	pieces, err := b.eachPlatform(ctx, req, true, auth, emit)
	if err != nil {
		return err
	}
	image, index, err := join(req, pieces)
	if err != nil {
		return err
	}
	if image.Digest != want {
		return otherDigest(req, tag, image.Digest, want)
	}
	return b.kit("", emit).tag(ctx, req.Repository, tag, index, auth)
}
