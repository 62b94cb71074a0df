package build

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/containerd/platforms"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// packedImage is an image of a Docker Engine as a registry takes it: the engine's own configuration, whose digest is the
// image's ID there, and its layers, compressed.
type packedImage struct {
	id       release.Digest // of the configuration
	digest   release.Digest // of the manifest
	config   []byte
	manifest []byte
	layers   []packedLayer // in their order
}

// packedLayer is one layer, compressed.
type packedLayer struct {
	diff       digest.Digest // of its archive
	descriptor ocispec.Descriptor
	blob       *spool // nil: it has to be read from the engine when a registry lacks it
}

// newPackedImage puts the layers, found by the digests of their archives, into the order of the configuration.
func newPackedImage(config []byte, layers map[digest.Digest]packedLayer) (*packedImage, error) {
	var image ocispec.Image
	if err := json.Unmarshal(config, &image); err != nil {
		return nil, fmt.Errorf("the image's configuration: %w", err)
	}
	p := &packedImage{id: digestOf(config), config: config}
	manifest := ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest,
		Config: ocispec.Descriptor{MediaType: ocispec.MediaTypeImageConfig, Digest: digest.Digest(p.id), Size: int64(len(config))},
	}
	for _, diff := range image.RootFS.DiffIDs {
		layer, ok := layers[diff]
		if !ok {
			return nil, fmt.Errorf("the engine did not give the layer %s of %s", diff, p.id)
		}
		p.layers = append(p.layers, layer)
		manifest.Layers = append(manifest.Layers, layer.descriptor)
	}
	var err error
	if p.manifest, err = json.MarshalIndent(manifest, "", "  "); err != nil { // as BuildKit writes it
		return nil, err
	}
	p.digest = digestOf(p.manifest)
	return p, nil
}

func digestOf(raw []byte) release.Digest { return release.Digest(digest.FromBytes(raw)) }

// image is what the image is, for the release.
func (p *packedImage) image(repository string) release.Image {
	image := release.Image{Repository: repository, Digest: p.digest}
	var config ocispec.Image
	if json.Unmarshal(p.config, &config) == nil { // it was read before
		image.Labels = config.Config.Labels
		image.Platforms = []string{platforms.Format(platforms.Normalize(config.Platform))}
	}
	for _, layer := range p.layers {
		image.SizeBytes += layer.descriptor.Size
	}
	return image
}

// packLayer compresses an archive into a file without a name, which is gone when it is closed or the process ends.
func packLayer(archive io.Reader, compression string) (packedLayer, error) {
	blob, err := newSpool()
	if err != nil {
		return packedLayer{}, err
	}
	layer, err := compress(archive, blob, compression)
	if err != nil {
		blob.close()
		return packedLayer{}, err
	}
	layer.blob = blob
	return layer, nil
}

// compress writes what the archive compresses to, which is the same each time, and says what it was and is. It is the
// compressor of the standard library because BuildKit uses it, too: the same archive then has the same digest.
func compress(archive io.Reader, into io.Writer, compression string) (packedLayer, error) {
	whole, packed := sha256.New(), sha256.New()
	size := &counter{}
	var compressor io.WriteCloser
	var mediaType string
	switch compression {
	case release.CompressionGzip:
		compressor, mediaType = gzip.NewWriter(io.MultiWriter(into, packed, size)), ocispec.MediaTypeImageLayerGzip
	case release.CompressionZstd:
		var err error
		// One goroutine: with more, the result could depend on how many processors there are.
		if compressor, err = zstd.NewWriter(io.MultiWriter(into, packed, size), zstd.WithEncoderConcurrency(1)); err != nil {
			return packedLayer{}, err
		}
		mediaType = ocispec.MediaTypeImageLayerZstd
	default:
		return packedLayer{}, fmt.Errorf("unknown compression %q: it is %s or %s", compression, release.CompressionGzip, release.CompressionZstd)
	}
	if _, err := io.Copy(io.MultiWriter(compressor, whole), archive); err != nil {
		return packedLayer{}, fmt.Errorf("compress a layer: %w", err)
	}
	if err := compressor.Close(); err != nil {
		return packedLayer{}, fmt.Errorf("compress a layer: %w", err)
	}
	return packedLayer{
		diff:       sum(whole.Sum(nil)),
		descriptor: ocispec.Descriptor{MediaType: mediaType, Digest: sum(packed.Sum(nil)), Size: size.n},
	}, nil
}

func sum(hash []byte) digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, hex.EncodeToString(hash))
}

type counter struct{ n int64 }

// Write implements io.Writer.
func (c *counter) Write(p []byte) (int, error) {
	c.n += int64(len(p))
	return len(p), nil
}

// spool is a temporary file that has no name where the system can do that, so that no crash leaves it behind.
type spool struct {
	file *os.File
	name string // empty: it has none any more
	size int64
}

func newSpool() (*spool, error) {
	file, err := os.CreateTemp("", "medusa-deploy-layer-")
	if err != nil {
		return nil, fmt.Errorf("keep a compressed layer: %w\n  TMPDIR needs room for what is pushed", err)
	}
	s := &spool{file: file, name: file.Name()}
	if os.Remove(s.name) == nil { // Windows removes no open file: then close does
		s.name = ""
	}
	return s, nil
}

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	s.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("keep a compressed layer: %w\n  TMPDIR needs room for what is pushed", err)
	}
	return n, nil
}

// reader reads it from the start; several may read at once.
func (s *spool) reader() io.Reader { return io.NewSectionReader(s.file, 0, s.size) }

func (s *spool) close() {
	_ = s.file.Close()
	if s.name != "" {
		_ = os.Remove(s.name) // what is left is in the system's own directory for such files
	}
}
