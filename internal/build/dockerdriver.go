package build

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// A Docker Engine that does not keep its images in containerd's store (every one before 23, and by default those before
// 29) has layers and configurations, but no manifests: what it would push is known only after it has pushed it. So an
// image is built into it, read out of it, and packed here: see packedImage. The digest is the same at each run, because
// the engine's build cache gives the same image and the packing is deterministic. With a new engine it is also the one
// that BuildKit gives elsewhere. Docker 20.10 writes the names of owners into its archives and knows no SOURCE_DATE_EPOCH,
// so that the configuration, a WORKDIR and what a RUN makes have the time of the build: its digest is its own.

// exporterMoby stores an image in the Docker Engine that BuildKit is part of.
const exporterMoby = "moby"

// engineBuild builds into the engine and packs the image.
func (b *Buildx) engineBuild(ctx context.Context, kit *BuildKit, c *client.Client, req release.BuildRequest, emit release.Emit) (*packedImage, error) {
	if len(req.Contexts) > 0 {
		info, err := b.inspect(ctx)
		if err != nil {
			return nil, err
		}
		if err := info.takesContexts(); err != nil {
			return nil, err
		}
	}
	s, err := kit.prepare(req, false, release.Credentials{}, emit)
	if err != nil {
		return nil, err
	}
	if req.Cache.Kind != "" {
		emit(release.Notice{Level: "warning", Text: "the build cache is read and not stored, because this Docker Engine stores none; docker buildx create --use makes a builder that does"})
	}
	emit(release.Notice{Level: "info", Text: "this Docker Engine keeps no manifests, so the image is read out of it and packed here (an engine as old as 20.10 gives it a digest of its own); docker buildx create --use makes a builder without that"})
	return b.engineSolve(ctx, kit, c, s)
}

func (b *Buildx) engineSolve(ctx context.Context, kit *BuildKit, c *client.Client, s *solving) (*packedImage, error) {
	s.options.Exports = []client.ExportEntry{{Type: exporterMoby, Attrs: map[string]string{}}}
	s.options.CacheExports = nil // it has none but its own
	defer s.done(ctx, c)
	response, err := kit.respond(ctx, c, s)
	if err != nil {
		return nil, err
	}
	id := release.Digest(response[exptypes.ExporterImageDigestKey])
	if !id.Valid() {
		return nil, fmt.Errorf("%s reported no image (%q)", b.Name(), id)
	}
	compression := orElse(s.req.Compression, release.CompressionGzip)
	known, err := recall(b.config.CacheDir, id, compression)
	if err == nil {
		return b.keep(known), nil
	}
	b.log.DebugContext(ctx, "the image is read from the engine", "id", id, "because", err)
	packed, err := b.pack(ctx, id, compression, rememberedLayers(b.config.CacheDir, compression))
	if err != nil {
		return nil, err
	}
	if err := packed.remember(b.config.CacheDir, compression); err != nil {
		b.log.WarnContext(ctx, "what the image's layers compress to is not remembered", "error", err)
	}
	return b.keep(packed), nil
}

func (b *Buildx) keep(p *packedImage) *packedImage {
	b.mu.Lock()
	defer b.mu.Unlock()
	if kept, ok := b.packed[p.digest]; ok {
		return kept // it may have its layers at hand
	}
	b.packed[p.digest] = p
	return p
}

// find gives the image of a manifest digest: the one that this process built, or the one that the same request gives.
func (b *Buildx) find(ctx context.Context, kit *BuildKit, c *client.Client, req release.BuildRequest, want release.Digest, tag string, emit release.Emit) (*packedImage, error) {
	b.mu.Lock()
	kept, ok := b.packed[want]
	b.mu.Unlock()
	if ok {
		return kept, nil
	}
	s, err := kit.prepare(req, false, release.Credentials{}, emit)
	if err != nil {
		return nil, err
	}
	s.progress.push = true // the steps were reported when it was built
	packed, err := b.engineSolve(ctx, kit, c, s)
	if err != nil {
		return nil, err
	}
	if packed.digest != want {
		return nil, otherDigest(req, tag, packed.digest, want)
	}
	return packed, nil
}

// enginePush sends what the registry lacks, by digest first, and then names it.
func (b *Buildx) enginePush(ctx context.Context, kit *BuildKit, c *client.Client, req release.BuildRequest, want release.Digest, tag string, auth release.Credentials, emit release.Emit) error {
	packed, err := b.find(ctx, kit, c, req, want, tag, emit)
	if err != nil {
		return err
	}
	if err := b.send(ctx, kit, packed, req.Repository, auth, emit); err != nil {
		return err
	}
	return kit.tag(ctx, req.Repository, tag, packed.manifest, auth)
}

// engineLoad names what the engine has.
func (b *Buildx) engineLoad(ctx context.Context, kit *BuildKit, c *client.Client, req release.BuildRequest, want release.Digest, names []string, emit release.Emit) (LoadedImage, error) {
	packed, err := b.find(ctx, kit, c, req, want, names[0], emit)
	if err != nil {
		return LoadedImage{}, err
	}
	e, err := b.engineWith(ctx, packed.id)
	if err != nil {
		return LoadedImage{}, err
	}
	defer e.close()
	about, err := e.info(ctx)
	if err != nil {
		return LoadedImage{}, err
	}
	for _, name := range names {
		if err := e.tag(ctx, string(packed.id), name); err != nil {
			return LoadedImage{}, err
		}
	}
	return e.verify(ctx, about, names, "", packed.id)
}

// engineWith is the engine that has an image: that of the current context, as a rule. A builder may be that of another.
func (b *Buildx) engineWith(ctx context.Context, id release.Digest) (*engine, error) {
	e := b.config.engineOf("")
	_, err := e.image(ctx, string(id))
	if err == nil {
		return e, nil
	}
	e.close()
	info, inspectErr := b.inspect(ctx)
	if inspectErr != nil {
		return nil, errors.Join(err, inspectErr)
	}
	e = b.config.engineOf(info.Nodes[0].Endpoint)
	if _, err := e.image(ctx, string(id)); err != nil {
		e.close()
		if errors.Is(err, errNoImage) {
			return nil, fmt.Errorf("%w: the Docker Engine of the context %s does not have what it has just built (%s): %w\n  its disk may be full, or something removes images meanwhile (docker image prune); build again",
				ErrNotLoaded, info.Nodes[0].Endpoint, strings.TrimPrefix(string(id), "sha256:"), err)
		}
		return nil, err
	}
	return e, nil
}
