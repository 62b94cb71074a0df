package ecr

import (
	"strings"
	"testing"
)

func FuzzSplitRef(f *testing.F) {
	f.Add("127.0.0.1:4566/team/app:v1@sha256:" + strings.Repeat("0", 64))
	f.Add("localhost/a:b/c@d@e")
	f.Fuzz(func(t *testing.T, ref string) {
		host, name, tag, digest, err := splitRef(ref)
		if err != nil {
			return
		}
		back := name
		if host != "" {
			back = host + "/" + name
		}
		if tag != "" {
			back += ":" + tag
		}
		if digest != "" {
			back += "@" + digest
		}
		if name == "" || back != ref && back != ref+":latest" {
			t.Errorf("%q splits into %q %q %q %q", ref, host, name, tag, digest)
		}
	})
}

func FuzzRoute(f *testing.F) {
	f.Add("/v2/team/app/blobs/uploads/id")
	f.Add("/v2//manifests//")
	f.Add("/v2/blobs/uploads/blobs/uploads/")
	f.Fuzz(func(t *testing.T, path string) {
		v, ok := route(path)
		if ok && !strings.HasPrefix(path, "/v2/"+v.at.name+"/") && v.at.name != "" {
			t.Errorf("%q is routed to %+v", path, v)
		}
	})
}
