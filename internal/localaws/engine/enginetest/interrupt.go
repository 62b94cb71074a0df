package enginetest

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// A task that is called off while it is being made is gone once it is removed, wherever the making was: the next 64 are
// called off a little later each, several at once.
func testInterrupted(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	if _, err := s.Pull(Within(t), pull); err != nil {
		t.Fatal(err)
	}
	ctx := Within(t)
	var group errgroup.Group
	group.SetLimit(4)
	for i := range 64 {
		group.Go(func() error {
			id := fmt.Sprintf("task%d", i)
			patience, cancel := context.WithTimeout(ctx, time.Duration(i)*8*time.Millisecond)
			defer cancel()
			if _, err := s.CreateSandbox(patience, engine.SandboxSpec{ID: id}); err == nil {
				// Whether it starts is up to the machine's pace.
				_ = s.Start(patience, engine.ContainerSpec{ID: id, Sandbox: id, Image: pull.Ref, Command: []string{"sleep"}})
			}
			return s.RemoveSandbox(ctx, id)
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	s.Launch(t, pull, "last", "exit", "0") // what the engine was still busy with came before it
	if len(s.Everything(t)) == 0 {
		t.Error("nothing is seen of a task that is there")
	}
	if err := s.RemoveSandbox(ctx, "box-last"); err != nil {
		t.Error(err)
	}
	if left := s.Everything(t); len(left) > 0 {
		t.Errorf("there still is %v", left)
	}
}
