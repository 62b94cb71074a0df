package build_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	images "github.com/containerd/containerd/api/services/images/v1"
	"github.com/moby/buildkit/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// forget empties the daemon's own cache and store, as a new machine's are.
func (w *workshop) forget(t *testing.T) {
	t.Helper()
	c, err := client.New(t.Context(), w.config.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Prune(t.Context(), nil, client.PruneAll); err != nil {
		t.Fatal(err)
	}
	conn, err := grpc.NewClient(strings.Replace(w.config.Address, "b.sock", "c.sock", 1), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx := metadata.AppendToOutgoingContext(t.Context(), "containerd-namespace", "buildkit")
	store := images.NewImagesClient(conn)
	named, err := store.List(ctx, &images.ListImagesRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range named.GetImages() {
		// Sync: what only this image needed is gone afterwards.
		if _, err := store.Delete(ctx, &images.DeleteImageRequest{Name: image.GetName(), Sync: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// timed is a build whose image differs each time that its step really runs.
func (w *workshop) timed(t *testing.T, repository string) release.BuildRequest {
	t.Helper()
	req := w.request(t, repository, map[string]string{
		"Dockerfile": "FROM scratch AS made\nCOPY program /p\nRUN [\"/p\", \"time\"]\nFROM scratch\nCOPY --from=made /time /p /\nCOPY index.html /\nRUN [\"/p\", \"show\", \"/time\", \"/index.html\"]\n", "index.html": repository,
	})
	w.withProgram(t, req)
	return req
}

func (e *events) warned(t *testing.T) bool { return strings.Contains(e.text(t), `"level":"warning"`) }

// testDirectoryCache: what one machine built is taken by the next from a directory, which need not be there at first.
func testDirectoryCache(t *testing.T, w *workshop) {
	req := w.timed(t, "directory")
	req.Cache = release.BuildCache{Kind: release.CacheDirectory, Ref: filepath.Join(t.TempDir(), "not/yet/there")}
	first, e := w.build(t, req)
	if e.warned(t) {
		t.Errorf("a missing cache is no matter: %s", e.text(t))
	}
	w.forget(t)
	second, e := w.build(t, req)
	if first.Digest != second.Digest || e.warned(t) {
		t.Errorf("%s, then from the cache %s: %s", first.Digest, second.Digest, e.text(t))
	}
	w.forget(t)
	third, _ := w.build(t, req)
	w.push(t, req, third, "tag") // layers that the daemon has not loaded
	before := size(t, req.Cache.Ref)
	for range 3 { // what nothing names any more is removed
		write(t, filepath.Join(req.ContextDir, "index.html"), strings.Repeat("x", 1<<20))
		w.build(t, req)
		write(t, filepath.Join(req.ContextDir, "index.html"), "small again")
		w.build(t, req)
	}
	if after := size(t, req.Cache.Ref); after > 2*before {
		t.Errorf("the cache grew from %d to %d bytes", before, after)
	}
}

func size(t *testing.T, dir string) (total int64) {
	t.Helper()
	for _, blob := range blobs(t, dir) {
		info, err := os.Stat(blob)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	return total
}

func blobs(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no blobs in %s: %v", dir, err)
	}
	return found
}

// testBrokenDirectoryCache: whatever happened to the directory, the build is done, and the user hears of it.
func testBrokenDirectoryCache(t *testing.T, w *workshop) {
	for name, damage := range map[string]func(t *testing.T, dir string){
		"index": func(t *testing.T, dir string) { write(t, filepath.Join(dir, "index.json"), `{"manifests": [`) },
		"truncated": func(t *testing.T, dir string) {
			each(t, blobs(t, dir), func(raw []byte) []byte { return raw[:len(raw)/2] })
		},
		"emptied": func(t *testing.T, dir string) {
			for _, blob := range blobs(t, dir) {
				if err := os.Remove(blob); err != nil {
					t.Fatal(err)
				}
			}
		},
		"flipped": func(t *testing.T, dir string) {
			each(t, blobs(t, dir), func(raw []byte) []byte {
				raw[len(raw)/2] ^= 0xff
				return raw
			})
		},
		"layers flipped": func(t *testing.T, dir string) {
			each(t, blobs(t, dir), func(raw []byte) []byte {
				if raw[0] != '{' {
					raw[len(raw)/2] ^= 0xff
				}
				return raw
			})
		},
		"file": func(t *testing.T, dir string) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			write(t, dir, "no directory")
		},
	} {
		t.Run(name, func(t *testing.T) {
			req := w.timed(t, "broken-directory/"+strings.ReplaceAll(name, " ", "-"))
			req.Cache = release.BuildCache{Kind: release.CacheDirectory, Ref: filepath.Join(t.TempDir(), "cache")}
			w.build(t, req)
			w.forget(t)
			damage(t, req.Cache.Ref)
			write(t, filepath.Join(req.ContextDir, "index.html"), "the last step reads what the cache has")
			image, e := w.build(t, req)
			if !e.warned(t) {
				t.Errorf("nobody was warned: %s", e.text(t))
			}
			w.push(t, req, image, "tag")
		})
	}
}

func each(t *testing.T, files []string, change func([]byte) []byte) {
	t.Helper()
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, change(raw), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// testBrokenRegistryCache: whatever the registry answers for the cache, the build is done, and the user hears of it.
func testBrokenRegistryCache(t *testing.T, w *workshop) {
	manifest := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }
	for name, fault := range map[string]func(w http.ResponseWriter, r *http.Request) bool{
		"manifest 500": func(w http.ResponseWriter, r *http.Request) bool {
			if manifest(r) {
				http.Error(w, "down", http.StatusInternalServerError)
			}
			return manifest(r)
		},
		"manifest of something else": func(w http.ResponseWriter, r *http.Request) bool {
			if manifest(r) {
				w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
				_, _ = w.Write([]byte(`{"schemaVersion":2,"layers":"none"}`)) // the client sees what arrives
			}
			return manifest(r)
		},
		"blobs gone": func(w http.ResponseWriter, r *http.Request) bool {
			if !manifest(r) {
				http.Error(w, "gone", http.StatusNotFound)
			}
			return !manifest(r)
		},
		"layers gone": func(w http.ResponseWriter, r *http.Request) bool {
			return layer(w, r, func() { http.Error(w, "gone", http.StatusNotFound) })
		},
		"layers cut": func(w http.ResponseWriter, r *http.Request) bool {
			return layer(w, r, func() { _, _ = w.Write([]byte("\x1f\x8b\x08")) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			repository := "broken-registry/" + strings.ReplaceAll(name, " ", "-")
			req := w.timed(t, repository)
			req.Cache = release.BuildCache{Kind: release.CacheRegistry, Ref: w.registry.host + "/" + repository + "-cache:cache"}
			image, _ := w.build(t, req)
			w.push(t, req, image, "one")
			w.forget(t)
			w.registry.breakReads(repository+"-cache", fault)
			defer w.registry.breakReads("", nil)
			write(t, filepath.Join(req.ContextDir, "index.html"), "the last step reads what the cache has")
			image, e := w.build(t, req)
			if !e.warned(t) {
				t.Errorf("nobody was warned: %s", e.text(t))
			}
			w.push(t, req, image, "two")
		})
	}
}

// layer answers reads of blobs that are no JSON.
func layer(w http.ResponseWriter, r *http.Request, answer func()) bool {
	if !strings.Contains(r.URL.Path, "/blobs/") || r.Header.Get("Test-Kind") == "json" {
		return false
	}
	answer()
	return true
}

func testUnreachableCache(t *testing.T, w *workshop) {
	req := w.timed(t, "unreachable")
	req.Cache = release.BuildCache{Kind: release.CacheRegistry, Ref: "127.0.0.1:1/nowhere:cache"}
	image, e := w.build(t, req)
	if !e.warned(t) {
		t.Errorf("nobody was warned: %s", e.text(t))
	}
	w.push(t, req, image, "tag")
}

// testGitHubCacheElsewhere: outside of GitHub Actions the word gha means no cache, and inside a step that cannot see the
// service says how to let it.
func testGitHubCacheElsewhere(t *testing.T, w *workshop) {
	for _, name := range []string{"GITHUB_ACTIONS", "ACTIONS_RESULTS_URL", "ACTIONS_CACHE_URL", "ACTIONS_RUNTIME_TOKEN"} {
		t.Setenv(name, "")
	}
	req := w.request(t, "gha", hello)
	req.Cache = release.BuildCache{Kind: release.CacheGHA}
	if _, e := w.build(t, req); e.warned(t) {
		t.Errorf("warned: %s", e.text(t))
	}
	t.Setenv("GITHUB_ACTIONS", "true")
	image, e := w.build(t, req)
	contains(t, e.text(t), `"level":"warning"`, "ACTIONS_RUNTIME_TOKEN", "registry cache")
	if e = w.push(t, req, image, "tag"); e.warned(t) {
		t.Errorf("warned twice: %s", e.text(t))
	}
	t.Setenv("ACTIONS_RUNTIME_TOKEN", "not-a-token")
	t.Setenv("ACTIONS_RESULTS_URL", "http://127.0.0.1:1/")
	again, e := w.build(t, req)
	if !e.warned(t) || again.Digest != image.Digest {
		t.Errorf("%s, then %s: %s", image.Digest, again.Digest, e.text(t))
	}
}
