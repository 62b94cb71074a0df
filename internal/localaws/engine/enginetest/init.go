package enginetest

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// An init process is put in front of the command, or refused with the cure where there is none to put.
func testInitProcess(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	if _, err := s.Pull(Within(t), pull); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateSandbox(Within(t), engine.SandboxSpec{ID: "box"}); err != nil {
		t.Fatal(err)
	}
	err := s.Start(Within(t), engine.ContainerSpec{ID: "web", Sandbox: "box", Image: pull.Ref, InitProcess: true, Command: []string{"pid"}})
	if err != nil {
		if !errors.Is(err, engine.ErrStart) || !strings.Contains(err.Error(), "tini") {
			t.Errorf("err = %v, want ErrStart with the cure", err)
		}
		return
	}
	if exit, text := s.Output(t, "web"); exit.Code != 0 || text == "1\n" {
		t.Errorf("exit = %+v, log %q; want another process to be the first", exit, text)
	}
}
