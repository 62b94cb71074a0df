package ecr_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAuthentication(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	good := w.password()
	for name, password := range map[string]string{"none": "", "nonsense": "hello", "unsigned": strings.Split(good, ".")[0], "forged": good[:len(good)-4] + "AAAA"} {
		t.Run(name, func(t *testing.T) {
			a := w.do("GET", "/v2/", password, "")
			if a.status != 401 || strings.TrimSpace(a.body) != "Not Authorized" || a.header.Get("Docker-Distribution-Api-Version") != "registry/2.0" ||
				a.header.Get("Www-Authenticate") != `Basic realm="http://`+w.host+`/",service="ecr.amazonaws.com"` {
				t.Errorf("%d %v %s", a.status, a.header, a.body)
			}
		})
	}
	a := w.do("GET", "/v2/", good, "")
	if a.status != 200 || a.header.Get("Docker-Distribution-Api-Version") != "registry/2.0" {
		t.Errorf("%d %s", a.status, a.body)
	}
	r, err := http.NewRequestWithContext(t.Context(), "GET", w.server.URL+"/v2/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("root", good)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != 401 {
		t.Errorf("another user name passes: %d", response.StatusCode)
	}
}

func TestTokensKeepTheirRegion(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	w.pushImage("app", "v1", "one")
	other := w.passwordIn("eu-west-1")
	if a := w.do("GET", "/v2/app/manifests/v1", other, ""); a.status != 404 || a.errorCode() != "NAME_UNKNOWN" {
		t.Errorf("another region sees the repository: %d %s", a.status, a.body)
	}
}

func TestTokensSurviveARestart(t *testing.T) {
	w := newWorld(t)
	password := w.password()
	w.close()
	w = openWorld(t, w.dir)
	w.want(200, w.do("GET", "/v2/", password, ""))
}

func TestRegistryErrors(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	w.pushImage("app", "v1", "one")
	password := w.password()
	tests := []struct {
		name, method, path, body string
		status                   int
		code, says               string
	}{
		{"push to a missing repository", "POST", "/v2/nope/blobs/uploads/", "", 404, "NAME_UNKNOWN", "The repository with name 'nope' does not exist in the registry with id '000000000000'"},
		{"pull from a missing repository", "GET", "/v2/nope/manifests/v1", "", 404, "NAME_UNKNOWN", "'nope'"},
		{"bad name", "GET", "/v2/Nope/manifests/v1", "", 400, "NAME_INVALID", ""},
		{"missing tag", "GET", "/v2/app/manifests/v2", "", 404, "MANIFEST_UNKNOWN", "Requested image not found"},
		{"missing digest", "GET", "/v2/app/manifests/" + digestOf("x"), "", 404, "MANIFEST_UNKNOWN", "Requested image not found"},
		{"bad tag", "GET", "/v2/app/manifests/-v", "", 400, "TAG_INVALID", ""},
		{"bad digest", "GET", "/v2/app/manifests/sha256:0", "", 400, "DIGEST_INVALID", ""},
		{"missing blob", "GET", "/v2/app/blobs/" + digestOf("x"), "", 404, "BLOB_UNKNOWN", ""},
		{"missing upload", "PATCH", "/v2/app/blobs/uploads/00000000-0000-0000-0000-000000000000", "x", 404, "BLOB_UPLOAD_UNKNOWN", ""},
		{"missing layer", "PUT", "/v2/app/manifests/v2", manifestOf("{}", "absent"), 404, "MANIFEST_BLOB_UNKNOWN", digestOf("absent")},
		{"manifest of other digest", "PUT", "/v2/app/manifests/" + digestOf("x"), manifestOf("{}", "one"), 400, "DIGEST_INVALID", ""},
		{"no manifest", "PUT", "/v2/app/manifests/v2", "hello", 400, "MANIFEST_INVALID", ""},
		{"huge manifest", "PUT", "/v2/app/manifests/v2", strings.Repeat(" ", 4194305), 413, "MANIFEST_INVALID", ""},
		{"needed layer", "DELETE", "/v2/app/blobs/" + digestOf("one"), "", 403, "DENIED", "needed by the image"},
		{"wrong method", "POST", "/v2/app/manifests/v1", "", 405, "UNSUPPORTED", ""},
		{"no such resource", "GET", "/v2/app/secrets/v1", "", 404, "UNSUPPORTED", ""},
		{"catalog", "GET", "/v2/_catalog", "", 404, "UNSUPPORTED", ""},
		{"bad page", "GET", "/v2/app/tags/list?n=x", "", 400, "UNSUPPORTED", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := w.do(test.method, test.path, password, test.body)
			if a.status != test.status || a.errorCode() != test.code || !strings.Contains(a.body, test.says) {
				t.Errorf("%d %s, want %d %s …%s…", a.status, a.body, test.status, test.code, test.says)
			}
		})
	}
}

func TestChunkedUploadSurvivesARestart(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	password := w.password()
	start := w.want(202, w.do("POST", "/v2/app/blobs/uploads/", password, ""))
	at := start.header.Get("Location")
	first := w.want(202, w.do("PATCH", at, password, "hello ", "Content-Range", "0-5"))
	if first.header.Get("Range") != "0-5" || first.header.Get("Location") != at {
		t.Errorf("%v", first.header)
	}
	w.close()
	w = openWorld(t, w.dir)
	if a := w.want(204, w.do("GET", at, password, "")); a.header.Get("Range") != "0-5" {
		t.Errorf("after the restart: %v", a.header)
	}
	if a := w.do("PATCH", at, password, "x", "Content-Range", "3-3"); a.status != 416 || a.header.Get("Range") != "0-5" || a.errorCode() != "BLOB_UPLOAD_INVALID" {
		t.Errorf("a gap: %d %v", a.status, a.header)
	}
	if a := w.do("PATCH", at, password, "x", "Content-Range", "6-9"); a.status != 400 || a.errorCode() != "SIZE_INVALID" {
		t.Errorf("a wrong length: %d %s", a.status, a.body)
	}
	digest := digestOf("hello world")
	done := w.want(201, w.do("PUT", at+"?digest="+digest, password, "world", "Content-Range", "6-10"))
	if done.header.Get("Docker-Content-Digest") != digest || done.header.Get("Location") != "/v2/app/blobs/"+digest {
		t.Errorf("%v", done.header)
	}
	if a := w.want(206, w.do("GET", "/v2/app/blobs/"+digest, password, "", "Range", "bytes=6-")); a.body != "world" {
		t.Errorf("range: %q", a.body)
	}
}

func TestUploadWithWrongDigest(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	a := w.do("POST", "/v2/app/blobs/uploads/?digest="+digestOf("other"), w.password(), "content")
	if a.status != 400 || a.errorCode() != "DIGEST_INVALID" {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, content := range []string{"other", "content"} {
		if a := w.do("HEAD", "/v2/app/blobs/"+digestOf(content), w.password(), ""); a.status != 404 {
			t.Errorf("%s is there: %d", content, a.status)
		}
	}
}

// TestMount shares a blob between repositories, and shows that deleting it in one leaves it in the other.
func TestMount(t *testing.T) {
	w := newWorld(t)
	w.create("one")
	w.create("two")
	digest := w.pushBlob("one", "shared")
	password := w.password()
	if a := w.do("HEAD", "/v2/two/blobs/"+digest, password, ""); a.status != 404 {
		t.Errorf("visible before it is mounted: %d", a.status)
	}
	w.want(202, w.do("POST", "/v2/two/blobs/uploads/?mount="+digestOf("absent")+"&from=one", password, ""))
	w.want(202, w.do("POST", "/v2/two/blobs/uploads/?mount="+digest+"&from=nope", password, ""))
	w.want(201, w.do("POST", "/v2/two/blobs/uploads/?mount="+digest+"&from=one", password, ""))
	w.want(202, w.do("DELETE", "/v2/one/blobs/"+digest, password, ""))
	w.want(404, w.do("GET", "/v2/one/blobs/"+digest, password, ""))
	if a := w.want(200, w.do("GET", "/v2/two/blobs/"+digest, password, "")); a.body != "shared" {
		t.Errorf("got %q", a.body)
	}
}

func TestTagPages(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	manifest, _ := w.pushImage("app", "t0", "one")
	want := []string{"t0"}
	for i := 1; i < 5; i++ {
		tag := fmt.Sprintf("t%d", i)
		w.want(201, w.do("PUT", "/v2/app/manifests/"+tag, w.password(), manifest, "Content-Type", ociManifest))
		want = append(want, tag)
	}
	var got []string
	for path := "/v2/app/tags/list?n=2"; path != ""; {
		a := w.want(200, w.do("GET", path, w.password(), ""))
		var page struct {
			Name string
			Tags []string
		}
		if err := json.Unmarshal([]byte(a.body), &page); err != nil || page.Name != "app" || len(page.Tags) > 2 {
			t.Fatalf("%s, %v", a.body, err)
		}
		got = append(got, page.Tags...)
		path, _, _ = strings.Cut(strings.TrimPrefix(a.header.Get("Link"), "<"), ">")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if a := w.do("GET", "/v2/app/tags/list?n=0", w.password(), ""); a.body != `{"name":"app","tags":[]}` {
		t.Errorf("n=0: %s", a.body)
	}
}

func TestReferrers(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	_, subject := w.pushImage("app", "v1", "one")
	w.pushBlob("app", "sbom")
	attached := strings.Replace(manifestOf("{}", "sbom"), `"config"`,
		fmt.Sprintf(`"artifactType":"application/sbom","annotations":{"k":"v"},"subject":{"mediaType":%q,"digest":%q,"size":1},"config"`, ociManifest, subject), 1)
	put := w.want(201, w.do("PUT", "/v2/app/manifests/"+digestOf(attached), w.password(), attached, "Content-Type", ociManifest))
	if put.header.Get("Oci-Subject") != subject {
		t.Errorf("%v", put.header)
	}
	a := w.want(200, w.do("GET", "/v2/app/referrers/"+subject, w.password(), ""))
	want := fmt.Sprintf(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":%q,"digest":%q,"size":%d,"artifactType":"application/sbom","annotations":{"k":"v"}}]}`,
		ociManifest, digestOf(attached), len(attached))
	if a.body != want {
		t.Errorf("got  %s\nwant %s", a.body, want)
	}
	filtered := w.want(200, w.do("GET", "/v2/app/referrers/"+subject+"?artifactType=application/other", w.password(), ""))
	if !strings.Contains(filtered.body, `"manifests":[]`) || filtered.header.Get("Oci-Filters-Applied") != "artifactType" {
		t.Errorf("%s %v", filtered.body, filtered.header)
	}
	if none := w.want(200, w.do("GET", "/v2/app/referrers/"+digestOf("x"), w.password(), "")); !strings.Contains(none.body, `"manifests":[]`) {
		t.Errorf("%s", none.body)
	}
}
