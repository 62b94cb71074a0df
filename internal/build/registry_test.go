package build_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// guarded is a registry over plain HTTP that lets in one user, and counts what it was sent.
type guarded struct {
	host string
	mu   sync.Mutex
	puts int // manifests and blobs that were uploaded
	deny string

	fault   func(http.ResponseWriter, *http.Request) bool // answers reads of what faultAt names; false: it did not
	faultAt string
}

const secret = "s3cret-Token-of-the-Registry"

func startRegistry(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{}
	// Blobs on disk: the handler that keeps them in memory is locked while one arrives, which may come from itself.
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(t.TempDir())))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "AWS" || password != secret {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "Not Authorized", http.StatusUnauthorized)
			return
		}
		g.mu.Lock()
		denied := g.deny != "" && r.Method != http.MethodGet && r.Method != http.MethodHead && strings.Contains(r.URL.Path, g.deny)
		if r.Method == http.MethodPut {
			g.puts++
		}
		fault := g.fault
		if r.Method != http.MethodGet && r.Method != http.MethodHead || fault != nil && !strings.Contains(r.URL.Path, g.faultAt) {
			fault = nil
		}
		g.mu.Unlock()
		if fault != nil {
			if isText(inner, r) {
				r.Header.Set("Test-Kind", "json")
			}
			if fault(w, r) {
				return
			}
		}
		if denied {
			http.Error(w, "denied", http.StatusForbidden)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	g.host = strings.TrimPrefix(server.URL, "http://")
	return g
}

// isText says whether a read would be answered with JSON.
func isText(inner http.Handler, r *http.Request) bool {
	probe := httptest.NewRecorder()
	again := r.Clone(r.Context())
	again.Method = http.MethodGet
	inner.ServeHTTP(probe, again)
	return strings.HasPrefix(probe.Body.String(), "{")
}

// breakReads has fault answer reads whose path contains part; nil mends them.
func (g *guarded) breakReads(part string, fault func(http.ResponseWriter, *http.Request) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.faultAt, g.fault = part, fault
}

func (g *guarded) uploads() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.puts
}

// denyWrites refuses every write whose path contains part.
func (g *guarded) denyWrites(part string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.deny = part
}

func (g *guarded) credentials() release.Credentials {
	return release.Credentials{Host: g.host, Username: "AWS", Password: secret}
}

func (g *guarded) authenticator() authn.Authenticator {
	return &authn.Basic{Username: "AWS", Password: secret}
}

// get reads from the registry; it gives the manifest's digest and its bytes.
func (g *guarded) get(t *testing.T, repository, tag string) (release.Digest, []byte) {
	t.Helper()
	resp := g.ask(t, repository, tag)
	defer func() { _ = resp.Body.Close() }()
	body := readAll(t, resp.Body)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %s", resp.Request.URL, resp.Status, body)
	}
	return release.Digest(resp.Header.Get("Docker-Content-Digest")), body
}

func (g *guarded) has(t *testing.T, repository, tag string) bool {
	t.Helper()
	resp := g.ask(t, repository, tag)
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusOK
}

func (g *guarded) ask(t *testing.T, repository, tag string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+g.host+"/v2/"+repository+"/manifests/"+tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("AWS", secret)
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}
