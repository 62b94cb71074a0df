package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// image is what is measured of an image.
type image struct {
	layers []layer
}

// layer is a layer of an image, by its digest.
type layer struct {
	Digest string `json:"digest"`
	Size   int64  `json:"size"` // compressed: what is stored, pushed and pulled
	plain  int64  // unpacked
}

// compressed and unpacked are the sizes of all layers, in bytes.
func (i image) compressed() (sum int64) {
	for _, l := range i.layers {
		sum += l.Size
	}
	return sum
}

func (i image) unpacked() (sum int64) {
	for _, l := range i.layers {
		sum += l.plain
	}
	return sum
}

// beyond is how much of the image another one does not have, in compressed bytes: what a push moves.
func (i image) beyond(other image) (sum int64) {
	for _, l := range i.layers {
		if !slices.ContainsFunc(other.layers, func(o layer) bool { return o.Digest == l.Digest }) {
			sum += l.Size
		}
	}
	return sum
}

// readImage reads an OCI archive with one image of one platform.
func readImage(file string) (image, error) {
	var index struct{ Manifests []layer }
	if err := readJSON(file, "index.json", &index); err != nil {
		return image{}, err
	}
	if len(index.Manifests) != 1 {
		return image{}, fmt.Errorf("%s has %d images, expected one", file, len(index.Manifests))
	}
	var manifest struct{ Layers []layer }
	if err := readJSON(file, blob(index.Manifests[0].Digest), &manifest); err != nil {
		return image{}, err
	}
	i := image{layers: manifest.Layers}
	for n := range i.layers {
		err := readEntry(file, blob(i.layers[n].Digest), func(r io.Reader) (err error) {
			i.layers[n].plain, err = unpackedSize(r)
			return err
		})
		if err != nil {
			return image{}, err
		}
	}
	return i, nil
}

func blob(digest string) string {
	return path.Join("blobs", strings.ReplaceAll(digest, ":", "/"))
}

func unpackedSize(r io.Reader) (int64, error) {
	plain, err := gzip.NewReader(r)
	if err != nil {
		return 0, err
	}
	return io.Copy(io.Discard, plain)
}

func readJSON(file, entry string, into any) error {
	return readEntry(file, entry, func(r io.Reader) error { return json.NewDecoder(r).Decode(into) })
}

// readEntry reads one entry of a tar archive.
func readEntry(file, entry string, read func(io.Reader) error) error {
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	for archive := tar.NewReader(in); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s has no %s", file, entry)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if header.Name != entry {
			continue
		}
		if err := read(archive); err != nil {
			return fmt.Errorf("read %s of %s: %w", entry, file, err)
		}
		return nil
	}
}
