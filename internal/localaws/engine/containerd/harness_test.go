//go:build linux

package containerd_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
)

// patience is for what takes milliseconds, on a machine that is busy with everything else.
const patience = 2 * time.Minute

// app builds testdata/app for an architecture, once a run.
var app = struct {
	sync.Mutex
	built map[string][]byte
}{built: map[string][]byte{}}

func appBinary(t *testing.T, architecture string) []byte {
	t.Helper()
	app.Lock()
	defer app.Unlock()
	if binary, ok := app.built[architecture]; ok {
		return binary
	}
	out := filepath.Join(t.TempDir(), "app")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, "./testdata/app")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the test's app: %v\n%s", err, text)
	}
	binary, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	app.built[architecture] = binary
	return binary
}

// imageOf makes an image FROM scratch with the app in it.
func imageOf(t *testing.T, architecture string, config v1.Config) v1.Image {
	t.Helper()
	return imageWith(t, architecture, config, map[string][]byte{
		"app":        appBinary(t, architecture),
		"etc/passwd": []byte("root:x:0:0::/root:/app\nweb:x:1234:1234::/home/web:/app\n"),
		"etc/group":  []byte("root:x:0:\nweb:x:1234:\nextra:x:77:web\n"),
	})
}

func imageWith(t *testing.T, architecture string, config v1.Config, files map[string][]byte) v1.Image {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for path, contents := range files {
		if err := w.WriteHeader(&tar.Header{Name: path, Mode: 0o755, Size: int64(len(contents))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(contents); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	if config.Entrypoint == nil {
		config.Entrypoint = []string{"/app"}
	}
	file, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Config = "linux", architecture, config
	if img, err = mutate.ConfigFile(img, file); err != nil {
		t.Fatal(err)
	}
	return img
}

// hub is a registry that counts the blobs it gives out.
type hub struct {
	host  string
	blobs atomic.Int64
	auth  string // user:password that is required; empty: none
}

func newHub(t *testing.T) *hub {
	t.Helper()
	h := &hub{}
	inner := registry.New(registry.Logger(slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		if h.auth != "" && user+":"+password != h.auth {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			http.Error(w, "Not Authorized", http.StatusUnauthorized)
			return
		}
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			h.blobs.Add(1)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	h.host = server.Listener.Addr().String()
	return h
}

// push puts an image into the registry and returns how to pull it.
func (h *hub) push(t *testing.T, repository string, img v1.Image) engine.PullRequest {
	t.Helper()
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(fmt.Sprintf("%s/%s@%s", h.host, repository, digest), name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	return engine.PullRequest{Ref: ref.String(), PlainHTTP: true}
}

func (h *hub) pushIndex(t *testing.T, repository string, images ...v1.Image) engine.PullRequest {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, img := range images {
		file, err := img.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: file.Architecture}},
		})
	}
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewDigest(fmt.Sprintf("%s/%s@%s", h.host, repository, digest), name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index); err != nil {
		t.Fatal(err)
	}
	return engine.PullRequest{Ref: ref.String(), PlainHTTP: true}
}

// stage is one engine in a directory of its own, torn down at the end of the test.
type stage struct {
	*containerd.Engine
	dir    string
	config containerd.Config
}

func needContainers(t *testing.T) (binaries string) {
	t.Helper()
	if testing.Short() {
		t.Skip("real containers take seconds; not with -short")
	}
	if err := containerd.Preflight(); err != nil {
		t.Skipf("real containers are not tested: %v", err)
	}
	_, file, _, _ := runtime.Caller(0)
	dir, err := containerd.FindBinaries(os.Getenv(containerd.BinariesVariable))
	if err == nil {
		return dir
	}
	dir, err = containerd.FindBinaries(filepath.Join(filepath.Dir(file), "../../../../bin/engine"))
	if err != nil {
		t.Skipf("real containers are not tested: %v", err)
	}
	return dir
}

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{dir: dir, config: containerd.Config{
		Dir: dir, BinDir: needContainers(t), Registry: "127.0.0.1:1",
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if s.Engine != nil {
			_ = s.Close()
		}
		if err := containerd.Teardown(ctx, dir, s.config.Log); err != nil {
			t.Errorf("teardown: %v", err)
		}
	})
	s.open(t)
	return s
}

func (s *stage) open(t *testing.T) {
	t.Helper()
	e, err := containerd.Open(within(t), s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.Engine = e
}

// within is a context for one step of a test.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// start pulls the image and starts it in a sandbox of its own, named for the container.
func (s *stage) start(t *testing.T, pull engine.PullRequest, id string, command ...string) engine.Sandbox {
	t.Helper()
	return s.startSpec(t, pull, engine.ContainerSpec{ID: id, Command: command})
}

func (s *stage) startSpec(t *testing.T, pull engine.PullRequest, spec engine.ContainerSpec) engine.Sandbox {
	t.Helper()
	if _, err := s.Pull(within(t), pull); err != nil {
		t.Fatal(err)
	}
	sandbox, err := s.CreateSandbox(within(t), "box-"+spec.ID)
	if err != nil {
		t.Fatal(err)
	}
	spec.Sandbox, spec.Name, spec.Image = sandbox.ID, "app", pull.Ref
	if err := s.Start(within(t), spec); err != nil {
		t.Fatal(err)
	}
	return sandbox
}

// output waits for the container's end and returns it with all that it wrote.
func (s *stage) output(t *testing.T, id string) (engine.Exit, string) {
	t.Helper()
	r, err := s.Logs(within(t), id, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	exit, err := s.Wait(within(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return exit, string(text)
}

// get fetches a page from a container, as soon as it answers.
func get(t *testing.T, url string) string {
	t.Helper()
	ctx := within(t)
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("GET %s: %v", url, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func writeFile(t *testing.T, file string, contents []byte) {
	t.Helper()
	if err := os.WriteFile(file, contents, 0o755); err != nil { // an executable
		t.Fatal(err)
	}
}
