package sbom

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Layer is one layer of an image, compressed with gzip or zstd or not at all.
type Layer struct{ Digest string }

// Open starts to read a layer.
type Open func(ctx context.Context, l Layer) (io.ReadCloser, error)

// How a layer says that something of a lower layer is gone.
// https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
const (
	whiteoutPrefix = ".wh."
	whiteoutOpaque = ".wh..wh..opq"
)

// scanned is what one layer holds.
type scanned struct {
	files    map[string]bool    // everything that is no directory
	dirs     map[string]bool    //
	removed  map[string]bool    // whiteouts: this and all below it is gone from lower layers
	opaque   map[string]bool    // directories of which nothing is left from lower layers
	findings map[string]finding // by path
	read     map[string]bool    // paths that were looked into
}

func newScanned() *scanned {
	return &scanned{
		files: map[string]bool{}, dirs: map[string]bool{}, removed: map[string]bool{}, opaque: map[string]bool{},
		findings: map[string]finding{}, read: map[string]bool{},
	}
}

// finding is what a file says of what is installed.
type finding struct {
	distro   Distro
	packages []Package
	unread   string // a package database that is there and is not read
}

// scan reads one layer.
func scan(ctx context.Context, l Layer, open Open) (*scanned, error) {
	s := newScanned()
	links := map[string][]string{} // what is linked to → the paths that matter to us
	if err := walk(ctx, l, open, func(h *tar.Header, content io.Reader) error { return s.entry(h, content, links) }); err != nil {
		return nil, err
	}
	for target := range links {
		if s.read[target] {
			s.link(links[target], s.findings[target])
			delete(links, target)
		}
	}
	if len(links) == 0 {
		return s, nil
	}
	// Some files lie in the layer under a name that says nothing, and are linked to where they matter: as pnpm does.
	return s, walk(ctx, l, open, func(h *tar.Header, content io.Reader) error {
		names := links[clean(h.Name)]
		if len(names) == 0 || h.Typeflag != tar.TypeReg {
			return nil
		}
		found, err := readerOf(names[0], h)(names[0], content)
		if err == nil {
			s.link(names, found)
		}
		return err
	})
}

func (s *scanned) link(names []string, f finding) {
	for _, name := range names {
		s.keep(name, f)
	}
}

// keep notes what a file says, if it says anything.
func (s *scanned) keep(name string, f finding) {
	if len(f.packages) > 0 || f.unread != "" || f.distro != (Distro{}) {
		s.findings[name] = f
	}
}

// entry notes one entry of the layer, and reads it when it says what is installed.
func (s *scanned) entry(h *tar.Header, content io.Reader, links map[string][]string) error {
	name := clean(h.Name)
	dir, base := path.Split(name)
	switch {
	case base == whiteoutOpaque:
		s.opaque[strings.TrimSuffix(dir, "/")] = true
		return nil
	case strings.HasPrefix(base, whiteoutPrefix):
		s.removed[dir+strings.TrimPrefix(base, whiteoutPrefix)] = true
		return nil
	case h.Typeflag == tar.TypeDir:
		s.dirs[name] = true
		return nil
	}
	s.files[name] = true
	read := readerOf(name, h)
	switch {
	case read == nil:
		return nil
	case h.Typeflag == tar.TypeLink:
		target := clean(h.Linkname)
		links[target] = append(links[target], name)
		return nil
	case h.Typeflag != tar.TypeReg:
		return nil
	}
	found, err := read(name, content)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	s.read[name] = true
	s.keep(name, found)
	return nil
}

// clean is a path in a layer without anything before its first name.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// walk calls visit for every entry of a layer.
func walk(ctx context.Context, l Layer, open Open, visit func(*tar.Header, io.Reader) error) error {
	blob, err := open(ctx, l)
	if err != nil {
		return err
	}
	defer blob.Close()
	plain, done, err := decompress(blob)
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", l.Digest, err)
	}
	defer done()
	for entries := tar.NewReader(plain); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("unpack layer %s: %w", l.Digest, err)
		}
		if err := visit(h, entries); err != nil {
			return err
		}
	}
	// To the very end: only then is it known that the blob is what its digest says.
	if _, err := io.Copy(io.Discard, plain); err != nil {
		return fmt.Errorf("unpack layer %s: %w", l.Digest, err)
	}
	_, err = io.Copy(io.Discard, blob)
	return err
}

// decompress goes by how the content begins: what a manifest calls a layer is at times wrong.
func decompress(r io.Reader) (plain io.Reader, done func(), err error) {
	buffered := bufio.NewReaderSize(r, 64<<10)
	start, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, err
	}
	switch {
	case bytes.HasPrefix(start, []byte{0x1f, 0x8b}):
		unzip, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, nil, err
		}
		return unzip, func() { _ = unzip.Close() }, nil // it has nothing to write
	case bytes.HasPrefix(start, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		unzip, err := zstd.NewReader(buffered)
		if err != nil {
			return nil, nil, err
		}
		return unzip, unzip.Close, nil
	}
	return buffered, func() {}, nil
}
