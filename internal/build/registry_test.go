package build_test

import (
	"bytes"
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
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

	blobs   int                                           // blobs that were sent in full
	still   bool                                          // tags may not move
	owned   map[string]bool                               // blobs by repository: as with ECR, one repository's are not another's
	before  func(http.ResponseWriter, *http.Request) bool // called with each request; true: it has answered
	arrived func()                                        // called when a layer begins to arrive; it may wait
	fault   func(http.ResponseWriter, *http.Request) bool // answers reads of what faultAt names; false: it did not
	faultAt string
}

const secret = "s3cret-Token-of-the-Registry"

func startRegistry(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{owned: map[string]bool{}}
	// Blobs on disk: the handler that keeps them in memory is locked while one arrives, which may come from itself.
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(t.TempDir())))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		before := g.before
		g.mu.Unlock()
		if before != nil && before(w, r) {
			return
		}
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
		arrived, still := g.arrived, g.still
		if sends(r) {
			g.blobs++
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
		if g.foreign(w, r) {
			return
		}
		if sends(r) && arrived != nil {
			arrived()
		}
		if still && r.Method == http.MethodPut && movesTag(inner, r) {
			frozen(w)
			return
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

// foreign answers reads of blobs that were not sent to the repository that is asked; false: the request goes on.
func (g *guarded) foreign(w http.ResponseWriter, r *http.Request) bool {
	repository, blob, ok := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/blobs/")
	if !ok {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case sends(r):
		g.owned[repository+"@"+r.URL.Query().Get("digest")] = true
	case (r.Method == http.MethodHead || r.Method == http.MethodGet) && !g.owned[repository+"@"+blob]:
		http.Error(w, "BLOB_UNKNOWN", http.StatusNotFound)
		return true
	}
	return false
}

// sends says whether a request brings a blob.
func sends(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/blobs/uploads/") && r.URL.Query().Get("digest") != ""
}

// movesTag says whether a manifest is to take the tag of another one, as ECR decides: the same one may be put again.
func movesTag(inner http.Handler, r *http.Request) bool {
	if !strings.Contains(r.URL.Path, "/manifests/") || strings.Contains(r.URL.Path, "sha256:") {
		return false
	}
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return false
	}
	there := httptest.NewRecorder()
	inner.ServeHTTP(there, httptest.NewRequest(http.MethodGet, r.URL.Path, nil))
	return there.Code == http.StatusOK && !bytes.Equal(there.Body.Bytes(), body)
}

// sent counts the blobs that were sent.
func (g *guarded) sent() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.blobs
}

// freeze keeps tags from moving.
func (g *guarded) freeze(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.still = on
}

// meet has each blob that arrives wait for n to be there, or ctx to end; the channel is closed when they are. n is 0: no
// blob waits.
func (g *guarded) meet(ctx context.Context, n int) <-chan struct{} {
	met := make(chan struct{})
	var arrivals atomic.Int32
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arrived = nil
	if n > 0 {
		g.arrived = func() {
			if arrivals.Add(1) == int32(n) {
				close(met)
			}
			select {
			case <-met:
			case <-ctx.Done():
			}
		}
	}
	return met
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
