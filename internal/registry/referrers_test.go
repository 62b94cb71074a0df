package registry_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	oci "github.com/google/go-containerregistry/pkg/registry"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/registry"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// depot is an ECR whose /v2/ is a real OCI registry that takes one password, and counts what it refused.
type depot struct {
	*hub
	server  *httptest.Server
	refused int
	failing int // how many PUT requests get status 501 first
}

func newDepot(t *testing.T) *depot {
	d := &depot{hub: newHub(t)}
	store := oci.New(oci.Logger(log.New(io.Discard, "", 0)), oci.WithReferrersSupport(true))
	d.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		password := d.password
		d.mu.Unlock()
		if _, given, _ := r.BasicAuth(); given != password {
			if given != "" {
				d.mu.Lock()
				d.refused++
				d.mu.Unlock()
			}
			w.Header().Set("Www-Authenticate", `Basic realm="http://ecr/",service="ecr.amazonaws.com"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		d.mu.Lock()
		fails := d.failing > 0 && r.Method == http.MethodPut
		if fails {
			d.failing--
		}
		d.mu.Unlock()
		if fails {
			w.WriteHeader(http.StatusNotImplemented)
			return
		}
		store.ServeHTTP(w, r)
	}))
	t.Cleanup(d.server.Close)
	d.On("GetAuthorizationToken", func(awstest.Body) any {
		return awstest.Body{"authorizationData": []any{awstest.Body{
			"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + d.password)),
			"expiresAt":          awstest.Epoch(time.Now().Add(12 * time.Hour)), "proxyEndpoint": d.server.URL,
		}}}
	})
	return d
}

// left is how many requests will still fail.
func (d *depot) left() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failing
}

// get reads a path of the registry.
func (d *depot) get(t *testing.T, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.server.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("AWS", d.password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v", path, response.StatusCode, err)
	}
	return string(raw)
}

// TestAttach pushes an artifact and finds it where every OCI client looks: a manifest with a subject.
func TestAttach(t *testing.T) {
	d := newDepot(t)
	subject := d.add(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`)
	r := registry.New(d.Session(t), "")
	content := []byte(`{"_type":"https://in-toto.io/Statement/v1"}`)
	digest, err := r.Attach(t.Context(), repository, release.Artifact{
		Subject: release.Digest(subject), ArtifactType: "application/vnd.in-toto+json",
		Annotations: map[string]string{"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}, Content: content,
	})
	if err != nil {
		t.Fatal(err)
	}
	raw := d.get(t, "/v2/"+repository+"/manifests/"+string(digest))
	var got any
	if err := json.Unmarshal([]byte(raw), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"schemaVersion": 2.0, "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": "application/vnd.in-toto+json",
		"config": map[string]any{"mediaType": "application/vnd.oci.empty.v1+json", "size": 2.0, "data": "e30=",
			"digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},
		"layers":      []any{map[string]any{"mediaType": "application/vnd.in-toto+json", "digest": digestOf(string(content)), "size": float64(len(content))}},
		"subject":     map[string]any{"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": subject, "size": float64(len(d.manifests[subject]))},
		"annotations": map[string]any{"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if referrers := d.get(t, "/v2/"+repository+"/referrers/"+subject); !strings.Contains(referrers, string(digest)) {
		t.Errorf("it is no referrer of its subject: %s", referrers)
	}
	blob, err := r.Blob(t.Context(), repository, release.Digest(digestOf(string(content))))
	if err != nil {
		t.Fatal(err)
	}
	defer blob.Close()
	if read, err := io.ReadAll(blob); err != nil || string(read) != string(content) {
		t.Errorf("Blob = %q, %v", read, err)
	}
}

func TestAttachRenewsATokenOnce(t *testing.T) {
	d := newDepot(t)
	subject := release.Digest(d.add(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`))
	r := registry.New(d.Session(t), "")
	artifact := release.Artifact{Subject: subject, ArtifactType: "text/plain", Content: []byte("x")}
	if _, err := r.Attach(t.Context(), repository, artifact); err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.password = "renewed"
	d.mu.Unlock()
	artifact.Content = []byte("y")
	if _, err := r.Attach(t.Context(), repository, artifact); err != nil || d.refused == 0 {
		t.Errorf("with a new password: %v (%d refused)", err, d.refused)
	}
	d.On("GetAuthorizationToken", awstest.Always(awstest.Body{"authorizationData": []any{awstest.Body{
		"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:wrong")),
		"expiresAt":          awstest.Epoch(time.Now().Add(12 * time.Hour)), "proxyEndpoint": d.server.URL,
	}}}))
	denied := registry.New(d.Session(t), "")
	_, err := denied.Attach(t.Context(), repository, artifact)
	if err == nil || !strings.Contains(err.Error(), "ecr:PutImage") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a refused token: %v, want the permissions named and no password", err)
	}
}

// TestAttachThroughTroubles: the registry's own troubles pass, as long as somebody waits for it.
func TestAttachThroughTroubles(t *testing.T) {
	d := newDepot(t)
	subject := release.Digest(d.add(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`))
	r := registry.New(d.Session(t), "")
	artifact := release.Artifact{Subject: subject, ArtifactType: "text/plain", Content: []byte("x")}
	d.failing = 2
	if _, err := r.Attach(t.Context(), repository, artifact); err != nil || d.left() != 0 {
		t.Errorf("after two failures: %v (%d left)", err, d.left())
	}
	d.mu.Lock()
	d.failing = 1000
	d.mu.Unlock()
	artifact.Content = []byte("y")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := r.Attach(ctx, repository, artifact); err == nil || d.left() == 1000 {
		t.Errorf("without end: %v after %d attempts", err, 1000-d.left())
	}
}

func TestAttachToNothing(t *testing.T) {
	d := newDepot(t)
	r := registry.New(d.Session(t), "")
	_, err := r.Attach(t.Context(), repository, release.Artifact{Subject: release.Digest(digestOf("absent")), ArtifactType: "text/plain"})
	if !errors.Is(err, release.ErrNotFound) {
		t.Errorf("attach to an image that does not exist: %v", err)
	}
	if _, err := r.Blob(t.Context(), repository, release.Digest(digestOf("absent"))); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("a blob that does not exist: %v", err)
	}
}

func TestReferrersOfAllPages(t *testing.T) {
	h := newHub(t)
	h.On("ListImageReferrers", func(in awstest.Body) any {
		if in["maxResults"] != 50.0 || in["subjectId"].(awstest.Body)["imageDigest"] != digestOf("subject") {
			t.Errorf("asked for %v", in)
		}
		one := func(s string) awstest.Body {
			return awstest.Body{"digest": digestOf(s), "mediaType": "m", "size": 1, "artifactType": "t/" + s, "annotations": awstest.Body{"k": s}}
		}
		if in["nextToken"] == nil {
			return awstest.Body{"referrers": []any{one("a")}, "nextToken": "next"}
		}
		return awstest.Body{"referrers": []any{one("b")}}
	})
	got, err := h.registry(t).Referrers(t.Context(), repository, release.Digest(digestOf("subject")))
	if err != nil {
		t.Fatal(err)
	}
	want := []release.Referrer{
		{Digest: release.Digest(digestOf("a")), ArtifactType: "t/a", Annotations: map[string]string{"k": "a"}},
		{Digest: release.Digest(digestOf("b")), ArtifactType: "t/b", Annotations: map[string]string{"k": "b"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReferrersWithoutEnd(t *testing.T) {
	h := newHub(t)
	page := awstest.Body{"nextToken": "again", "referrers": slices.Repeat([]any{awstest.Body{"digest": digestOf("a"), "mediaType": "m", "size": 1}}, 50)}
	h.On("ListImageReferrers", awstest.Always(page))
	if _, err := h.registry(t).Referrers(t.Context(), repository, release.Digest(digestOf("subject"))); err == nil || !strings.Contains(err.Error(), "more than 1000") {
		t.Errorf("referrers without end: %v", err)
	}
}

func TestManifestThatIsAnother(t *testing.T) {
	h := newHub(t)
	h.manifests[digestOf("asked")] = "answered"
	if _, _, err := h.registry(t).Manifest(t.Context(), repository, release.Digest(digestOf("asked"))); err == nil || !strings.Contains(err.Error(), "what arrived is "+digestOf("answered")) {
		t.Errorf("a manifest with another digest: %v", err)
	}
}
