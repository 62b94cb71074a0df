package build

import (
	"context"
	"errors"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Loader is a builder that can leave an image in the local engine under its names.
type Loader interface {
	// Load leaves what Build built (same req) in the local engine under names (REPOSITORY:TAG), and makes sure that it is
	// there: the engine itself says so. It fails when what is there is not want, the manifest digest that Build gave.
	Load(ctx context.Context, req release.BuildRequest, want release.Digest, names []string, emit release.Emit) (LoadedImage, error)
}

// LoadedImage is an image that the local engine has.
type LoadedImage struct {
	Engine string         // which engine, for people: "Docker Engine 28.2.2", "the built-in engine"
	Names  []string       // as the engine knows it
	ID     release.Digest // the engine's image ID: of the configuration, or of the manifest where containerd stores images
}

// ErrNotLoaded says that the engine does not have an image that it was given.
var ErrNotLoaded = errors.New("the image is not in the local engine")

var _, _ Loader = (*BuildKit)(nil), (*Buildx)(nil)

// Load implements Loader.
func (b *BuildKit) Load(context.Context, release.BuildRequest, release.Digest, []string, release.Emit) (LoadedImage, error) {
	return LoadedImage{}, ErrNotLoaded
}

// Load implements Loader.
func (b *Buildx) Load(context.Context, release.BuildRequest, release.Digest, []string, release.Emit) (LoadedImage, error) {
	return LoadedImage{}, ErrNotLoaded
}
