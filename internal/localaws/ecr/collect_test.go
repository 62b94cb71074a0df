package ecr

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

// TestCollect keeps what an image needs, what was pushed lately, and nothing else.
func TestCollect(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	open := func() *Backend {
		t.Helper()
		b, err := New(Config{Store: s, Dir: dir, Host: "127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	b := open()
	app, other := place{"us-east-1", "app"}, place{"eu-west-1", "other"}
	for _, p := range []place{app, other} {
		if err := b.repositories.Put(p.key(), repository{Region: p.region, Name: p.name}); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * uploadLife)
	push := func(at place, content string, added time.Time) blob.Digest {
		t.Helper()
		d := blob.DigestOf([]byte(content))
		if err := b.blobs.Put(d, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if err := b.layers.Put(at.child(string(d)), layer{Digest: string(d), Size: int64(len(content)), Added: added}); err != nil {
			t.Fatal(err)
		}
		return d
	}
	config, used := push(app, "{}", old), push(app, "used", old)
	shared := push(app, "shared", old)
	push(other, "shared", time.Now())
	stale, fresh := push(app, "stale", old), push(app, "fresh", time.Now())
	orphan := blob.DigestOf([]byte("orphan"))
	if err := b.blobs.Put(orphan, []byte("orphan")); err != nil {
		t.Fatal(err)
	}
	manifest := `{"schemaVersion":2,"mediaType":"` + ociManifest + `","config":{"mediaType":"c","digest":"` + string(config) +
		`","size":2},"layers":[{"mediaType":"l","digest":"` + string(used) + `","size":4}]}`
	img, _, err := b.put(app, newPush(manifest))
	if err != nil {
		t.Fatal(err)
	}

	b = open()
	for d, want := range map[blob.Digest]bool{config: true, used: true, shared: true, fresh: true, blob.Digest(img.Digest): true, stale: false, orphan: false} {
		_, err := b.blobs.Read(d)
		if want && err != nil || !want && !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("%s: kept is not %v: %v", d, want, err)
		}
	}
	if _, ok, err := b.layers.Get(app.child(string(stale))); ok || err != nil {
		t.Errorf("the stale layer is still listed: %v", err)
	}
	if _, ok, err := b.layers.Get(app.child(string(used))); !ok || err != nil {
		t.Errorf("the used layer is not listed: %v", err)
	}
}

func newPush(manifest string) push { return push{content: []byte(manifest), tag: "v1"} }
