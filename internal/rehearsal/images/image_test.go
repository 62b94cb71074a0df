package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/nodebase"
)

// archive writes an OCI archive whose layers have these contents.
func archive(t *testing.T, layers ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	add := func(name string, content []byte) {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(content)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	var described []string
	for i, content := range layers {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		if _, err := z.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		add(fmt.Sprintf("blobs/sha256/%d%s", i, content[:1]), zipped.Bytes())
		described = append(described, fmt.Sprintf(`{"digest":"sha256:%d%s","size":%d}`, i, content[:1], zipped.Len()))
	}
	add("blobs/sha256/manifest", []byte(`{"layers":[`+strings.Join(described, ",")+`]}`))
	add("index.json", []byte(`{"manifests":[{"digest":"sha256:manifest"}]}`))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestReadImage(t *testing.T) {
	first, err := readImage(archive(t, "base", strings.Repeat("a", 5000)))
	if err != nil {
		t.Fatal(err)
	}
	if first.unpacked() != 5004 || first.compressed() >= 5004 || first.compressed() == 0 {
		t.Errorf("unpacked %d, compressed %d", first.unpacked(), first.compressed())
	}
	second, err := readImage(archive(t, "base", "changed"))
	if err != nil {
		t.Fatal(err)
	}
	if moved := second.beyond(first); moved != second.layers[1].Size {
		t.Errorf("a push of the second after the first moves %d bytes, want %d", moved, second.layers[1].Size)
	}
	if moved := first.beyond(first); moved != 0 {
		t.Errorf("a push of the same moves %d bytes", moved)
	}
	if _, err := readImage(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no archive: no error")
	}
}

func TestJudge(t *testing.T) {
	of := func(unpacked, compressed int64) image {
		return image{layers: []layer{{Size: compressed, plain: unpacked}}}
	}
	ours, theirs := result{way: way{name: "ours"}, image: of(10, 5), changedBytes: 1e6}, result{way: way{name: "theirs"}, image: of(20, 9)}
	if err := judge([]result{ours, theirs}); err != nil {
		t.Error(err)
	}
	theirs.image = of(20, 4)
	ours.changedBytes = 30e6
	err := judge([]result{ours, theirs})
	if err == nil || !strings.Contains(err.Error(), "ours is not smaller than theirs") || !strings.Contains(err.Error(), "moves 30 MB") {
		t.Errorf("a bigger image that moves its dependencies: %v", err)
	}
}

func TestWrite(t *testing.T) {
	var out strings.Builder
	r := result{way: way{name: "ours"}, image: image{layers: []layer{{Size: 5e6, plain: 12e6}}}, cold: 90 * time.Second, changedBytes: 2.5e6}
	write(&out, nodebase.Base{Bytes: 100e6}, []result{r})
	for _, want := range []string{"| image, unpacked ", "| 12 MB ", "| 5.0 MB ", "| 100 MB", "| 90.0 s", "| 2.5 MB"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "fresh machine") {
		t.Errorf("what was not measured is in\n%s", out.String())
	}
	r.again, r.againBytes = time.Minute, 1e6
	write(&out, nodebase.Base{}, []result{r})
	if !strings.Contains(out.String(), "that on a fresh machine") {
		t.Errorf("what was measured is not in\n%s", out.String())
	}
}
