//go:build linux

package containerd_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

func TestPull(t *testing.T) {
	s := newStage(t)
	h := newHub(t)
	amd := imageOf(t, "amd64", v1.Config{Env: []string{"A=amd64"}})
	arm := imageOf(t, "arm64", v1.Config{Env: []string{"A=arm64"}})
	plain := h.push(t, "plain", amd)
	foreign := h.push(t, "foreign", arm)
	both := h.pushIndex(t, "both", arm, amd)
	onlyARM := h.pushIndex(t, "only-arm", arm)
	gone := plain
	gone.Ref = h.host + "/plain@sha256:" + strings.Repeat("0", 64)
	nowhere := plain
	nowhere.Ref = strings.Replace(plain.Ref, h.host, "127.0.0.1:1", 1)
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
			img, err := s.Pull(within(t), c.pull)
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

func TestPullWithPassword(t *testing.T) {
	s := newStage(t)
	h := newHub(t)
	pull := h.push(t, "app", imageOf(t, runtime.GOARCH, v1.Config{}))
	h.auth = "AWS:secret"
	if _, err := s.Pull(within(t), pull); !errors.Is(err, engine.ErrPull) {
		t.Errorf("without a password: %v, want ErrPull", err)
	}
	pull.Username, pull.Password = "AWS", "secret"
	if _, err := s.Pull(within(t), pull); err != nil {
		t.Error(err)
	}
	pull.Password = "wrong"
	if _, err := s.Pull(within(t), pull); !errors.Is(err, engine.ErrPull) || strings.Contains(err.Error(), "wrong") {
		t.Errorf("with a wrong password: %v, want ErrPull without it", err)
	}
}

// What another namespace of containerd has, a build's above all, is not moved again.
func TestPullMovesNothingTwice(t *testing.T) {
	s := newStage(t)
	h := newHub(t)
	pull := h.push(t, "app", imageOf(t, runtime.GOARCH, v1.Config{Cmd: []string{"exit", "0"}}))
	c, err := client.New(filepath.Join(s.dir, "engine/run/c.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	resolver := docker.NewResolver(docker.ResolverOptions{Hosts: docker.ConfigureDefaultRegistries(docker.WithPlainHTTP(docker.MatchLocalhost))})
	if _, err := c.Fetch(namespaces.WithNamespace(within(t), "buildkit"), pull.Ref, client.WithResolver(resolver)); err != nil {
		t.Fatal(err)
	}
	moved := h.blobs.Load()
	if moved == 0 {
		t.Fatal("the first fetch moved nothing: the count is broken")
	}
	for range 2 {
		if _, err := s.Pull(within(t), pull); err != nil {
			t.Fatal(err)
		}
	}
	if again := h.blobs.Load() - moved; again != 0 {
		t.Errorf("%d blobs were moved again", again)
	}
}

// BuildKit builds with a RUN step, pushes to the plain HTTP registry, and a pull of the result moves no blob.
func TestBuild(t *testing.T) {
	s := newStage(t)
	buildctl := filepath.Join(s.config.BinDir, "buildctl")
	if _, err := exec.LookPath(buildctl); err != nil {
		t.Skip("no buildctl: run `make engine-client`")
	}
	h := newHub(t)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.config.Registry = h.host
	s.open(t)
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "app"), appBinary(t, runtime.GOARCH))
	writeFile(t, filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY app /app\nRUN [\"/app\", \"write\", \"/made\"]\nENTRYPOINT [\"/app\"]\n"))
	out, err := exec.CommandContext(within(t), buildctl, "--addr", s.BuildKitAddress(), "build", "--frontend", "dockerfile.v0",
		"--local", "context="+dir, "--local", "dockerfile="+dir,
		"--output", "type=image,name="+h.host+"/built:latest,push=true").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	moved := h.blobs.Load()
	pull := engine.PullRequest{Ref: h.host + "/built:latest", PlainHTTP: true}
	s.start(t, pull, "web", "read", "/made")
	if exit, text := s.output(t, "web"); exit.Code != 0 || text != "x" {
		t.Errorf("exit = %+v, log %q", exit, text)
	}
	if again := h.blobs.Load() - moved; again != 0 {
		t.Errorf("the pull moved %d blobs that the build left here", again)
	}
}
