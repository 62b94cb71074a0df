package build

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/containerd/containerd/v2/core/content/proxy"
	"github.com/containerd/errdefs"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/client"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// What was built is in the builder's store, with its manifest. To have the builder push it takes solving the build once
// more, which costs it a moment for each layer, whatever the registry has already. So this program asks the registry what
// it lacks and carries that over itself, unless the bytes would cross a network twice: then the builder sends them.

const (
	// headJobs is how many questions are put to a registry at once.
	headJobs = 16
	// carryFar is how many bytes are carried from a builder that may be on another machine: less than another solve costs.
	carryFar = 1 << 20
	// carryBeside is the same for a builder of docker buildx on this machine: its bytes go through pipes of the Docker client.
	carryBeside = 16 << 20
	// manifestMax bounds what is taken for a manifest. Registries take 4 MiB.
	manifestMax = 8 << 20
)

// carried is an image by its parts in the builder's store.
type carried struct {
	manifests [][]byte             // the images of an index, and last what the digest names
	blobs     []ocispec.Descriptor // configurations and layers, each once
}

// carry pushes what was built by its digest, without the builder's exporter; false: the builder has to push it.
func (b *BuildKit) carry(ctx context.Context, c *client.Client, s *solving, want release.Digest) (bool, error) {
	if len(s.options.CacheExports) > 0 {
		return false, nil // only a solve writes the cache
	}
	from := blobs{store: proxy.NewContentStore(c.ContentClient()), dir: b.config.Blobs}
	image, err := from.image(ctx, digest.Digest(want))
	if err != nil {
		if errdefs.IsNotFound(err) {
			err = nil // the builder makes it again
		}
		return false, err
	}
	to, closeIdle, err := b.uploader(ctx, s.req.Repository, s.auth)
	if err != nil {
		return false, b.explainCarry(ctx, s, err)
	}
	defer closeIdle()
	done, err := b.carryTo(ctx, to, from, image, s, want)
	if errdefs.IsNotFound(err) { // the builder has forgotten a layer meanwhile
		return false, nil
	}
	return done, b.explainCarry(ctx, s, err)
}

func (b *BuildKit) explainCarry(ctx context.Context, s *solving, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	host, _, _ := strings.Cut(s.req.Repository, "/")
	return explainPush(host, s.req.Repository, s.auth, err)
}

func (b *BuildKit) carryTo(ctx context.Context, to *uploader, from blobs, image *carried, s *solving, want release.Digest) (bool, error) {
	if there, err := to.has(ctx, "manifests", digest.Digest(want)); err != nil || there {
		return there, err // a registry takes a manifest only when it has all that is in it
	}
	lacking, err := to.lacking(ctx, image.blobs)
	if err != nil {
		return false, err
	}
	var size int64
	for _, blob := range lacking {
		size += blob.Size
	}
	if size > b.carriable() {
		return false, nil
	}
	mounts, complete, err := from.sources(ctx, lacking, to.to.RegistryStr(), to.to.RepositoryStr())
	if err != nil || !complete {
		return false, err
	}
	moved := &haul{emit: s.progress.emit, total: size}
	var failed atomic.Bool // then nothing is begun any more; what is on its way arrives, so that it is not sent again
	var all errgroup.Group
	all.SetLimit(pushJobs)
	for _, blob := range lacking {
		all.Go(func() error {
			if failed.Load() {
				return nil
			}
			err := to.send(ctx, blob, mounts[blob.Digest], func(offset int64) (io.ReadCloser, error) {
				body, err := from.open(ctx, blob, offset)
				if err != nil {
					return nil, err
				}
				moved.moved(offset) // before
				return &hauled{ReadCloser: body, haul: moved}, nil
			})
			if err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	if err := all.Wait(); err != nil {
		return false, err
	}
	return true, to.put(ctx, image.manifests)
}

// carriable is how many bytes this program carries at most. All, where they come through a socket of this machine.
func (b *BuildKit) carriable() int64 {
	switch {
	case b.door == nil && strings.HasPrefix(b.config.Address, "unix://"):
		return math.MaxInt64
	case b.door != nil && onThisMachine(b.door.workers):
		return carryBeside
	}
	return carryFar
}

// image reads the manifests of an image, and lists what they are made of.
func (b blobs) image(ctx context.Context, top digest.Digest) (*carried, error) {
	image := &carried{}
	seen := map[digest.Digest]bool{}
	return image, b.add(ctx, image, seen, top)
}

func (b blobs) add(ctx context.Context, image *carried, seen map[digest.Digest]bool, of digest.Digest) error {
	raw, err := reader{store: b.store}.read(ctx, of)
	if err != nil {
		return err
	}
	if len(raw) > manifestMax || digest.FromBytes(raw) != of {
		return fmt.Errorf("what the builder has as the manifest %s is another thing: build again", of)
	}
	var m struct {
		Config    *ocispec.Descriptor  `json:"config"`
		Layers    []ocispec.Descriptor `json:"layers"`
		Manifests []ocispec.Descriptor `json:"manifests"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return fmt.Errorf("read the manifest %s: %w", of, err)
	}
	for _, child := range m.Manifests {
		if err := b.add(ctx, image, seen, child.Digest); err != nil {
			return err
		}
	}
	if m.Config != nil {
		m.Layers = append(m.Layers, *m.Config)
	}
	for _, blob := range m.Layers {
		if !seen[blob.Digest] {
			seen[blob.Digest] = true
			image.blobs = append(image.blobs, blob)
		}
	}
	image.manifests = append(image.manifests, raw)
	return nil
}

// sources finds for each blob another repository of the registry that has it, where the builder knows of one. complete is
// false when the builder itself lacks one.
func (b blobs) sources(ctx context.Context, of []ocispec.Descriptor, host, but string) (from map[digest.Digest]string, complete bool, err error) {
	from = map[digest.Digest]string{}
	for _, blob := range of {
		info, err := b.find(ctx, blob.Digest)
		if err != nil || info == nil {
			return nil, false, err
		}
		for _, other := range repositories(info, host) {
			if other != but {
				from[blob.Digest] = other
			}
		}
	}
	return from, true, nil
}

// lacking are those blobs that the repository does not have.
func (u *uploader) lacking(ctx context.Context, all []ocispec.Descriptor) ([]ocispec.Descriptor, error) {
	there := make([]bool, len(all))
	jobs, ctx := errgroup.WithContext(ctx)
	jobs.SetLimit(headJobs)
	for i, blob := range all {
		jobs.Go(func() (err error) {
			there[i], err = u.has(ctx, "blobs", blob.Digest)
			return err
		})
	}
	if err := jobs.Wait(); err != nil {
		return nil, err
	}
	var lacking []ocispec.Descriptor
	for i, blob := range all {
		if !there[i] {
			lacking = append(lacking, blob)
		}
	}
	return lacking, nil
}

// put stores manifests under their digests, in their order.
func (u *uploader) put(ctx context.Context, manifests [][]byte) error {
	for _, raw := range manifests {
		m := manifest{Raw: raw}
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		err := remote.Put(u.to.Digest(digest.FromBytes(raw).String()), m, remote.WithContext(ctx), remote.WithTransport(u.client.Transport))
		if err != nil {
			return err
		}
	}
	return nil
}

// haul tells how much of an image is on its way: one transfer, however many layers there are.
type haul struct {
	emit release.Emit

	mu                    sync.Mutex
	total, sent, reported int64
}

const haulID = "pushing layers"

func (h *haul) moved(n int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent += n
	done := h.sent >= h.total
	if done || h.sent-h.reported >= reportEvery {
		h.reported = h.sent
		h.emit(release.Transfer{ID: haulID, Name: haulID, Current: h.sent, Total: h.total, Done: done})
	}
}

// hauled is a blob on its way.
type hauled struct {
	io.ReadCloser
	haul *haul
}

// Read implements io.Reader.
func (h *hauled) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	h.haul.moved(int64(n))
	return n, err
}
