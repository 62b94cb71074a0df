//go:build linux

package build_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
)

// testCures asks the real client for what it does not have, or may not use.
func testCures(t *testing.T, d *dock) {
	nobody := []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}
	theirs := filepath.Join(d.Dir, "nobody")
	if err := errors.Join(os.Mkdir(theirs, 0o700), os.Chown(theirs, 65534, 65534)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config build.BuildxConfig
		host   string // DOCKER_HOST; empty: the test's own
		kind   error
		parts  []string
	}{
		"no client":         {config: build.BuildxConfig{Docker: []string{"/nowhere/docker"}}, kind: build.ErrNoBuildx, parts: []string{"there is no Docker client", "medusa-deploy local up"}},
		"no client on PATH": {config: build.BuildxConfig{Docker: []string{"docker-that-is-not-there"}}, kind: build.ErrNoBuildx, parts: []string{"there is no Docker client"}},
		"no plugin": {
			config: build.BuildxConfig{Docker: []string{"docker", "--config", t.TempDir()}}, kind: build.ErrNoBuildx,
			parts: []string{"install the plugin", "docker-buildx-plugin"},
		},
		"no daemon":         {host: "unix:///nowhere/docker.sock", kind: build.ErrEngineDown, parts: []string{"systemctl start docker", "DOCKER_HOST"}},
		"not allowed":       {config: build.BuildxConfig{Docker: append(nobody, "docker")}, kind: build.ErrEngineDenied, parts: []string{"usermod -aG docker"}},
		"no such builder":   {config: build.BuildxConfig{Builder: "nobody-made"}, kind: build.ErrNoBuilder, parts: []string{"nobody-made", "docker buildx ls"}},
		"plugin as program": {config: build.BuildxConfig{Docker: []string{filepath.Join(engineBin(t), "buildx")}}, host: "unix:///nowhere/docker.sock", kind: build.ErrEngineDown, parts: []string{"systemctl start docker"}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.host != "" {
				t.Setenv("DOCKER_HOST", c.host)
			}
			if errors.Is(c.kind, build.ErrEngineDenied) {
				t.Setenv("BUILDX_CONFIG", theirs)
			}
			if c.config.Docker == nil {
				c.config.Docker = []string{"docker"}
			}
			_, inspected := build.InspectBuildx(t.Context(), c.config)
			b, err := build.NewBuildx(c.config)
			if err != nil {
				t.Fatal(err)
			}
			_, built := b.Build(t.Context(), d.page(t, "cures"), (&events{}).emit)
			for _, err := range []error{inspected, built} {
				if !errors.Is(err, c.kind) {
					t.Errorf("%v, want %v", err, c.kind)
					continue
				}
				contains(t, err.Error(), c.parts...)
			}
		})
	}
}
