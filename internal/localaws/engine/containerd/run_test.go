//go:build linux

package containerd_test

import (
	"runtime"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// A container is started, answers on its own address, is told to stop, and its log is complete.
func TestServe(t *testing.T) {
	begun := time.Now()
	s := newStage(t)
	t.Logf("boot: %v", time.Since(begun))
	pull := newHub(t).push(t, "app", imageOf(t, runtime.GOARCH, v1.Config{}))
	if _, err := s.Pull(within(t), pull); err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	sandbox := s.start(t, pull, "web", "serve", "80")
	if got := get(t, "http://"+sandbox.IP+"/"); got != "uid 0" {
		t.Errorf("page = %q", got)
	}
	t.Logf("start to first 200: %v", time.Since(begun))
	begun = time.Now()
	if err := s.Signal(within(t), "web", "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	exit, text := s.output(t, "web")
	t.Logf("stop: %v", time.Since(begun))
	if exit.Code != 0 || exit.OOMKilled || exit.At.IsZero() {
		t.Errorf("exit = %+v", exit)
	}
	if want := "listening on 80\nstopping\n"; text != want {
		t.Errorf("log = %q, want %q", text, want)
	}
	if err := s.Signal(within(t), "web", "SIGKILL"); err != nil {
		t.Errorf("signal to a stopped container: %v", err)
	}
	begun = time.Now()
	if err := s.RemoveSandbox(within(t), sandbox.ID); err != nil {
		t.Fatal(err)
	}
	t.Logf("remove: %v", time.Since(begun))
	begun = time.Now()
	if err := s.Shutdown(within(t)); err != nil {
		t.Fatal(err)
	}
	t.Logf("shutdown: %v", time.Since(begun))
	_ = engine.Exit{}
}
