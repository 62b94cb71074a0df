package ecr

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

const (
	stormRounds  = 8
	stormClients = 4
	stormSteps   = 60 // of each client in each round
	artifactType = "application/vnd.example.note"
)

var stormPlaces = []place{{"us-east-1", "app"}, {"us-east-1", "other"}}

// TestCollectAfterAStorm lets clients push, mount, refer to and delete blobs, images, indexes and referrers at random, all at
// once, with uploads left under way, and then removes what nothing needs, as of a time at which nothing is new any more.
// Whatever an image needs is there, each upload goes on, and nothing else is left.
func TestCollectAfterAStorm(t *testing.T) {
	dir := t.TempDir()
	s, err := store.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	uploads := &leftUploads{}
	kept, removed := 0, 0
	for round := range stormRounds {
		b, err := New(Config{Store: s, Dir: filepath.Join(dir, "blobs"), Host: "127.0.0.1:1"})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range stormPlaces {
			if err := b.repositories.Put(p.key(), repository{Region: p.region, Name: p.name, Mutability: mutability{Mode: "MUTABLE"}}); err != nil {
				t.Fatal(err)
			}
		}
		server := httptest.NewServer(b.Registry())
		password := b.issue(token{Region: "us-east-1", Expires: time.Now().Add(time.Hour).Unix()})
		var wait sync.WaitGroup
		for n := range stormClients {
			c := &stormClient{t: t, url: server.URL, password: password, uploads: uploads, random: rand.New(rand.NewPCG(uint64(round), uint64(n)))}
			wait.Go(c.run)
		}
		wait.Wait()
		server.Close()
		before := countBlobs(t, b)
		if err := b.collect(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		after := checkCollected(t, b)
		kept, removed = kept+after, removed+before-after
		for id, u := range uploads.all {
			if size, err := b.blobs.UploadSize(u.at.String(), id); err != nil || size != u.size {
				t.Errorf("the upload %s has %d bytes, %v; want %d", id, size, err, u.size)
			}
		}
	}
	if kept == 0 || removed == 0 || len(uploads.all) == 0 {
		t.Errorf("kept %d blobs, removed %d, with %d uploads under way: the storm was too calm", kept, removed, len(uploads.all))
	}
	t.Logf("over %d rounds: kept %d blobs, removed %d, %d uploads under way", stormRounds, kept, removed, len(uploads.all))
}

func countBlobs(t *testing.T, b *Backend) (n int) {
	t.Helper()
	if err := b.blobs.Each(func(blob.Digest) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// checkCollected checks that what images need is there and right, and that this is all there is. It gives how many blobs.
func checkCollected(t *testing.T, b *Backend) int {
	t.Helper()
	needed := map[string]bool{}
	need := func(of, digest string) {
		needed[digest] = true
		content, err := b.blobs.Read(blob.Digest(digest))
		if err != nil || !blob.Digest(digest).Matches(content) {
			t.Errorf("%s, which %s needs: %v", digest, of, err)
		}
	}
	for _, at := range stormPlaces {
		err := b.images.Each(at.child(""), func(_ string, i image) error {
			need("its image", i.Digest)
			for _, digest := range i.Layers {
				need(i.Digest, digest)
				if _, ok, err := b.layers.Get(at.child(digest)); !ok {
					t.Errorf("%s may not use %s of its image %s any more: %v", at, digest, i.Digest, err)
				}
			}
			for _, child := range i.Children {
				if _, ok, err := b.images.Get(at.child(child)); !ok {
					t.Errorf("the index %s lacks %s: %v", i.Digest, child, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		tags, err := b.tags.List(at.child(""))
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range tags {
			if _, ok, err := b.images.Get(at.child(tag.Digest)); !ok {
				t.Errorf("the tag %s names %s, which is gone: %v", tag.Name, tag.Digest, err)
			}
		}
	}
	if n := countBlobs(t, b); n != len(needed) {
		t.Errorf("%d blobs are left, and %d are needed", n, len(needed))
	}
	return len(needed)
}

// leftUploads are those that no client ended.
type leftUploads struct {
	mu  sync.Mutex
	all map[string]leftUpload // by id
}

type leftUpload struct {
	at   place
	size int64
}

// stormClient acts at random on what it has pushed itself; others use the same content.
type stormClient struct {
	t             *testing.T
	url, password string
	uploads       *leftUploads
	random        *rand.Rand
	blobs, images []known
}

// known is something that was acknowledged, unless somebody has deleted it since.
type known struct {
	at     place
	digest string
	size   int
}

func (c *stormClient) run() {
	for range stormSteps {
		steps := []func(place){c.blob, c.blob, c.mount, c.image, c.image, c.index, c.referrer, c.leave, c.deleteImage, c.deleteBlob}
		steps[c.random.IntN(len(steps))](stormPlaces[c.random.IntN(len(stormPlaces))])
	}
}

func (c *stormClient) do(method, path string, body []byte, contentType string) (int, http.Header) {
	request, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, bytes.NewReader(body))
	if err != nil {
		c.t.Error(err)
		return 0, nil
	}
	request.SetBasicAuth(tokenUser, c.password)
	request.Header.Set("Content-Type", contentType)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Error(err)
		return 0, nil
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode >= http.StatusInternalServerError {
		c.t.Errorf("%s %s: %s", method, path, response.Status)
	}
	return response.StatusCode, response.Header
}

// content is one of a few, so that clients push the same.
func (c *stormClient) content() []byte { return fmt.Appendf(nil, "content %d", c.random.IntN(60)) }

func (c *stormClient) blob(at place) {
	content := c.content()
	digest := string(blob.DigestOf(content))
	if status, _ := c.do("POST", "/v2/"+at.name+"/blobs/uploads/?digest="+digest, content, ""); status == http.StatusCreated {
		c.blobs = append(c.blobs, known{at, digest, len(content)})
	} else {
		c.t.Errorf("push a blob: %d", status)
	}
}

func (c *stormClient) mount(at place) {
	if b, ok := c.any(c.blobs, at, false); ok {
		if status, _ := c.do("POST", fmt.Sprintf("/v2/%s/blobs/uploads/?mount=%s&from=%s", at.name, b.digest, b.at.name), nil, ""); status == http.StatusCreated {
			c.blobs = append(c.blobs, known{at, b.digest, b.size})
		}
	}
}

// any gives one of those in the place, or in another one.
func (c *stormClient) any(all []known, at place, here bool) (known, bool) {
	fitting := slices.DeleteFunc(slices.Clone(all), func(k known) bool { return (k.at == at) != here })
	if len(fitting) == 0 {
		return known{}, false
	}
	return fitting[c.random.IntN(len(fitting))], true
}

func (k known) descriptor(mediaType string) descriptor {
	return descriptor{MediaType: mediaType, Digest: k.digest, Size: int64(k.size)}
}

// put pushes a manifest by a tag, or by its digest. It is refused when somebody has deleted what it needs.
func (c *stormClient) put(at place, m map[string]any) {
	raw, err := json.Marshal(m)
	if err != nil {
		c.t.Error(err)
		return
	}
	digest := string(blob.DigestOf(raw))
	ref := digest
	if c.random.IntN(2) == 0 {
		ref = fmt.Sprintf("v%d", c.random.IntN(5))
	}
	if status, _ := c.do("PUT", "/v2/"+at.name+"/manifests/"+ref, raw, m["mediaType"].(string)); status == http.StatusCreated {
		c.images = append(c.images, known{at, digest, len(raw)})
	}
}

func (c *stormClient) image(at place) {
	config, ok := c.any(c.blobs, at, true)
	layer, _ := c.any(c.blobs, at, true)
	if ok {
		c.put(at, map[string]any{"schemaVersion": 2, "mediaType": ociManifest, "config": config.descriptor("c"), "layers": []descriptor{layer.descriptor("l")}})
	}
}

func (c *stormClient) index(at place) {
	one, ok := c.any(c.images, at, true)
	two, _ := c.any(c.images, at, true)
	if ok {
		c.put(at, map[string]any{"schemaVersion": 2, "mediaType": ociIndex, "manifests": []descriptor{one.descriptor(ociManifest), two.descriptor(ociManifest)}})
	}
}

func (c *stormClient) referrer(at place) {
	subject, ok := c.any(c.images, at, true)
	config, hasConfig := c.any(c.blobs, at, true)
	if ok && hasConfig {
		c.put(at, map[string]any{"schemaVersion": 2, "mediaType": ociManifest, "artifactType": artifactType, "config": config.descriptor("c"),
			"layers": []descriptor{config.descriptor("l")}, "subject": subject.descriptor(ociManifest)})
	}
}

// leave begins an upload and leaves it.
func (c *stormClient) leave(at place) {
	status, header := c.do("POST", "/v2/"+at.name+"/blobs/uploads/", nil, "")
	content := c.content()
	if status == http.StatusAccepted {
		status, _ = c.do("PATCH", header.Get("Location"), content, "")
	}
	if status != http.StatusAccepted {
		c.t.Errorf("leave an upload: %d", status)
		return
	}
	c.uploads.mu.Lock()
	defer c.uploads.mu.Unlock()
	if c.uploads.all == nil {
		c.uploads.all = map[string]leftUpload{}
	}
	c.uploads.all[header.Get("Docker-Upload-Uuid")] = leftUpload{at, int64(len(content))}
}

func (c *stormClient) deleteImage(at place) {
	if i, ok := c.any(c.images, at, true); ok {
		c.do("DELETE", "/v2/"+at.name+"/manifests/"+i.digest, nil, "")
	}
}

func (c *stormClient) deleteBlob(at place) {
	if b, ok := c.any(c.blobs, at, true); ok {
		c.do("DELETE", "/v2/"+at.name+"/blobs/"+b.digest, nil, "")
	}
}
