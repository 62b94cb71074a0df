package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// pushJobs is how many layers are on their way to the registry at once.
const pushJobs = 6

// send pushes a packed image by its digest: only layers that the registry lacks, several at once.
func (b *Buildx) send(ctx context.Context, kit *BuildKit, p *packedImage, repository string, auth release.Credentials, emit release.Emit) error {
	var options []name.Option
	if kit.plainHTTP(repository) {
		options = append(options, name.Insecure)
	}
	to, err := name.NewRepository(repository, options...)
	if err != nil {
		return fmt.Errorf("push to %s: %w", repository, err)
	}
	with := []remote.Option{
		remote.WithContext(ctx), remote.WithJobs(pushJobs),
		remote.WithAuth(&authn.Basic{Username: auth.Username, Password: auth.Password}),
	}
	explain := func(err error) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return explainPush(to.RegistryStr(), repository, auth, err)
	}
	if _, err := remote.Head(to.Digest(string(p.digest)), with...); err == nil {
		return nil // a registry takes a manifest only when it has all that is in it
	}
	lacking, err := p.lacking(to, with)
	if err != nil {
		return explain(err)
	}
	if len(lacking) > 0 {
		if err := b.fetch(ctx, p, lacking); err != nil {
			return err
		}
	}
	image, err := partial.CompressedToImage(&pushedImage{packed: p, emit: serial(emit)})
	if err != nil {
		return err
	}
	if err := remote.Write(to.Digest(string(p.digest)), image, with...); err != nil {
		return explain(err)
	}
	return nil
}

// lacking are the layers that neither the registry has nor this process.
func (p *packedImage) lacking(from name.Repository, with []remote.Option) (map[digest.Digest]bool, error) {
	var mu sync.Mutex
	found := map[digest.Digest]bool{}
	var all errgroup.Group
	all.SetLimit(pushJobs)
	for _, layer := range p.layers {
		if layer.blob != nil {
			continue
		}
		all.Go(func() error {
			there, err := remote.Layer(from.Digest(string(layer.descriptor.Digest)), with...)
			if err != nil {
				return err
			}
			has, err := partial.Exists(there)
			if err != nil {
				return err
			}
			if !has {
				mu.Lock()
				defer mu.Unlock()
				found[layer.diff] = true
			}
			return nil
		})
	}
	return found, all.Wait()
}

// fetch reads layers of a remembered image from the engine.
func (b *Buildx) fetch(ctx context.Context, p *packedImage, lacking map[digest.Digest]bool) error {
	known := map[digest.Digest]packedLayer{}
	for _, layer := range p.layers {
		if !lacking[layer.diff] {
			known[layer.diff] = layer
		}
	}
	again, err := b.pack(ctx, p.id, p.compression(), known)
	if err != nil {
		return err
	}
	if again.digest != p.digest {
		return fmt.Errorf("the image %s is packed to %s and no longer to %s: this program compresses in another way than the version that built it; build again", p.id, again.digest, p.digest)
	}
	p.layers = again.layers
	return nil
}

func (p *packedImage) compression() string {
	for _, layer := range p.layers {
		if layer.descriptor.MediaType == ocispec.MediaTypeImageLayerZstd {
			return release.CompressionZstd
		}
	}
	return release.CompressionGzip
}

// pushedImage is a packed image for go-containerregistry.
type pushedImage struct {
	packed *packedImage
	emit   release.Emit
}

// RawConfigFile implements partial.CompressedImageCore.
func (i *pushedImage) RawConfigFile() ([]byte, error) { return bytes.Clone(i.packed.config), nil }

// RawManifest implements partial.CompressedImageCore.
func (i *pushedImage) RawManifest() ([]byte, error) { return bytes.Clone(i.packed.manifest), nil }

// MediaType implements partial.CompressedImageCore.
func (i *pushedImage) MediaType() (types.MediaType, error) { return types.OCIManifestSchema1, nil }

// LayerByDigest implements partial.CompressedImageCore.
func (i *pushedImage) LayerByDigest(hash v1.Hash) (partial.CompressedLayer, error) {
	for _, layer := range i.packed.layers {
		if string(layer.descriptor.Digest) == hash.String() {
			return &pushedLayer{packedLayer: layer, emit: i.emit}, nil
		}
	}
	return nil, fmt.Errorf("%s is no layer of %s", hash, i.packed.digest)
}

// pushedLayer is a layer for go-containerregistry, which reads it only when the registry lacks it.
type pushedLayer struct {
	packedLayer
	emit release.Emit
}

// Digest implements partial.CompressedLayer.
func (l *pushedLayer) Digest() (v1.Hash, error) { return v1.NewHash(string(l.descriptor.Digest)) }

// Size implements partial.CompressedLayer.
func (l *pushedLayer) Size() (int64, error) { return l.descriptor.Size, nil }

// MediaType implements partial.CompressedLayer.
func (l *pushedLayer) MediaType() (types.MediaType, error) {
	return types.MediaType(l.descriptor.MediaType), nil
}

// Compressed implements partial.CompressedLayer.
func (l *pushedLayer) Compressed() (io.ReadCloser, error) {
	if l.blob == nil {
		return nil, fmt.Errorf("the registry had the layer %s a moment ago and lacks it now: push again", l.descriptor.Digest)
	}
	return io.NopCloser(&watched{Reader: l.blob.reader(), layer: l}), nil
}

// reportEvery is how many bytes of a layer are sent between two reports.
const reportEvery = 1 << 20

// watched reports how much of a layer was read to be sent.
type watched struct {
	io.Reader
	layer          *pushedLayer
	sent, reported int64
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.sent += int64(n)
	done := w.sent == w.layer.descriptor.Size
	if n > 0 && (done || w.sent-w.reported >= reportEvery) {
		w.reported = w.sent
		id := string(w.layer.descriptor.Digest)
		w.layer.emit(release.Transfer{ID: id, Name: "pushing layer " + strings.TrimPrefix(id, "sha256:")[:12], Current: w.sent, Total: w.layer.descriptor.Size, Done: done})
	}
	return n, err
}

// serial lets one event through at a time.
func serial(emit release.Emit) release.Emit {
	var mu sync.Mutex
	return func(e release.Event) {
		mu.Lock()
		defer mu.Unlock()
		emit(e)
	}
}
