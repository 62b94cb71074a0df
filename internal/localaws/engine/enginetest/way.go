package enginetest

import (
	"runtime"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// The way of one task, step by step: what a deploy waits for. It asserts nothing about time, because machines differ;
// the log says how long each step took (median of 10).
func testWayOfATask(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	steps := []string{"pull (known)", "sandbox", "start", "first 200", "stop", "remove"}
	took := map[string][]time.Duration{}
	for range 10 {
		begun := time.Now()
		done := func(step string) {
			took[step] = append(took[step], time.Since(begun))
			begun = time.Now()
		}
		if _, err := s.Pull(Within(t), pull); err != nil {
			t.Fatal(err)
		}
		done("pull (known)")
		box, err := s.CreateSandbox(Within(t), engine.SandboxSpec{ID: "box", Ports: []int{80}})
		if err != nil {
			t.Fatal(err)
		}
		done("sandbox")
		spec := engine.ContainerSpec{ID: "web", Sandbox: "box", Image: pull.Ref, Command: []string{"serve", "80"}}
		if err := s.Start(Within(t), spec); err != nil {
			t.Fatal(err)
		}
		done("start")
		Get(t, URL(box))
		done("first 200")
		if err := s.Signal(Within(t), "web", "SIGTERM"); err != nil {
			t.Fatal(err)
		}
		if exit, err := s.Wait(Within(t), "web"); err != nil || exit.Code != 0 {
			t.Fatalf("exit = %+v, %v", exit, err)
		}
		done("stop")
		if err := s.RemoveSandbox(Within(t), "box"); err != nil {
			t.Fatal(err)
		}
		done("remove")
	}
	for _, step := range steps {
		slices.Sort(took[step])
		t.Logf("%-14s %v", step, took[step][len(took[step])/2].Round(100*time.Microsecond))
	}
}
