package sbom

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// file is one entry of a layer under test. A path that ends with / is a directory, a link leads to what follows "->".
type file struct {
	path    string
	content string
	mode    int64
}

// pack makes a layer.
func pack(t testing.TB, files ...file) []byte {
	t.Helper()
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	for _, f := range files {
		h := &tar.Header{Name: f.path, Typeflag: tar.TypeReg, Mode: f.mode, Size: int64(len(f.content))}
		if h.Mode == 0 {
			h.Mode = 0o644
		}
		if name, target, ok := strings.Cut(f.path, "=>"); ok {
			h.Name, h.Linkname, h.Typeflag, h.Size = name, target, tar.TypeLink, 0
		} else if name, target, ok := strings.Cut(f.path, "->"); ok {
			h.Name, h.Linkname, h.Typeflag, h.Size = name, target, tar.TypeSymlink, 0
		} else if strings.HasSuffix(f.path, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := io.WriteString(w, f.content); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return raw.Bytes()
}

func gzipped(t testing.TB, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zstandard(t testing.TB, raw []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(raw, nil)
}

// take makes an inventory of layers in memory, from the lowest up.
func take(t testing.TB, contents ...[]byte) Inventory {
	t.Helper()
	inventory, err := Take(t.Context(), numbered(len(contents)), from(contents))
	if err != nil {
		t.Fatal(err)
	}
	return inventory
}

func numbered(n int) []Layer {
	layers := make([]Layer, n)
	for i := range layers {
		layers[i] = Layer{Digest: fmt.Sprint(i)}
	}
	return layers
}

// from opens layers in memory, named by their number.
func from(contents [][]byte) Open {
	return func(_ context.Context, l Layer) (io.ReadCloser, error) {
		var n int
		if _, err := fmt.Sscan(l.Digest, &n); err != nil {
			return nil, err
		}
		return io.NopCloser(bytes.NewReader(contents[n])), nil
	}
}

// names are what an inventory lists: NAME@VERSION.
func names(i Inventory) []string {
	all := []string{}
	for _, p := range i.Packages {
		all = append(all, p.Name+"@"+p.Version)
	}
	return all
}
