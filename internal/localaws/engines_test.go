package localaws

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/docker"
)

// An engine that is asked for is not replaced by another one.
func TestChooseWhatWasAskedFor(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	o, err := Options{Dir: t.TempDir(), Engine: EngineDocker}.complete()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := choose(t.Context(), o); !errors.Is(err, docker.ErrNoDocker) {
		t.Errorf("docker: %v, want ErrNoDocker", err)
	}
	o.Engine = EngineSimulated
	if c, err := choose(t.Context(), o); err != nil || c != (choice{engine: EngineSimulated}) {
		t.Errorf("simulated: %+v, %v", c, err)
	}
}

// Where nothing can run, both are named, each with what is missing.
func TestChooseNothing(t *testing.T) {
	if containerd.Preflight() == nil {
		t.Setenv(containerd.BinariesVariable, "")
	}
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	o, err := Options{Dir: t.TempDir()}.complete()
	if err != nil {
		t.Fatal(err)
	}
	_, err = choose(t.Context(), o) // the test's program has no engine beside it
	wantError(t, err, "nothing here can run containers", "the built-in engine: ", "Docker: ", "/nowhere/docker.sock", "start it")
}

// Programs that somebody named but that are not there are a mistake to tell, not a reason to run on Docker.
func TestChooseWithoutTheNamedPrograms(t *testing.T) {
	if err := containerd.Preflight(); err != nil {
		t.Skip(err)
	}
	o, err := Options{Dir: t.TempDir(), EngineDir: t.TempDir()}.complete()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := choose(t.Context(), o); !errors.Is(err, containerd.ErrNoBinaries) {
		t.Errorf("err = %v, want ErrNoBinaries", err)
	}
}

// After a crash the engine whose containers may still run is the one, whatever else could run here.
func TestChooseAfterACrash(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	o, err := Options{Dir: t.TempDir()}.complete()
	if err != nil {
		t.Fatal(err)
	}
	if err := dir(o.Dir).writeInfo(Info{PID: 1, Engine: EngineDocker, EngineReason: "it was there"}); err != nil {
		t.Fatal(err)
	}
	if _, err := choose(t.Context(), o); !errors.Is(err, docker.ErrNoDocker) {
		t.Errorf("err = %v, want ErrNoDocker", err)
	}
	if err := dir(o.Dir).writeInfo(Info{PID: 1, Engine: EngineSimulated}); err != nil { // it left nothing
		t.Fatal(err)
	}
	c, err := choose(t.Context(), o)
	if err == nil && c.engine == EngineSimulated {
		t.Error("a simulated server made the next one simulated")
	}
}

// A user without root has nothing of the built-in engine's to clean up, and is not kept from cleaning up by that.
func TestTearDownWithoutAnEngine(t *testing.T) {
	d := dir(t.TempDir())
	if err := d.tearDown(t.Context(), logger(nil)); err != nil {
		t.Error(err)
	}
	if err := os.MkdirAll(d.docker(), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.docker(), "open"), []byte("unix:///nowhere/docker.sock"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.tearDown(t.Context(), logger(nil)); !errors.Is(err, docker.ErrNoDocker) {
		t.Errorf("err = %v: what is in a Docker that does not answer is not cleaned up", err)
	}
}
