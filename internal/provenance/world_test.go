package provenance

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	repository = "shop/medusa"
	uri        = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/" + repository
	commitSHA  = "c0ffee0123456789c0ffee0123456789c0ffee01"
)

// shelf is a Store in memory.
type shelf struct {
	mu        sync.Mutex
	manifests map[release.Digest][]byte
	blobs     map[release.Digest][]byte
	referrers map[release.Digest][]release.Referrer
	tags      map[string]release.Digest
	broken    error // every call answers this
	failing   error // Attach answers this
}

func newShelf() *shelf {
	return &shelf{
		manifests: map[release.Digest][]byte{}, blobs: map[release.Digest][]byte{},
		referrers: map[release.Digest][]release.Referrer{}, tags: map[string]release.Digest{},
	}
}

func digestOf(raw []byte) release.Digest {
	sum := sha256.Sum256(raw)
	return release.Digest("sha256:" + hex.EncodeToString(sum[:]))
}

func (s *shelf) Referrers(_ context.Context, _ string, of release.Digest) ([]release.Referrer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.referrers[of]), s.broken
}

func (s *shelf) Manifest(_ context.Context, _ string, d release.Digest) ([]byte, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, ok := s.manifests[d]
	if !ok {
		return nil, "", release.ErrNotFound
	}
	return raw, ocispec.MediaTypeImageManifest, s.broken
}

func (s *shelf) Blob(_ context.Context, _ string, d release.Digest) (io.ReadCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	raw, ok := s.blobs[d]
	if !ok {
		return nil, release.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(raw)), s.broken
}

func (s *shelf) Image(_ context.Context, _, reference string) (release.Image, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d, ok := s.tags[reference]
	if !ok {
		return release.Image{}, release.ErrNotFound
	}
	return release.Image{Digest: d}, nil
}

func (s *shelf) Attach(_ context.Context, _ string, a release.Artifact) (release.Digest, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failing != nil {
		return "", s.failing
	}
	return s.attach(a), nil
}

func (s *shelf) attach(a release.Artifact) release.Digest {
	layer := digestOf(a.Content)
	s.blobs[layer] = a.Content
	raw := mustJSON(ocispec.Manifest{
		MediaType: ocispec.MediaTypeImageManifest, ArtifactType: a.ArtifactType, Annotations: a.Annotations,
		Layers: []ocispec.Descriptor{{MediaType: a.ArtifactType, Digest: digest.Digest(layer), Size: int64(len(a.Content))}},
	})
	d := digestOf(raw)
	s.manifests[d] = raw
	s.referrers[a.Subject] = append(s.referrers[a.Subject], release.Referrer{Digest: d, ArtifactType: a.ArtifactType, Annotations: a.Annotations})
	return d
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// addImage puts an image for one platform on the shelf.
func (s *shelf) addImage(architecture string, layers ...[]byte) release.Image {
	config := mustJSON(ocispec.Image{Platform: ocispec.Platform{OS: "linux", Architecture: architecture}})
	s.blobs[digestOf(config)] = config
	m := ocispec.Manifest{Config: ocispec.Descriptor{Digest: digest.Digest(digestOf(config))}}
	for _, l := range layers {
		s.blobs[digestOf(l)] = l
		m.Layers = append(m.Layers, ocispec.Descriptor{Digest: digest.Digest(digestOf(l))})
	}
	raw := mustJSON(m)
	s.manifests[digestOf(raw)] = raw
	return release.Image{Repository: uri, Digest: digestOf(raw)}
}

// attached lists what is attached to an image.
func (s *shelf) attached(t *testing.T, image release.Image) []found {
	t.Helper()
	var all []found
	for _, of := range append([]release.Digest{image.Digest}, image.Manifests...) {
		f, err := read(t.Context(), s, repository, of)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, f...)
	}
	return all
}

// kindsAttached are the kinds of what is attached, sorted.
func (s *shelf) kindsAttached(t *testing.T, image release.Image) []string {
	t.Helper()
	var all []string
	for _, f := range s.attached(t, image) {
		all = append(all, string(f.Kind))
	}
	slices.Sort(all)
	return all
}

// environment is a LookupEnv of NAME, VALUE pairs.
func environment(pairs ...string) LookupEnv {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

// request is a build of an image.
func request(image release.Image) release.AttestRequest {
	return release.AttestRequest{
		Repository: repository, Image: image,
		Commit: release.Commit{SHA: commitSHA, Branch: "main", Remote: "https://example.com/shop.git"},
		Build: release.BuildRequest{
			ContextDir: "/src/shop", Dockerfile: "/src/shop/docker/Dockerfile", Stage: "production", Platforms: []string{"linux/amd64"},
			Args: map[string]string{"COMMIT": commitSHA, "NPM_TOKEN": "canary-arg"},
		},
		Builder: "BuildKit v0.34.2 (the built-in engine)",
		Bases:   []release.Material{{Ref: "docker.io/library/node:22", Digest: release.Digest("sha256:" + fmt.Sprintf("%064d", 7))}},
		Started: time.Date(2026, 3, 4, 5, 6, 7, 8, time.UTC), Finished: time.Date(2026, 3, 4, 5, 6, 9, 0, time.UTC),
	}
}

// attester makes one whose key, when it signs, is made for it.
func attester(t *testing.T, store Store, change func(*Config)) *Attester {
	t.Helper()
	c := Config{Provenance: true, Root: "/src/shop", Version: "v1.2.3", Env: environment(), Hide: func(...string) {}}
	if change != nil {
		change(&c)
	}
	a := New(store, c)
	if a == nil {
		t.Fatal("there is nothing to attach")
	}
	return a
}

func attach(t *testing.T, a *Attester, req release.AttestRequest) []release.AttestationKind {
	t.Helper()
	if err := a.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	kinds, err := a.Attach(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return kinds
}

var errBroken = errors.New("connection reset")
