package enginetest

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// Hub is a registry that counts the blobs it gives out.
type Hub struct {
	Host  string       // HOST:PORT
	Auth  string       // user:password that is required; empty: none
	Blobs atomic.Int64 // given out
}

// NewHub starts a registry that ends with the test.
func NewHub(t *testing.T) *Hub {
	t.Helper()
	h := &Hub{}
	inner := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if h.Auth != "" && user+":"+password != h.Auth {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "Not Authorized", http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			h.Blobs.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	h.Host = server.Listener.Addr().String()
	return h
}

// Push puts an image into the registry and returns how to pull it.
func (h *Hub) Push(t *testing.T, repository string, img v1.Image) engine.PullRequest {
	t.Helper()
	return put(t, h, repository, img, remote.Write)
}

// put writes an image or an index by its digest.
func put[A interface{ Digest() (v1.Hash, error) }](t *testing.T, h *Hub, repository string, artifact A, write func(name.Reference, A, ...remote.Option) error) engine.PullRequest {
	t.Helper()
	digest, err := artifact.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(fmt.Sprintf("%s/%s@%s", h.Host, repository, digest), name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := write(ref, artifact); err != nil {
		t.Fatal(err)
	}
	return engine.PullRequest{Ref: ref.String(), PlainHTTP: true}
}

// PushIndex puts images into the registry, with an index around them, and returns how to pull that.
func (h *Hub) PushIndex(t *testing.T, repository string, images ...v1.Image) engine.PullRequest {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, img := range images {
		file, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: file.Architecture}},
		})
	}
	return put(t, h, repository, index, remote.WriteIndex)
}
