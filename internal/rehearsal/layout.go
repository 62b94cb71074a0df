package rehearsal

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// WriteLayout writes an image with as many layers of size bytes each into a new OCI layout, and gives its manifest's
// digest. The content is random, the same for the same seed, and so cannot be compressed.
// https://github.com/opencontainers/image-spec/blob/main/image-layout.md
func WriteLayout(dir string, layers int, size int64, seed uint64) (v1.Hash, error) {
	l := layout{dir: dir}
	if err := os.MkdirAll(filepath.Join(dir, "blobs", "sha256"), 0o755); err != nil {
		return v1.Hash{}, fmt.Errorf("write a layout: %w", err)
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: types.OCIManifestSchema1}
	config := v1.ConfigFile{Architecture: "amd64", OS: "linux", RootFS: v1.RootFS{Type: "layers"}}
	for i := range layers {
		layer, diffID, err := l.layer(size, seed+uint64(i))
		if err != nil {
			return v1.Hash{}, fmt.Errorf("write a layout: %w", err)
		}
		manifest.Layers = append(manifest.Layers, layer)
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, diffID)
	}
	var err error
	if manifest.Config, err = l.json(config, types.OCIConfigJSON); err != nil {
		return v1.Hash{}, fmt.Errorf("write a layout: %w", err)
	}
	top, err := l.json(manifest, types.OCIManifestSchema1)
	if err != nil {
		return v1.Hash{}, fmt.Errorf("write a layout: %w", err)
	}
	return top.Digest, l.finish(top)
}

// layout is an OCI layout that is being written.
type layout struct{ dir string }

// finish writes the files that make a directory of blobs a layout.
func (l layout) finish(top v1.Descriptor) error {
	top.Annotations = map[string]string{"org.opencontainers.image.ref.name": "latest"}
	index, err := json.Marshal(v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{top}})
	if err != nil {
		return fmt.Errorf("write a layout: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(l.dir, "index.json"), index, 0o644),
		os.WriteFile(filepath.Join(l.dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644),
	)
}

func (l layout) json(value any, mediaType types.MediaType) (v1.Descriptor, error) {
	return l.blob(mediaType, func(out io.Writer) error { return json.NewEncoder(out).Encode(value) })
}

// layer writes a layer that is one file, and gives the digest of the tar in it as well.
func (l layout) layer(size int64, seed uint64) (d v1.Descriptor, diffID v1.Hash, err error) {
	d, err = l.blob(types.OCILayer, func(out io.Writer) error {
		packed, err := gzip.NewWriterLevel(out, gzip.NoCompression)
		if err != nil {
			return err
		}
		sum := sha256.New()
		archive := tar.NewWriter(io.MultiWriter(packed, sum))
		if err := archive.WriteHeader(&tar.Header{Name: fmt.Sprintf("file-%d", seed), Mode: 0o644, Size: size}); err != nil {
			return err
		}
		var key [32]byte
		binary.LittleEndian.PutUint64(key[:], seed)
		if _, err := io.CopyN(archive, rand.NewChaCha8(key), size); err != nil {
			return err
		}
		if err := errors.Join(archive.Close(), packed.Close()); err != nil {
			return err
		}
		diffID = hashOf(sum)
		return nil
	})
	return d, diffID, err
}

// blob writes what write gives under its digest.
func (l layout) blob(mediaType types.MediaType, write func(io.Writer) error) (v1.Descriptor, error) {
	f, err := os.CreateTemp(l.dir, "blob-*")
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer f.Close()
	sum := sha256.New()
	buffered := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	if err := errors.Join(write(buffered), buffered.Flush()); err != nil {
		return v1.Descriptor{}, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return v1.Descriptor{}, err
	}
	digest := hashOf(sum)
	return v1.Descriptor{MediaType: mediaType, Size: size, Digest: digest}, os.Rename(f.Name(), filepath.Join(l.dir, "blobs", "sha256", digest.Hex))
}

func hashOf(sum hash.Hash) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum.Sum(nil))}
}
