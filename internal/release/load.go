package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Loader is a Builder that can leave an image in the local engine.
type Loader interface {
	// Load leaves what Build built (same req) in the local engine under names (REPOSITORY:TAG), and makes sure that it is
	// there: the engine itself says so. It fails when what is there is not want, the manifest digest that Build gave.
	Load(ctx context.Context, req BuildRequest, want Digest, names []string, emit Emit) (LoadedImage, error)
}

// LoadedImage is an image that the local engine has.
type LoadedImage struct {
	Engine string   `json:"engine"` // which engine, for people: "Docker Engine 28.2.2", "the builder's own store"
	Names  []string `json:"names"`  // as the engine knows it
	// ID is the engine's image ID: of the configuration, or of the manifest where containerd stores images.
	ID Digest `json:"id"`
	// Platform is which one of several was loaded, because the engine takes no more; empty: all.
	Platform string `json:"platform,omitempty"`
}

// Destinations are where a built image goes; none: it stays with the builder.
type Destinations struct {
	Load bool // into the local engine
	Push bool // to the registry
}

// loadedNames are what a loaded image is called: the name under which it would be pushed, and, for whoever types it, the
// repository's own with the release tag.
func loadedNames(req ShipRequest, build BuildRequest, built Digest) []string {
	return []string{build.Repository + ":" + ImageTag(req.Commit, built), req.Target.Repository + ":" + req.Target.Tag}
}

// load leaves a built image in the local engine.
func (r *run) load(ctx context.Context, req ShipRequest, build BuildRequest, built Image) error {
	names := loadedNames(req, build, built.Digest)
	byHand := []string{strings.Replace(buildByHand(build, req.Commit)[0], "docker buildx build ", "docker buildx build --load --tag "+names[1]+" ", 1)}
	return r.phase(ctx, PhaseLoad, "the local engine, as "+strings.Join(names, " and "), byHand, func(ctx context.Context) (string, bool, error) {
		loader, ok := r.Builder.(Loader)
		if !ok {
			return "", false, asFailure(ctx, errors.New(r.Builder.Name()+" cannot load images"), OutcomeFailed, ExitBuild)
		}
		image, err := loader.Load(ctx, build, built.Digest, names, r.Emit)
		if err != nil {
			return "", false, asFailure(ctx, err, OutcomeFailed, ExitBuild)
		}
		r.result.Loaded = &image
		return fmt.Sprintf("%s has %s (image %s)", image.Engine, strings.Join(image.Names, " and "), image.ID.Short()), false, nil
	})
}
