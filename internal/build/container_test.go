package build_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestDockerContainer: the builder of docker buildx is spoken to through docker, in the container that the address names.
func TestDockerContainer(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	docker := "#!/bin/sh\necho \"$*\" >" + filepath.Join(dir, "asked") + "\necho 'No such container: buildx_buildkit_x0' >&2\nexit 1\n"
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(docker), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	builder, err := build.New(build.Config{Address: "docker-container://buildx_buildkit_x0", Reason: "BUILDKIT_HOST"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = builder.Build(t.Context(), release.BuildRequest{
		ContextDir: dir, Dockerfile: filepath.Join(dir, "Dockerfile"), Platforms: []string{"linux/amd64"},
	}, func(release.Event) {})
	if err == nil || !strings.Contains(err.Error(), "no BuildKit daemon answers at docker-container://buildx_buildkit_x0") {
		t.Errorf("Build: %v", err)
	}
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if want := "exec -i buildx_buildkit_x0 buildctl dial-stdio\n"; err != nil || string(asked) != want {
		t.Errorf("docker was asked to %q, %v, want %q", asked, err, want)
	}
}
