package registry_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/registry"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	repository = "medusa"
	host       = "127.0.0.1:4566"
)

// hub is an ECR with one repository.
type hub struct {
	*awstest.AWS
	mu        sync.Mutex
	manifests map[string]string // digest → manifest
	tags      map[string]string // tag → digest
	blobs     map[string]string
	password  string
	blobFails []int // HTTP statuses that blob requests get first
	asked     []string
}

func newHub(t *testing.T) *hub {
	h := &hub{AWS: awstest.New(t), manifests: map[string]string{}, tags: map[string]string{}, blobs: map[string]string{}, password: "secret"}
	h.On("GetAuthorizationToken", func(awstest.Body) any {
		return awstest.Body{"authorizationData": []any{awstest.Body{
			"authorizationToken": base64.StdEncoding.EncodeToString([]byte("AWS:" + h.password)),
			"expiresAt":          awstest.Epoch(time.Now().Add(12 * time.Hour)), "proxyEndpoint": "http://" + host,
		}}}
	})
	h.On("BatchGetImage", func(in awstest.Body) any { return h.batchGetImages(t, in) })
	h.On("DescribeImages", func(in awstest.Body) any { return h.describeMany(t, in) })
	h.OnPath("/v2/", http.HandlerFunc(h.blob))
	return h
}

func (h *hub) registry(t *testing.T) *registry.Registry { return registry.New(h.Session(t), "") }

func digestOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// addImage puts an image for one platform into the hub.
func (h *hub) addImage(t *testing.T, labels map[string]string, architecture string, tags ...string) string {
	config := text(t, awstest.Body{"os": "linux", "architecture": architecture, "config": awstest.Body{"Labels": labels}})
	h.blobs[digestOf(config)] = config
	return h.add(text(t, awstest.Body{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": awstest.Body{"digest": digestOf(config), "size": len(config)},
		"layers": []any{awstest.Body{"size": 1000}, awstest.Body{"size": 500}},
	}), tags...)
}

func (h *hub) add(manifest string, tags ...string) string {
	d := digestOf(manifest)
	h.manifests[d] = manifest
	for _, tag := range tags {
		h.tags[tag] = d
	}
	return d
}

func text(t *testing.T, v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// find gives the digest that an image id names.
func (h *hub) find(in awstest.Body) (awstest.Body, string) {
	id := in["imageIds"].([]any)[0].(awstest.Body)
	digest, _ := id["imageDigest"].(string)
	if tag, ok := id["imageTag"].(string); ok {
		digest = h.tags[tag]
	}
	return id, digest
}

func (h *hub) batchGetImage(in awstest.Body) any {
	if in["repositoryName"] != repository {
		return awstest.Failure{Status: 400, Code: "RepositoryNotFoundException", Message: "The repository does not exist"}
	}
	id, digest := h.find(in)
	manifest, ok := h.manifests[digest]
	if !ok {
		return awstest.Body{"failures": []any{awstest.Body{"imageId": id, "failureCode": "ImageNotFound", "failureReason": "Requested image not found"}}}
	}
	var media struct{ MediaType string }
	_ = json.Unmarshal([]byte(manifest), &media)
	return awstest.Body{"images": []any{awstest.Body{
		"imageId": awstest.Body{"imageDigest": digest}, "imageManifest": manifest, "imageManifestMediaType": media.MediaType,
	}}}
}

func (h *hub) describeImages(in awstest.Body) any {
	_, digest := h.find(in)
	if h.manifests[digest] == "" {
		return awstest.Failure{Status: 400, Code: "ImageNotFoundException", Message: "no such image"}
	}
	var tags []string
	for tag, d := range h.tags {
		if d == digest {
			tags = append(tags, tag)
		}
	}
	return awstest.Body{"imageDetails": []any{awstest.Body{"imageDigest": digest, "imageTags": tags, "imagePushedAt": 1790000000, "imageSizeInBytes": 1234}}}
}

func (h *hub) blob(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.asked = append(h.asked, r.URL.Path)
	if _, password, _ := r.BasicAuth(); password != h.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if len(h.blobFails) > 0 {
		w.WriteHeader(h.blobFails[0])
		h.blobFails = h.blobFails[1:]
		return
	}
	_, digest, _ := strings.Cut(r.URL.Path, "/v2/"+repository+"/blobs/")
	if h.blobs[digest] == "" {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte(h.blobs[digest]))
}

func TestImageByTagAndByDigest(t *testing.T) {
	h := newHub(t)
	labels := map[string]string{release.LabelRevision: "c0ffee"}
	digest := h.addImage(t, labels, "amd64", "latest", "git-c0ffee")
	r := h.registry(t)
	want := release.Image{
		Repository: host + "/" + repository, Digest: release.Digest(digest), Tags: []string{"git-c0ffee", "latest"},
		Platforms: []string{"linux/amd64"}, Labels: labels, PushedAt: time.Unix(1790000000, 0).UTC(), SizeBytes: 1234,
	}
	for _, reference := range []string{"latest", digest, "latest"} {
		got, err := r.Image(t.Context(), repository, reference)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", reference, diff)
		}
	}
	if len(h.asked) != 1 {
		t.Errorf("the config was downloaded %d times; what a digest names never changes", len(h.asked))
	}
}

func TestImageOfAnIndex(t *testing.T) {
	h := newHub(t)
	amd := h.addImage(t, map[string]string{"a": "amd64"}, "amd64")
	arm := h.addImage(t, map[string]string{"a": "arm64"}, "arm64")
	index := h.add(text(t, awstest.Body{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
		"manifests": []any{
			awstest.Body{"digest": amd, "platform": awstest.Body{"os": "linux", "architecture": "amd64"}},
			awstest.Body{"digest": arm, "platform": awstest.Body{"os": "linux", "architecture": "arm64", "variant": "v8"}},
			awstest.Body{"digest": digestOf("attestation"), "platform": awstest.Body{"os": "unknown", "architecture": "unknown"},
				"annotations": awstest.Body{"vnd.docker.reference.type": "attestation-manifest"}},
		},
	}), "latest")
	got, err := h.registry(t).Image(t.Context(), repository, "latest")
	if err != nil {
		t.Fatal(err)
	}
	want := release.Image{
		Repository: host + "/" + repository, Digest: release.Digest(index), Manifests: []release.Digest{release.Digest(amd), release.Digest(arm)},
		Tags: []string{"latest"}, Platforms: []string{"linux/amd64", "linux/arm64"}, Labels: map[string]string{"a": "amd64"},
		PushedAt: time.Unix(1790000000, 0).UTC(), SizeBytes: 1234,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestImageThatIsNotThere(t *testing.T) {
	h := newHub(t)
	for _, c := range [][2]string{{repository, "nothing"}, {repository, digestOf("nothing")}, {"nowhere", "latest"}} {
		if _, err := h.registry(t).Image(t.Context(), c[0], c[1]); !errors.Is(err, release.ErrNotFound) {
			t.Errorf("%s: %v", c, err)
		}
	}
	digest := h.addImage(t, nil, "amd64", "latest")
	r := h.registry(t)
	if _, err := r.Image(t.Context(), repository, digest); err != nil {
		t.Fatal(err)
	}
	delete(h.manifests, digest)
	if _, err := r.Image(t.Context(), repository, digest); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("a deleted image that was known before: %v", err)
	}
}

func TestBlobSurvivesTroubleThatPasses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		h.addImage(t, map[string]string{"a": "b"}, "amd64", "latest")
		h.blobFails = []int{503, 429, 500}
		got, err := h.registry(t).Image(t.Context(), repository, "latest")
		if err != nil || got.Labels["a"] != "b" {
			t.Errorf("got %v, %v", got.Labels, err)
		}
	})
}

func TestARefusedTokenIsRenewedOnce(t *testing.T) {
	h := newHub(t)
	h.addImage(t, nil, "amd64", "latest")
	r := h.registry(t)
	if _, err := r.Authenticate(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.password = "another"
	if _, err := r.Image(t.Context(), repository, "latest"); err != nil {
		t.Errorf("the token was not renewed: %v", err)
	}

	h.addImage(t, map[string]string{"x": "y"}, "amd64", "latest")
	h.blobFails = []int{403, 403}
	_, err := h.registry(t).Image(t.Context(), repository, "latest")
	if err == nil || !strings.Contains(err.Error(), "ecr:BatchGetImage") {
		t.Errorf("got %v", err)
	}
}

func TestABlobThatIsNotWhatItsDigestSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		h.addImage(t, nil, "amd64", "latest")
		for digest := range h.blobs {
			h.blobs[digest] = "{}"
		}
		_, err := h.registry(t).Image(t.Context(), repository, "latest")
		if err == nil || !strings.Contains(err.Error(), "what arrived is not sha256:") {
			t.Errorf("got %v", err)
		}
	})
}

func TestAuthenticate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHub(t)
		r := h.registry(t)
		begin := time.Now()
		for range 3 {
			got, err := r.Authenticate(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := release.Credentials{Host: host, Username: "AWS", Password: "secret", Expires: begin.Add(12 * time.Hour)}
			if !got.Expires.Equal(want.Expires) || got.Host != want.Host || got.Username != want.Username || got.Password != want.Password {
				t.Errorf("got %v until %s", got, got.Expires)
			}
		}
		if n := h.Count("GetAuthorizationToken"); n != 1 {
			t.Errorf("asked %d times for a token", n)
		}
		time.Sleep(11*time.Hour + 45*time.Minute)
		if _, err := r.Authenticate(t.Context()); err != nil || h.Count("GetAuthorizationToken") != 2 {
			t.Errorf("a token near its end must be renewed: %v", err)
		}
	})
}

func TestHost(t *testing.T) {
	h := newHub(t)
	if got, err := h.registry(t).Host(t.Context()); err != nil || got != host {
		t.Errorf("got %s, %v", got, err)
	}
	const configured = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
	if got, err := registry.New(h.Session(t), configured).Host(t.Context()); err != nil || got != configured {
		t.Errorf("got %s, %v", got, err)
	}
}

// TestAHostInAnotherRegionLeadsTheCallsThere goes to AWS's own endpoints, as the requests show.
func TestAHostInAnotherRegionLeadsTheCallsThere(t *testing.T) {
	h := newHub(t)
	h.On("DescribeRepositories", awstest.Always(awstest.Body{}))
	seen := &hostSpy{next: h.AWS}
	t.Setenv("AWS_ENDPOINT_URL", "")
	session := h.Session(t, func(c *awsclient.Config) { c.Endpoint, c.HTTP = "", seen })
	r := registry.New(session, "123456789012.dkr.ecr.eu-west-1.amazonaws.com")
	if _, err := r.EnsureRepository(t.Context(), repository); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"api.ecr.eu-west-1.amazonaws.com"}, seen.hosts); diff != "" {
		t.Error(diff)
	}
	if got := h.Inputs("DescribeRepositories")[0]["registryId"]; got != "123456789012" {
		t.Errorf("the registry asked for is %v", got)
	}
}

type hostSpy struct {
	next  awsclient.HTTPClient
	hosts []string
}

func (s *hostSpy) Do(r *http.Request) (*http.Response, error) {
	s.hosts = append(s.hosts, r.URL.Host)
	return s.next.Do(r)
}
