//go:build linux

package containerd_test

import (
	"path/filepath"
	"testing"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/enginetest"
)

// What another namespace of containerd has, a build's above all, is not moved again.
func TestPullMovesNothingTwice(t *testing.T) {
	s := newStage(t)
	h, pull := appImage(t, v1.Config{Cmd: []string{"exit", "0"}})
	c, err := client.New(filepath.Join(s.dir, "engine/run/c.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	resolver := docker.NewResolver(docker.ResolverOptions{Hosts: docker.ConfigureDefaultRegistries(docker.WithPlainHTTP(docker.MatchLocalhost))})
	if _, err := c.Fetch(namespaces.WithNamespace(within(t), "buildkit"), pull.Ref, client.WithResolver(resolver)); err != nil {
		t.Fatal(err)
	}
	moved := h.Blobs.Load()
	if moved == 0 {
		t.Fatal("the first fetch moved nothing: the count is broken")
	}
	for range 2 {
		if _, err := s.Pull(within(t), pull); err != nil {
			t.Fatal(err)
		}
	}
	if again := h.Blobs.Load() - moved; again != 0 {
		t.Errorf("%d blobs were moved again", again)
	}
}

// A pull of what was just built moves no blob.
func TestBuildThenPull(t *testing.T) {
	s := newStage(t)
	h := enginetest.NewHub(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.config.Registry = h.Host
	s.open(t)
	s.shared().BuildApp(t, h.Host+"/built:latest")
	moved := h.Blobs.Load()
	if _, err := s.Pull(within(t), engine.PullRequest{Ref: h.Host + "/built:latest", PlainHTTP: true}); err != nil {
		t.Fatal(err)
	}
	if again := h.Blobs.Load() - moved; again != 0 {
		t.Errorf("the pull moved %d blobs that the build left here", again)
	}
}
