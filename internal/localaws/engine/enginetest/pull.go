package enginetest

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

func testPull(t *testing.T, open Opener) {
	s := open(t)
	h := NewHub(t)
	amd := ImageOf(t, "amd64", v1.Config{Env: []string{"A=amd64"}})
	arm := ImageOf(t, "arm64", v1.Config{Env: []string{"A=arm64"}})
	plain := h.Push(t, "plain", amd)
	foreign := h.Push(t, "foreign", arm)
	both := h.PushIndex(t, "both", arm, amd)
	onlyARM := h.PushIndex(t, "only-arm", arm)
	gone := plain
	gone.Ref = h.Host + "/plain@sha256:" + strings.Repeat("0", 64)
	nowhere := plain
	nowhere.Ref = strings.Replace(plain.Ref, h.Host, "127.0.0.1:1", 1)
	for _, c := range []struct {
		name         string
		pull         engine.PullRequest
		architecture string
		got          string
		fails        error
		want         string
	}{
		{name: "manifest", pull: plain, architecture: "amd64", got: "amd64"},
		{name: "manifest of another architecture", pull: foreign, architecture: "amd64", got: "arm64"},
		{name: "index", pull: both, architecture: "amd64", got: "amd64"},
		{name: "index, other architecture", pull: both, architecture: "arm64", got: "arm64"},
		{name: "index without the architecture", pull: onlyARM, architecture: "amd64", fails: engine.ErrPull,
			want: "image Manifest does not contain descriptor matching platform 'linux/amd64'"},
		{name: "no such digest", pull: gone, fails: engine.ErrImageNotFound, want: gone.Ref},
		{name: "no registry there", pull: nowhere, fails: engine.ErrPull, want: "connection refused"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.pull.Architecture = c.architecture
			img, err := s.Pull(Within(t), c.pull)
			if c.fails != nil {
				if !errors.Is(err, c.fails) || !strings.Contains(err.Error(), c.want) {
					t.Fatalf("err = %v, want %v with %q", err, c.fails, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if img.Architecture != c.got || !strings.HasSuffix(c.pull.Ref, img.Digest) || img.Ref != c.pull.Ref {
				t.Errorf("image = %+v", img)
			}
			if isIndex := img.Manifest != img.Digest; isIndex != strings.HasPrefix(c.name, "index") {
				t.Errorf("manifest = %s, digest = %s", img.Manifest, img.Digest)
			}
		})
	}
}

func testPullWithPassword(t *testing.T, open Opener) {
	s := open(t)
	h := NewHub(t)
	pull := h.Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	h.Auth = "AWS:secret"
	if _, err := s.Pull(Within(t), pull); !errors.Is(err, engine.ErrPull) {
		t.Errorf("without a password: %v, want ErrPull", err)
	}
	pull.Username, pull.Password = "AWS", "secret"
	if _, err := s.Pull(Within(t), pull); err != nil {
		t.Error(err)
	}
	pull.Password = "wrong"
	if _, err := s.Pull(Within(t), pull); !errors.Is(err, engine.ErrPull) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong password: %v, want ErrPull without it", err)
	}
}
