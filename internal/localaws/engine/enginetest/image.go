package enginetest

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// appPackage is what runs in the containers.
const appPackage = "github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/enginetest/testdata/app"

// app holds testdata/app by architecture, built once a run.
var app = struct {
	sync.Mutex
	built map[string][]byte
}{built: map[string][]byte{}}

// AppBinary is testdata/app for an architecture.
func AppBinary(t *testing.T, architecture string) []byte {
	t.Helper()
	app.Lock()
	defer app.Unlock()
	if binary, ok := app.built[architecture]; ok {
		return binary
	}
	out := filepath.Join(t.TempDir(), "app")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", out, appPackage)
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

// ImageOf makes an image FROM scratch with the app in it.
func ImageOf(t *testing.T, architecture string, config v1.Config) v1.Image {
	t.Helper()
	return ImageWith(t, architecture, config, map[string][]byte{
		"app":        AppBinary(t, architecture),
		"etc/passwd": []byte("root:x:0:0::/root:/app\nweb:x:1234:1234::/home/web:/app\n"),
		"etc/group":  []byte("root:x:0:\nweb:x:1234:\nextra:x:77:web\n"),
	})
}

// ImageWith makes an image FROM scratch of one layer. Its entrypoint is /app where the config has none.
func ImageWith(t *testing.T, architecture string, config v1.Config, files map[string][]byte) v1.Image {
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
