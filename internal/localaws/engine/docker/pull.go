package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// Pull makes an image available under req.Ref. The registry is always asked whether it still has the image, as Amazon
// ECS does for each task, and for its manifest, which Docker does not tell. The platform's manifest is what Docker pulls,
// so that every Docker takes the same one. It is kept under a name of the engine's own: an image without a name is what
// `docker image prune` removes.
func (e *Engine) Pull(ctx context.Context, req engine.PullRequest) (engine.Image, error) {
	ctx, cancel := e.bound(ctx)
	defer cancel()
	img, err := e.pull(ctx, req)
	var refused *transport.Error
	switch {
	case errors.As(err, &refused) && refused.StatusCode == http.StatusNotFound:
		return engine.Image{}, fmt.Errorf("%s: %w", req.Ref, engine.ErrImageNotFound)
	case err != nil:
		return engine.Image{}, fmt.Errorf("%w %s: %w", engine.ErrPull, req.Ref, plain(err))
	}
	return img, nil
}

func (e *Engine) pull(ctx context.Context, req engine.PullRequest) (engine.Image, error) {
	var options []name.Option
	if req.PlainHTTP {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(req.Ref, options...)
	if err != nil {
		return engine.Image{}, err
	}
	access := []remote.Option{remote.WithContext(ctx)}
	if req.Username != "" {
		access = append(access, remote.WithAuth(&authn.Basic{Username: req.Username, Password: req.Password}))
	}
	root, err := remote.Get(ref, access...)
	if err != nil {
		return engine.Image{}, err
	}
	want := e.platform()
	if req.Architecture != "" {
		want.Architecture = req.Architecture
	}
	img, err := platformImage(root, want)
	if err != nil {
		return engine.Image{}, err
	}
	manifest, err := img.Digest()
	if err != nil {
		return engine.Image{}, err
	}
	defer e.lock("image/" + req.Ref)()
	local, err := e.localImage(ctx, req.Ref)
	if errors.Is(err, errNotPulled) || err == nil && local.manifest != manifest.String() {
		if err = e.fetch(ctx, req, ref.Context().Digest(manifest.String()), img); err == nil {
			local, err = e.localImage(ctx, req.Ref)
		}
	}
	if err != nil {
		return engine.Image{}, err
	}
	return engine.Image{Ref: req.Ref, Digest: root.Digest.String(), Manifest: manifest.String(), Architecture: local.platform().Architecture}, nil
}

// platformImage is the image itself, or the one for a platform when it is an index. The error's words are the ones that
// Amazon ECS shows.
func platformImage(root *remote.Descriptor, want ocispec.Platform) (v1.Image, error) {
	if !root.MediaType.IsIndex() {
		return root.Image()
	}
	index, err := root.ImageIndex()
	if err != nil {
		return nil, err
	}
	list, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	for _, one := range list.Manifests { // attestations have the platform unknown/unknown
		if p := one.Platform; p != nil && one.MediaType.IsImage() && p.OS == want.OS && p.Architecture == want.Architecture {
			return index.Image(one.Digest)
		}
	}
	return nil, fmt.Errorf("image Manifest does not contain descriptor matching platform '%s/%s'", want.OS, want.Architecture)
}

// fetch brings an image into the Docker Engine, by having it pull, or by handing it over when it does not reach the
// registry as this process does.
func (e *Engine) fetch(ctx context.Context, req engine.PullRequest, exact name.Digest, img v1.Image) error {
	kept := e.place.imageName(req.Ref)
	if e.apart {
		return e.load(ctx, kept, exact, img)
	}
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	options := client.ImagePullOptions{Platforms: []ocispec.Platform{{OS: "linux", Architecture: config.Architecture}}}
	if req.Username != "" {
		if options.RegistryAuth, err = authconfig.Encode(registry.AuthConfig{Username: req.Username, Password: req.Password}); err != nil {
			return err
		}
	}
	pulling, err := e.api.ImagePull(ctx, exact.String(), options)
	if err != nil {
		return err
	}
	if err := errors.Join(pulling.Wait(ctx), pulling.Close()); err != nil {
		return err
	}
	_, err = e.api.ImageTag(ctx, client.ImageTagOptions{Source: exact.String(), Target: kept})
	return err
}

// load reads an image and hands it to the Docker Engine. Its name tells the manifest, which Docker then does not know.
func (e *Engine) load(ctx context.Context, kept string, exact name.Digest, img v1.Image) error {
	tag, err := name.NewTag(kept)
	if err != nil {
		return err
	}
	known, err := name.NewTag(e.loadedName(exact.DigestStr()))
	if err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(tarball.MultiWrite(map[name.Tag]v1.Image{tag: img, known: img}, w)) }()
	loading, err := e.api.ImageLoad(ctx, r)
	if err != nil {
		return errors.Join(err, r.Close())
	}
	_, err = io.Copy(io.Discard, loading) // it is loaded when the answer ends
	return errors.Join(err, loading.Close(), r.Close())
}

// loadedName is the name of an image that was handed over: that of its manifest.
func (e *Engine) loadedName(digest string) string {
	return e.place.imageRepository() + ":" + strings.ReplaceAll(digest, ":", "-")
}
