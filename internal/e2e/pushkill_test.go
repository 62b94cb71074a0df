package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

const (
	killRounds   = 12
	pushers      = 6
	smallestBlob = 64 // bytes: its half of a half of a half is still something
	biggestBlob  = 2 << 20
	storm        = "storm" // the repository
)

// ledger is what local ECR has acknowledged.
type ledger struct {
	mu        sync.Mutex
	blobs     map[string]int             // size by digest: 201
	manifests map[string][]byte          // by digest: 201
	tags      map[string]map[string]bool // digests that a tag may name: the last that was acknowledged, and those on their way
	parts     map[string]part            // uploads by their URL: 202
	acks      atomic.Int64
	resumed   int
}

// part is how much of a blob was acknowledged.
type part struct {
	content []byte
	size    int
}

// TestKilledInThePush kills local AWS (SIGKILL) while several clients push, again and again, each time after a random
// number of acknowledgements. Every blob, manifest and tag that was acknowledged is there when it is back, byte by byte, and
// every upload goes on from what was acknowledged of it.
func TestKilledInThePush(t *testing.T) {
	stage := newStage(t)
	up := func() *rehearsal.Registry {
		t.Helper()
		if err := stage.Up(t.Context(), "--engine", "simulated"); err != nil {
			t.Fatal(err)
		}
		r, err := stage.Registry(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := up()
	if err := r.Create(t.Context(), storm); err != nil {
		t.Fatal(err)
	}
	all := &ledger{blobs: map[string]int{}, manifests: map[string][]byte{}, tags: map[string]map[string]bool{}, parts: map[string]part{}}
	for round := range killRounds {
		random := rand.New(rand.NewPCG(uint64(round), 1))
		enough := all.acks.Load() + 5 + random.Int64N(150)
		ctx, stop := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		for n := range pushers {
			p := &stormer{client: &http.Client{Transport: &http.Transport{}}, registry: r, ledger: all, tag: fmt.Sprintf("tag-%d", n),
				random: rand.New(rand.NewPCG(uint64(round), uint64(n)+2))}
			wait.Go(func() { p.push(ctx) })
		}
		eventually(t, "enough pushes", func() bool { return all.acks.Load() >= enough })
		kill(t, localStatusOf(t, stage).Info.PID)
		stop()
		wait.Wait()
		r = up()
		all.verify(t, r)
		if t.Failed() {
			t.Fatalf("lost in round %d", round)
		}
	}
	if all.resumed == 0 {
		t.Error("no kill met an upload under way")
	}
	t.Logf("%d kills: %d blobs, %d manifests and %d tags were acknowledged, and are there; %d uploads went on where they stood",
		killRounds, len(all.blobs), len(all.manifests), len(all.tags), all.resumed)
}

// stormer is one client.
type stormer struct {
	client   *http.Client
	registry *rehearsal.Registry
	ledger   *ledger
	tag      string
	random   *rand.Rand
}

// push pushes images until nobody answers.
func (s *stormer) push(ctx context.Context) {
	defer s.client.CloseIdleConnections()
	for ctx.Err() == nil {
		config, layer := s.blob(ctx, 100), s.blob(ctx, smallestBlob+s.random.IntN(biggestBlob))
		if config == nil || layer == nil || !s.manifest(ctx, config, layer) {
			return
		}
	}
}

func sum(content []byte) string {
	raw := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(raw[:])
}

func (s *stormer) do(ctx context.Context, method, url, contentType string, body []byte) (int, http.Header) {
	if !strings.HasPrefix(url, "http") {
		url = "http://" + s.registry.Host + url
	}
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return 0, nil
	}
	request.SetBasicAuth(s.registry.Username, s.registry.Password)
	request.Header.Set("Content-Type", contentType)
	response, err := s.client.Do(request)
	if err != nil {
		return 0, nil
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	return response.StatusCode, response.Header
}

// blob pushes random content in one to four parts; nil when it was not acknowledged.
func (s *stormer) blob(ctx context.Context, size int) []byte {
	content := make([]byte, size)
	for i := 0; i < size; i += 8 {
		copy(content[i:], fmt.Appendf(nil, "%08x", s.random.Uint32()))
	}
	status, header := s.do(ctx, "POST", "/v2/"+storm+"/blobs/uploads/", "", nil)
	if status != http.StatusAccepted {
		return nil
	}
	location, rest := header.Get("Location"), content
	for range s.random.IntN(4) {
		n := len(rest) / 2
		status, _ := s.do(ctx, "PATCH", location, "application/octet-stream", rest[:n])
		if status != http.StatusAccepted {
			return nil
		}
		rest = rest[n:]
		s.ledger.mu.Lock()
		s.ledger.parts[location] = part{content, len(content) - len(rest)}
		s.ledger.mu.Unlock()
	}
	s.ledger.mu.Lock()
	delete(s.ledger.parts, location) // it may be complete, or partly there, from here on
	s.ledger.mu.Unlock()
	if status, _ := s.do(ctx, "PUT", location+"?digest="+sum(content), "application/octet-stream", rest); status != http.StatusCreated {
		return nil
	}
	s.ledger.acks.Add(1)
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	s.ledger.blobs[sum(content)] = size
	return content
}

// manifest pushes an image under the client's tag, which moves.
func (s *stormer) manifest(ctx context.Context, config, layer []byte) bool {
	describe := func(mediaType string, content []byte) map[string]any {
		return map[string]any{"mediaType": mediaType, "digest": sum(content), "size": len(content)}
	}
	const mediaType = "application/vnd.oci.image.manifest.v1+json"
	raw, err := json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": mediaType, "config": describe("application/vnd.oci.image.config.v1+json", config),
		"layers": []any{describe("application/vnd.oci.image.layer.v1.tar", layer)},
	})
	if err != nil {
		return false
	}
	digest := sum(raw)
	s.ledger.mu.Lock()
	if s.ledger.tags[s.tag] == nil {
		s.ledger.tags[s.tag] = map[string]bool{"": true}
	}
	s.ledger.tags[s.tag][digest] = true
	s.ledger.mu.Unlock()
	if status, _ := s.do(ctx, "PUT", "/v2/"+storm+"/manifests/"+s.tag, mediaType, raw); status != http.StatusCreated {
		return false
	}
	s.ledger.acks.Add(1)
	s.ledger.mu.Lock()
	defer s.ledger.mu.Unlock()
	s.ledger.manifests[digest] = raw
	s.ledger.tags[s.tag] = map[string]bool{digest: true}
	return true
}

// verify checks that everything that was acknowledged is there, and goes on with the uploads.
func (l *ledger) verify(t *testing.T, r *rehearsal.Registry) {
	t.Helper()
	s := &stormer{client: http.DefaultClient, registry: r, ledger: l}
	for digest, size := range l.blobs {
		if content := fetch(t, r, "blobs/"+digest); len(content) != size || sum(content) != digest {
			t.Errorf("blob %s has %d bytes with the digest %s, want %d", digest, len(content), sum(content), size)
		}
	}
	for digest, raw := range l.manifests {
		if content := fetch(t, r, "manifests/"+digest); !bytes.Equal(content, raw) {
			t.Errorf("manifest %s is %q, want %q", digest, content, raw)
		}
	}
	for tag, may := range l.tags {
		got := ""
		if content := fetch(t, r, "manifests/"+tag); content != nil {
			got = sum(content)
		}
		if !may[got] {
			t.Errorf("%s names %q, which is none of %v", tag, got, may)
		}
		l.tags[tag] = map[string]bool{got: true}
	}
	for location, p := range l.parts {
		delete(l.parts, location)
		status, header := s.do(t.Context(), "GET", location, "", nil)
		var end int
		if _, err := fmt.Sscanf(header.Get("Range"), "0-%d", &end); err != nil || status != http.StatusNoContent || p.size > 0 && end+1 < p.size {
			t.Errorf("an upload of which %d bytes were acknowledged stands at %q: %d, %v", p.size, header.Get("Range"), status, err)
			continue
		}
		from := min(max(end+1, p.size), len(p.content))
		if status, _ := s.do(t.Context(), "PUT", location+"?digest="+sum(p.content), "application/octet-stream", p.content[from:]); status != http.StatusCreated {
			t.Errorf("the upload could not be ended: %d", status)
			continue
		}
		l.blobs[sum(p.content)] = len(p.content)
		l.resumed++
	}
}

// fetch gives what the registry has under a path of the repository; nil when there is nothing.
func fetch(t *testing.T, r *rehearsal.Registry, path string) []byte {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+r.Host+"/v2/"+storm+"/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth(r.Username, r.Password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return nil
	}
	return content
}
