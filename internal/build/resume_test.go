package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// halfway is a registry that takes one blob, whose first upload it cuts off in the middle.
type halfway struct {
	mu     sync.Mutex
	cut    int64 // how much of the first PUT it takes
	got    []byte
	posts  int
	ranges []string                                          // of all PUTs
	status func(w http.ResponseWriter, r *http.Request) bool // answers instead of it; nil: nothing does
}

func (h *halfway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.status != nil && h.posts > 0 && r.Method != http.MethodPost && h.status(w, r) {
		return
	}
	switch r.Method {
	case http.MethodPost:
		h.posts++
		h.got = nil
		w.Header().Set("Location", fmt.Sprintf("/v2/shop/blobs/uploads/%d?state=x", h.posts))
		w.WriteHeader(http.StatusAccepted)
	case http.MethodGet:
		w.Header().Set("Range", fmt.Sprintf("0-%d", max(len(h.got)-1, 0)))
		w.WriteHeader(http.StatusNoContent)
	case http.MethodPut:
		h.put(w, r)
	}
}

func (h *halfway) put(w http.ResponseWriter, r *http.Request) {
	h.ranges = append(h.ranges, r.Header.Get("Content-Range"))
	body := io.Reader(r.Body)
	if len(h.ranges) == 1 {
		body = io.LimitReader(body, h.cut)
	}
	part, err := io.ReadAll(body)
	h.got = append(h.got, part...)
	switch {
	case len(h.ranges) == 1 || err != nil:
		panic(http.ErrAbortHandler)
	case r.URL.Query().Get("state") != "x" || r.URL.Query().Get("digest") != digest.FromBytes(h.got).String():
		http.Error(w, `{"errors":[{"code":"DIGEST_INVALID"}]}`, http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusCreated)
	}
}

// TestResume cuts an upload off and sends the blob again, by another uploader, as another process has it.
func TestResume(t *testing.T) {
	const size = resumeFrom + 1000
	refuse := func(method string, status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != method || r.URL.Path != "/v2/shop/blobs/uploads/1" {
				return false
			}
			w.WriteHeader(status)
			return true
		}
	}
	first := fmt.Sprint(resumeFrom/2, "-", size-1)
	for title, c := range map[string]struct {
		size, cut int64
		after     func(*halfway) // between the two
		posts     int
		ranges    []string
	}{
		"in its middle":           {size: size, cut: resumeFrom / 2, posts: 1, ranges: []string{"", first}},
		"nothing has arrived":     {size: size, posts: 2, ranges: []string{"", ""}},
		"a small one":             {size: 1000, cut: 500, posts: 2, ranges: []string{"", ""}},
		"forgotten":               {size: size, cut: resumeFrom / 2, posts: 2, ranges: []string{"", ""}, after: func(h *halfway) { h.status = refuse(http.MethodGet, http.StatusNotFound) }},
		"not spoken":              {size: size, cut: resumeFrom / 2, posts: 2, ranges: []string{"", ""}, after: func(h *halfway) { h.status = refuse(http.MethodGet, http.StatusMethodNotAllowed) }},
		"something else is there": {size: size, cut: resumeFrom / 2, posts: 2, ranges: []string{"", first, ""}, after: func(h *halfway) { h.got[7]++ }},
		"more than there is":      {size: size, cut: resumeFrom / 2, posts: 2, ranges: []string{"", ""}, after: func(h *halfway) { h.got = make([]byte, size+1) }},
	} {
		t.Run(title, func(t *testing.T) {
			registry := &halfway{cut: c.cut}
			server := httptest.NewUnstartedServer(registry)
			server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
			server.Start()
			defer server.Close()
			to, err := name.NewRepository(strings.TrimPrefix(server.URL, "http://")+"/shop", name.Insecure)
			if err != nil {
				t.Fatal(err)
			}
			content := bytes.Repeat([]byte("medusa"), int(c.size/6)+1)[:c.size]
			blob := ocispec.Descriptor{Digest: digest.FromBytes(content), Size: c.size}
			dir := t.TempDir()
			send := func() error {
				u := &uploader{to: to, client: http.Client{Transport: server.Client().Transport}, uploads: uploads{dir}, log: slog.New(slog.DiscardHandler)}
				return u.send(context.Background(), blob, "", func(offset int64) (io.ReadCloser, error) {
					return io.NopCloser(bytes.NewReader(content[offset:])), nil
				})
			}
			if err := send(); err == nil || troubleOf(err) != troublePassing {
				t.Fatalf("cut off: %v, want what a second try is for", err)
			}
			registry.mu.Lock()
			if c.after != nil {
				c.after(registry)
			}
			registry.mu.Unlock()
			if err := send(); err != nil {
				t.Fatal(err)
			}
			registry.mu.Lock()
			defer registry.mu.Unlock()
			if !bytes.Equal(registry.got, content) || registry.posts != c.posts || strings.Join(registry.ranges, ",") != strings.Join(c.ranges, ",") {
				t.Errorf("%d uploads were begun, want %d; the parts sent were %q, want %q", registry.posts, c.posts, registry.ranges, c.ranges)
			}
			if at := (uploads{dir}).recall(to, blob); at != nil {
				t.Errorf("what has arrived is still remembered: %s", at)
			}
		})
	}
}

// TestResumeElsewhere: an upload is gone on with at its own registry alone, which is the one that the credentials are for.
func TestResumeElsewhere(t *testing.T) {
	to, err := name.NewRepository("registry.example.com/shop")
	if err != nil {
		t.Fatal(err)
	}
	blob := ocispec.Descriptor{Digest: digest.FromString("x"), Size: resumeFrom}
	memory := uploads{t.TempDir()}
	for _, at := range []string{"https://elsewhere.example.com/v2/shop/blobs/uploads/1", "http://registry.example.com/v2/shop/blobs/uploads/1", ":"} {
		if err := keep(memory.file(to, blob.Digest), []byte(at)); err != nil {
			t.Fatal(err)
		}
		if got := memory.recall(to, blob); got != nil {
			t.Errorf("%s is gone on with", got)
		}
	}
}
