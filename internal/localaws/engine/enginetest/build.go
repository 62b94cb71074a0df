package enginetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// BuildKit builds with a RUN step and pushes to the plain HTTP registry, and what it built runs.
func testBuild(t *testing.T, open Opener) {
	s := open(t)
	h := NewHub(t)
	s.Reopen(t, h.Host)
	s.BuildApp(t, h.Host+"/built:latest")
	s.Launch(t, engine.PullRequest{Ref: h.Host + "/built:latest", PlainHTTP: true}, "web", "read", "/made")
	if exit, text := s.Output(t, "web"); exit.Code != 0 || text != "x\n" {
		t.Errorf("exit = %+v, log %q", exit, text)
	}
}

// BuildApp builds the app, with a file /made by a RUN step, and pushes it as name.
func (s *Stage) BuildApp(t *testing.T, name string) {
	t.Helper()
	buildctl := filepath.Join(s.BinDir, "buildctl")
	if _, err := exec.LookPath(buildctl); err != nil {
		t.Skip("no buildctl: run `make engine-client`")
	}
	dir := t.TempDir()
	for file, contents := range map[string][]byte{
		"app":        AppBinary(t, runtime.GOARCH),
		"Dockerfile": []byte("FROM scratch\nCOPY app /app\nRUN [\"/app\", \"write\", \"/made\"]\nENTRYPOINT [\"/app\"]\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), contents, 0o755); err != nil { // one is an executable
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(Within(t), buildctl, "--addr", s.BuildKitAddress(), "build", "--frontend", "dockerfile.v0",
		"--local", "context="+dir, "--local", "dockerfile="+dir, "--output", "type=image,name="+name+",push=true")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
}
