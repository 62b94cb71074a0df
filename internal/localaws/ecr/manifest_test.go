package ecr

import (
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr/blob"
)

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"`+ociIndex+`","manifests":[]}`), ociIndex)
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"sha256:`+strings.Repeat("0", 64)+`"},"layers":[{}]}`), "")
	f.Fuzz(func(t *testing.T, content []byte, declared string) {
		m, err := parseManifest(content, declared)
		if err != nil {
			return
		}
		for _, d := range m.all() {
			if _, err := blob.ParseDigest(d.Digest); err != nil || d.Size < 0 {
				t.Errorf("accepted the descriptor %+v", d)
			}
		}
		if !m.index() && m.Config == nil {
			t.Error("accepted an image without config")
		}
	})
}
