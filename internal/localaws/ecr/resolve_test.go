package ecr_test

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/ecr"
)

func TestResolve(t *testing.T) {
	w := newWorld(t)
	w.create("team/app")
	_, one := w.pushImage("team/app", "latest", "one")
	_, two := w.pushImage("team/app", "v2", "two")
	_, port, err := net.SplitHostPort(w.host)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ image, digest string }{
		{w.host + "/team/app", one},
		{w.host + "/team/app:latest", one},
		{w.host + "/team/app:v2", two},
		{w.host + "/team/app@" + two, two},
		{w.host + "/team/app:latest@" + two, two},
		{"localhost:" + port + "/team/app:v2", two},
		{"000000000000.dkr.ecr.us-east-1.amazonaws.com/team/app:v2", two},
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app@" + one, one},
	}
	for _, test := range tests {
		got, err := w.backend.Resolve(t.Context(), region, test.image)
		if err != nil || got.Digest != test.digest || got.Ref != w.host+"/team/app@"+test.digest || !got.PlainHTTP || got.Username != "AWS" {
			t.Errorf("%s: %+v, %v", test.image, got, err)
			continue
		}
		w.want(200, w.do("GET", "/v2/team/app/manifests/"+got.Digest, got.Password, ""))
	}
}

// TestResolveGivesTheAddressToPullFrom: clients may know the registry by an address of a proxy or a port forward.
func TestResolveGivesTheAddressToPullFrom(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	_, digest := w.pushImage("app", "v1", "one")
	behind, err := ecr.New(ecr.Config{Store: w.store, Dir: filepath.Join(w.dir, "blobs"), Host: "registry.example:80", Pull: w.host})
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{"registry.example:80/app:v1", w.host + "/app:v1", "000000000000.dkr.ecr.us-east-1.amazonaws.com/app:v1"} {
		if got, err := behind.Resolve(t.Context(), region, image); err != nil || got.Ref != w.host+"/app@"+digest {
			t.Errorf("%s: %+v, %v", image, got, err)
		}
	}
}

func TestResolveRefuses(t *testing.T) {
	w := newWorld(t)
	w.create("app")
	w.pushImage("app", "v1", "one")
	tests := []struct {
		image, says string
		notFound    bool
	}{
		{w.host + "/nope:v1", "name unknown: RepositoryNotFoundException: The repository with name 'nope' does not exist", true},
		{w.host + "/app:v2", "manifest unknown: Requested image not found", true},
		{w.host + "/app", "app", true}, // no latest
		{w.host + "/app@" + digestOf("x"), "manifest unknown", true},
		{"nginx:1.27", "docker.io", false},
		{"library/nginx", "docker.io", false},
		{"ghcr.io/x/y:1", "local AWS can pull from its own registry only, not from ghcr.io: push the image to " + w.host, false},
		{"public.ecr.aws/x/y:1", "public.ecr.aws", false},
		{"localhost:1/app:v1", "localhost:1", false},
		{"", "not HOST/NAME", false},
		{w.host + "/app:", "not HOST/NAME", false},
		{w.host + "/app@", "not HOST/NAME", false},
		{w.host + "/", "not HOST/NAME", false},
	}
	for _, test := range tests {
		_, err := w.backend.Resolve(t.Context(), region, test.image)
		if err == nil || !strings.Contains(err.Error(), test.says) || errors.Is(err, ecr.ErrImageNotFound) != test.notFound {
			t.Errorf("%q: %v", test.image, err)
		}
	}
	if _, err := w.backend.Resolve(t.Context(), "eu-west-1", w.host+"/app:v1"); !errors.Is(err, ecr.ErrImageNotFound) {
		t.Errorf("found in another region: %v", err)
	}
}
