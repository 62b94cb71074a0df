package enginetest

import (
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// An init process is put in front of the command: it gives its exit code, and passes signals on to it.
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
		t.Fatal(err)
	}
	if exit, text := s.Output(t, "web"); exit.Code != 0 || text == "1\n" {
		t.Errorf("exit = %+v, log %q; want another process to be the first", exit, text)
	}
	trap := engine.ContainerSpec{ID: "trap", Name: "trap", Sandbox: "box", Image: pull.Ref, InitProcess: true, Command: []string{"trap", "SIGTERM"}}
	if err := s.Start(Within(t), trap); err != nil {
		t.Fatal(err)
	}
	s.AwaitLog(t, "trap", "ready")
	if err := s.Signal(Within(t), "trap", "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if exit, _ := s.Output(t, "trap"); exit.Code != 42 {
		t.Errorf("exit = %+v, want the command's 42, on the signal that was passed on", exit)
	}
}
