package build

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// pack reads an image from the engine and compresses its layers, except those that known has: it was remembered what
// they compress to.
func (b *Buildx) pack(ctx context.Context, id release.Digest, compression string, known map[digest.Digest]packedLayer) (*packedImage, error) {
	e, err := b.engineWith(ctx, id)
	if err != nil {
		return nil, err
	}
	defer e.close()
	about, err := e.image(ctx, string(id))
	if err != nil {
		return nil, err
	}
	archive, err := e.save(ctx, string(id))
	if err != nil {
		return nil, err
	}
	defer func() { _ = archive.Close() }()
	u := &unpacker{id: id, compression: compression, layers: map[digest.Digest]packedLayer{}}
	for _, diff := range about.RootFS.Layers {
		u.diffs = append(u.diffs, digest.Digest(diff))
		if layer, ok := known[digest.Digest(diff)]; ok {
			u.layers[digest.Digest(diff)] = layer
		}
	}
	if err := u.read(archive); err != nil {
		u.close()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, fmt.Errorf("read %s from the Docker Engine: %w", id, err)
	}
	return newPackedImage(u.config, u.layers)
}

// unpacker reads an archive as `docker save` writes it. Engines before 25 put layers into DIRECTORY/layer.tar, and one that
// occurs twice as a link; newer ones write an OCI layout, where a file's name is its digest.
type unpacker struct {
	id          release.Digest
	compression string
	diffs       []digest.Digest // of all layers

	config []byte
	layers map[digest.Digest]packedLayer
}

const configMax = 8 << 20 // bytes; a registry takes half of it

func (u *unpacker) read(archive io.Reader) error {
	for files := tar.NewReader(archive); ; {
		header, err := files.Next()
		switch {
		case errors.Is(err, io.EOF):
			if u.config == nil {
				return errors.New("its configuration is not in what the engine gave")
			}
			return nil
		case err != nil:
			return err
		case header.Typeflag != tar.TypeReg:
			continue
		}
		if err := u.file(header, files); err != nil {
			return err
		}
	}
}

func (u *unpacker) file(header *tar.Header, content io.Reader) error {
	name := path.Base(header.Name)
	named := digest.NewDigestFromEncoded(digest.SHA256, strings.TrimSuffix(name, ".json"))
	switch {
	case named == digest.Digest(u.id):
		return u.readConfig(content)
	case slices.Contains(u.diffs, named):
		return u.layer(named, content)
	case name == "layer.tar":
		return u.unnamed(content)
	}
	return nil
}

func (u *unpacker) readConfig(content io.Reader) error {
	raw, err := io.ReadAll(io.LimitReader(content, configMax))
	if err != nil {
		return err
	}
	if digestOf(raw) != u.id {
		return fmt.Errorf("its configuration is %s", digestOf(raw))
	}
	u.config = raw
	return nil
}

// layer packs a layer of a known digest, unless that has been done.
func (u *unpacker) layer(diff digest.Digest, content io.Reader) error {
	if _, done := u.layers[diff]; done {
		return nil
	}
	layer, err := packLayer(content, u.compression)
	if err != nil {
		return err
	}
	u.layers[layer.diff] = layer
	if layer.diff != diff {
		return fmt.Errorf("the layer %s is %s", diff, layer.diff)
	}
	return nil
}

// unnamed packs a layer whose digest has to be computed first: to compress one takes longer than to write it aside.
func (u *unpacker) unnamed(content io.Reader) error {
	aside, err := newSpool()
	if err != nil {
		return err
	}
	defer aside.close()
	whole := sha256.New()
	if _, err := io.Copy(io.MultiWriter(aside, whole), content); err != nil {
		return err
	}
	diff := sum(whole.Sum(nil))
	if !slices.Contains(u.diffs, diff) {
		return fmt.Errorf("%s is no layer of it", diff)
	}
	return u.layer(diff, aside.reader())
}

func (u *unpacker) close() {
	for _, layer := range u.layers {
		if layer.blob != nil {
			layer.blob.close()
		}
	}
}
