//go:build linux

package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// docking is a Docker Engine with docker buildx, for tests that share it.
type docking struct{ *rehearsal.Docker }

const (
	containerBuilder = "cont" // of the driver docker-container
	remoteBuilder    = "rem"  // of the driver remote, on the BuildKit of the test
)

// startDocker starts a Docker Engine and makes it and buildx the test's own.
func startDocker(t *testing.T) *docking {
	t.Helper()
	if _, err := exec.LookPath("docker"); err != nil || os.Getuid() != 0 {
		t.Skip("needs root and docker")
	}
	if _, err := rehearsal.FindDockerd(); err != nil {
		t.Skip(err)
	}
	if _, err := os.Stat(filepath.Join(engineBin(t), "buildx")); err != nil {
		t.Skip("needs buildx: build it with `make engine`")
	}
	docker, err := rehearsal.StartDocker(t.Context(), engineBin(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := docker.Stop(); err != nil {
			t.Error(err)
		}
	})
	for _, variable := range docker.Env() {
		name, value, _ := strings.Cut(variable, "=")
		t.Setenv(name, value)
	}
	return &docking{docker}
}

func engineBin(t *testing.T) string {
	t.Helper()
	bin, err := filepath.Abs("../../bin/engine")
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// makeBuilders gives buildx a builder in a container, from this house's own BuildKit, and one that is remote.
func (d *docking) makeBuilders(t *testing.T, remote string) {
	t.Helper()
	if err := d.CreateBuilder(t.Context(), containerBuilder, true); err != nil {
		t.Fatal(err)
	}
	d.run(t, "buildx", "create", "--name", remoteBuilder, "--driver", "remote", remote)
}

// run runs a command of the docker client that must succeed and gives its output.
func (d *docking) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := d.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// id is the ID that the engine gives a name; empty: it has none of the name.
func (d *docking) id(t *testing.T, name string) string {
	t.Helper()
	id, err := d.Run(t.Context(), "image", "inspect", "--format", "{{.Id}}", name)
	if err != nil {
		return ""
	}
	return id
}
