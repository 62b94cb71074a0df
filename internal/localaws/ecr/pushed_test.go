package ecr_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/ecr"
)

const ociManifest = "application/vnd.oci.image.manifest.v1+json"

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// answer is a response whose body was read.
type answer struct {
	status int
	header http.Header
	body   string
}

// errorCode is the code of an OCI error body.
func (a answer) errorCode() string {
	var e struct {
		Errors []struct{ Code, Message string }
	}
	if json.Unmarshal([]byte(a.body), &e) != nil || len(e.Errors) != 1 {
		return "no OCI error: " + a.body
	}
	return e.Errors[0].Code
}

// do sends a raw request to the registry; headers are name, value, ….
func (w *world) do(method, path, password, body string, headers ...string) answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.ctx(), method, w.server.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if password != "" {
		r.SetBasicAuth("AWS", password)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(text)}
}

// want fails the test unless the answer has the status.
func (w *world) want(status int, a answer) answer {
	w.t.Helper()
	if a.status != status {
		w.t.Fatalf("status %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// pushBlob uploads in one request and gives the digest.
func (w *world) pushBlob(repository, content string) string {
	w.t.Helper()
	digest := digestOf(content)
	w.want(http.StatusCreated, w.do("POST", "/v2/"+repository+"/blobs/uploads/?digest="+digest, w.password(), content))
	return digest
}

// manifestOf is an image manifest with a config and one layer.
func manifestOf(config, layer string) string {
	return fmt.Sprintf(`{"schemaVersion":2,"mediaType":%q,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":%q,"size":%d},`+
		`"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":%q,"size":%d}]}`,
		ociManifest, digestOf(config), len(config), digestOf(layer), len(layer))
}

// pushImage pushes a small image whose layer is the text, and gives the manifest and its digest.
func (w *world) pushImage(repository, tag, layer string) (manifest, digest string) {
	w.t.Helper()
	w.pushBlob(repository, "{}")
	w.pushBlob(repository, layer)
	manifest = manifestOf("{}", layer)
	w.want(http.StatusCreated, w.do("PUT", "/v2/"+repository+"/manifests/"+tag, w.password(), manifest, "Content-Type", ociManifest))
	return manifest, digestOf(manifest)
}

// tags gives tag → digest, by the API.
func (w *world) tags(repository string) map[string]string {
	w.t.Helper()
	out, err := w.client().ListImages(w.ctx(), &sdk.ListImagesInput{RepositoryName: &repository})
	if err != nil {
		w.t.Fatal(err)
	}
	got := map[string]string{}
	for _, id := range out.ImageIds {
		got[aws.ToString(id.ImageTag)] = *id.ImageDigest
	}
	return got
}

func wantTags(t *testing.T, w *world, repository string, want map[string]string) {
	t.Helper()
	got := w.tags(repository)
	if len(got) != len(want) {
		t.Errorf("tags %v, want %v", got, want)
	}
	for tag, digest := range want {
		if got[tag] != digest {
			t.Errorf("tag %q is %q, want %q", tag, got[tag], digest)
		}
	}
}
