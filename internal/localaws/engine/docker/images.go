package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// keptImages is how many images that no container uses are kept for a rollback. The registry has the others.
const keptImages = 20

// errNotPulled says that Docker does not have an image.
var errNotPulled = errors.New("the image was not pulled")

// localImage is an image that Docker has.
type localImage struct {
	id       string
	manifest string // digest
	variant  ocispec.Platform
	// What it runs, unless a container definition says otherwise.
	entrypoint, command []string
}

func (l localImage) platform() ocispec.Platform { return l.variant }

// localImage finds an image that Pull made available. errNotPulled.
func (e *Engine) localImage(ctx context.Context, ref string) (localImage, error) {
	out, err := e.api.ImageInspect(ctx, e.place.imageName(ref))
	there, err := found(err)
	if err != nil {
		return localImage{}, err
	}
	if !there {
		return localImage{}, fmt.Errorf("%w: %s", errNotPulled, ref)
	}
	l := localImage{id: out.ID, variant: ocispec.Platform{OS: out.Os, Architecture: out.Architecture, Variant: out.Variant}}
	if out.Config != nil {
		l.entrypoint, l.command = out.Config.Entrypoint, out.Config.Cmd
	}
	for _, known := range slices.Concat(out.RepoDigests, out.RepoTags) {
		if _, digest, ok := strings.Cut(known, "@"); ok {
			l.manifest = digest
		}
		if digest, ok := strings.CutPrefix(known, e.place.imageRepository()+":sha256-"); ok {
			l.manifest = "sha256:" + digest
		}
	}
	return l, nil
}

// images are those that were pulled for this engine, the newest first.
func images(ctx context.Context, api *client.Client, p place) ([]image.Summary, error) {
	out, err := api.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("reference", p.imageRepository()+":*")})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	slices.SortFunc(out.Items, func(a, b image.Summary) int { return cmp.Compare(b.Created, a.Created) })
	return out.Items, nil
}

// removeImage removes the names by which an engine knows an image, and with the last name the image. Names that others
// gave it stay, and so does an image that a container uses.
func removeImage(ctx context.Context, api *client.Client, p place, img image.Summary) error {
	out, err := api.ImageInspect(ctx, img.ID) // the list has only the names that were asked for
	if there, err := found(err); err != nil || !there {
		return err
	}
	for _, ref := range slices.Concat(out.RepoDigests, out.RepoTags) {
		pulled := strings.HasPrefix(ref, "127.0.0.1:") && strings.Contains(ref, "@")
		if !pulled && !strings.HasPrefix(ref, p.imageRepository()+":") {
			continue // somebody else's
		}
		_, err := api.ImageRemove(ctx, ref, client.ImageRemoveOptions{PruneChildren: true})
		if err != nil && !errdefs.IsNotFound(err) && !errdefs.IsConflict(err) {
			return fmt.Errorf("remove image %s: %w", ref, err)
		}
	}
	return nil
}
