package registry

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestParseToken(t *testing.T) {
	good := base64.StdEncoding.EncodeToString([]byte("AWS:pass:word"))
	got, err := parseToken(good, "https://123456789012.dkr.ecr.us-east-1.amazonaws.com")
	if err != nil || got.Username != "AWS" || got.Password != "pass:word" || got.endpoint.Scheme != "https" {
		t.Errorf("got %v, %v", got.Credentials, err)
	}
	for _, c := range [][2]string{
		{"%%%", "https://h"}, {base64.StdEncoding.EncodeToString([]byte("hush")), "https://h"}, {good, "h"}, {good, "ftp://h"}, {good, ""},
	} {
		if _, err := parseToken(c[0], c[1]); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", c, err)
		}
	}
}

func FuzzParseManifest(f *testing.F) {
	f.Add(`{"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":1},"layers":[{"size":2}]}`)
	f.Add(`{"manifests":[{"digest":"sha256:` + strings.Repeat("b", 64) + `","platform":{"os":"linux","architecture":"arm64","variant":"v8"}}]}`)
	f.Add(`{"manifests":[{"digest":"x"}]}`)
	f.Add(`[]`)
	f.Fuzz(func(t *testing.T, raw string) {
		m, err := parseManifest(raw)
		if err != nil {
			return
		}
		if !m.index() && !m.Config.Digest.Valid() {
			t.Errorf("a manifest without a config passes: %q", raw)
		}
		for _, d := range m.images() {
			if !d.Digest.Valid() || d.Platform == nil {
				t.Errorf("a platform image without digest or platform passes: %q", raw)
			}
		}
	})
}

func FuzzParseToken(f *testing.F) {
	f.Add("QVdTOnB3", "https://h")
	f.Fuzz(func(t *testing.T, encoded, endpoint string) {
		got, err := parseToken(encoded, endpoint)
		if err == nil && (got.Username == "" || got.Password == "" || got.Host == "") {
			t.Errorf("%q %q gives %v", encoded, endpoint, got.Credentials)
		}
	})
}
