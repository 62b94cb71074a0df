//go:build linux

package build_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func testLoad(t *testing.T, d *dock) {
	for name, b := range map[string]interface {
		release.Builder
		build.Loader
	}{"buildkit": d.builder, containerBuilder: d.on(t, containerBuilder), remoteBuilder: d.on(t, remoteBuilder)} {
		req := d.page(t, "load-"+name)
		image, _ := buildOn(t, b, req)
		names := []string{req.Repository + ":git-abc", "load-" + name}
		loaded, err := b.Load(t.Context(), req, image.Digest, names, (&events{}).emit)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, n := range names {
			if id := d.id(t, n); id == "" || id != string(loaded.ID) {
				t.Errorf("%s: the engine has %q as %s, not %s", name, id, n, loaded.ID)
			}
		}
		d.pushOn(t, b, req, image, "git-abc")
		if _, raw := d.registry.get(t, "load-"+name, "git-abc"); !strings.Contains(string(raw), string(loaded.ID)) {
			t.Errorf("%s: %s is not the configuration of %s", name, loaded.ID, raw)
		}
		if out := d.run(t, "run", "--rm", "load-"+name); out != "hello" {
			t.Errorf("%s: it says %q", name, out)
		}
		_, err = b.Load(t.Context(), req, release.Digest("sha256:"+strings.Repeat("0", 64)), names, (&events{}).emit)
		if err == nil || !strings.Contains(err.Error(), "was built") {
			t.Errorf("%s: another image was loaded: %v", name, err)
		}
	}
}

func testLegacyLoad(t *testing.T, d *dock) {
	req, b := d.page(t, "old"), d.on(t, "")
	image, _ := buildOn(t, b, req)
	loaded, err := b.Load(t.Context(), req, image.Digest, []string{"old:one", "old"}, (&events{}).emit)
	if err != nil {
		t.Fatal(err)
	}
	if one, latest := d.id(t, "old:one"), d.id(t, "old:latest"); one != string(loaded.ID) || latest != one || !strings.HasPrefix(loaded.Engine, "Docker Engine ") {
		t.Errorf("%+v, the engine has %s and %s", loaded, one, latest)
	}
	// A process that has not built it loads the same.
	again, err := d.on(t, "").Load(t.Context(), req, image.Digest, []string{"old:two"}, (&events{}).emit)
	if err != nil || again.ID != loaded.ID {
		t.Errorf("%+v, %v", again, err)
	}
}

// testStore has no Docker Engine: an image is named in the store that the builder shares with what runs containers, where
// a build that starts from the name finds it, and no registry has it.
func testStore(t *testing.T, d *dock) {
	c := d.config
	c.Docker = nil
	engine, err := build.New(c)
	if err != nil {
		t.Fatal(err)
	}
	req := d.page(t, "store")
	image, _ := buildOn(t, engine, req)
	names := []string{req.Repository + ":git-abc", "stored-under-a-name"}
	loaded, err := engine.Load(t.Context(), req, image.Digest, names, (&events{}).emit)
	if err != nil || loaded.ID != image.Digest {
		t.Fatalf("%+v, %v", loaded, err)
	}
	for _, name := range names {
		from := d.request(t, "from", map[string]string{"Dockerfile": "FROM " + name + "\nLABEL from=it\n"})
		if got, _ := buildOn(t, engine, from); got.Labels["from"] != "it" || got.SizeBytes != image.SizeBytes {
			t.Errorf("%s: %+v", name, got)
		}
	}
	c.Address = "docker-container://buildx_buildkit_cont0"
	bare, err := build.New(c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = bare.Load(t.Context(), req, image.Digest, names, (&events{}).emit)
	if !errors.Is(err, build.ErrNotLoaded) {
		t.Fatalf("a builder without an engine: %v", err)
	}
	contains(t, err.Error(), "keeps no images that could be run", "--push")
}
