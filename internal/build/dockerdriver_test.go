//go:build linux

package build_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func testLegacy(t *testing.T, d *dock) {
	req := d.page(t, "legacy")
	write(t, req.Dockerfile, "FROM scratch\nWORKDIR /srv\nCOPY program /program\nRUN [\"/program\", \"time\"]\nCOPY index.html ./\n")
	b := d.on(t, "")
	first, e := buildOn(t, b, req)
	contains(t, e.text(t), "keeps no manifests")
	d.pushOn(t, b, req, first, "one")
	digest, raw := d.registry.get(t, "legacy", "one")
	if digest != first.Digest {
		t.Errorf("the registry has %s, built was %s", digest, first.Digest)
	}
	var manifest struct{ Layers []struct{ Digest string } }
	if err := json.Unmarshal(raw, &manifest); err != nil || len(manifest.Layers) != 4 {
		t.Fatalf("%s: %v", raw, err)
	}
	if first.SizeBytes == 0 || !slices.Equal(first.Platforms, req.Platforms) || first.Labels[release.LabelRevision] != "abc" || first.Repository != req.Repository {
		t.Errorf("%+v", first)
	}
	uploads := d.registry.uploads()
	for name, memory := range map[string]string{"remembered": d.memory, "forgotten": t.TempDir(), "never remembered": ""} {
		again := open(t, build.BuildxConfig{PlainHTTP: d.config.PlainHTTP, CacheDir: memory})
		second, _ := buildOn(t, again, req)
		if second.Digest != first.Digest {
			t.Errorf("%s: %s, and before %s", name, second.Digest, first.Digest)
		}
		d.pushOn(t, again, req, second, "one")
	}
	if more := d.registry.uploads() - uploads; more != 3 { // the tag, each time
		t.Errorf("%d more uploads of what the registry has", more)
	}
	// What was remembered and is nowhere any more is read from the engine again.
	elsewhere := startRegistry(t)
	other := open(t, build.BuildxConfig{PlainHTTP: []string{elsewhere.host}, CacheDir: d.memory})
	req.Repository = elsewhere.host + "/legacy"
	if err := other.Push(t.Context(), req, first.Digest, "one", elsewhere.credentials(), (&events{}).emit); err != nil {
		t.Fatal(err)
	}
	if digest, _ := elsewhere.get(t, "legacy", "one"); digest != first.Digest {
		t.Errorf("the other registry has %s", digest)
	}
	req.Compression = release.CompressionZstd
	zstd, _ := buildOn(t, other, req)
	e = &events{}
	if err := other.Push(t.Context(), req, zstd.Digest, "zstd", elsewhere.credentials(), e.emit); err != nil {
		t.Fatal(err)
	}
	contains(t, e.text(t), "pushing layer")
	if _, raw := elsewhere.get(t, "legacy", "zstd"); strings.Count(string(raw), "tar+zstd") != 4 {
		t.Errorf("not zstd: %s", raw)
	}
}
