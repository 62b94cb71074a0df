package enginetest

import (
	"context"
	"runtime"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// A container serves on while the engine is closed; the next engine finds it again, with its address, its log from the
// beginning, and its end, also when that came meanwhile.
func testAdopt(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	box := s.Launch(t, pull, "web", "serve", "80")
	s.Launch(t, pull, "brief", "trap", "SIGTERM")
	Get(t, URL(box))
	s.AwaitLog(t, "brief", "ready")
	blocked := make(chan error, 1)
	before := s.Engine
	go func() {
		_, err := before.Wait(context.Background(), "web")
		blocked <- err
	}()
	if err := s.Signal(Within(t), "brief", "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	s.Reopen(t, "127.0.0.1:1")
	if err := <-blocked; err == nil {
		t.Error("Wait returned no error when the engine was closed")
	}
	Get(t, URL(box))
	list, err := s.List(Within(t))
	if err != nil || len(list) != 2 || list[1].IP != box.IP || len(list[1].Containers) != 1 || !list[1].Containers[0].Running {
		t.Fatalf("list = %+v, %v", list, err)
	}
	for range 2 {
		if exit, text := s.Output(t, "brief"); exit.Code != 42 || exit.At.IsZero() || text != "ready\n" {
			t.Errorf("exit = %+v, log %q", exit, text)
		}
		s.Reopen(t, "127.0.0.1:1")
	}
	Get(t, URL(box))
	if err := s.RemoveSandbox(Within(t), box.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := s.List(Within(t)); err != nil || len(list) != 1 || list[0].ID != "box-brief" {
		t.Errorf("list = %+v, %v", list, err)
	}
}
