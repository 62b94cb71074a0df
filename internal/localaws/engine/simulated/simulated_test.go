package simulated

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// start brings up a container of the image in a sandbox "box", as "c".
func start(t *testing.T, e *Engine, image string) {
	t.Helper()
	ctx := t.Context()
	if _, err := e.Pull(ctx, engine.PullRequest{Ref: image}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.CreateSandbox(ctx, engine.SandboxSpec{ID: "box"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Start(ctx, engine.ContainerSpec{ID: "c", Sandbox: "box", Name: "app", Image: image}); err != nil {
		t.Fatal(err)
	}
}

func TestExits(t *testing.T) {
	tests := []struct {
		image string
		code  int
		after time.Duration
		oom   bool
	}{
		{"host/exit-1:v", 1, 0, false},
		{"host/a/exit-3-after-5s@sha256:aa", 3, 5 * time.Second, false},
		{"host/oom", 137, 0, true},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			e := New(ByName)
			defer e.Close()
			begun := time.Now()
			start(t, e, tt.image)
			exit, err := e.Wait(t.Context(), "c")
			if err != nil || exit.Code != tt.code || exit.OOMKilled != tt.oom || time.Since(begun) != tt.after || !exit.At.Equal(time.Now()) {
				t.Errorf("%s: exit %+v, %v after %v", tt.image, exit, err, time.Since(begun))
			}
			if _, err := e.Exec(t.Context(), "c", nil); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("%s: exec in a stopped container: %v", tt.image, err)
			}
			if err := e.Signal(t.Context(), "c", "SIGTERM"); err != nil {
				t.Errorf("%s: signal a stopped container: %v", tt.image, err)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	for image, want := range map[string][2]int{"h/web": {0, 0}, "h/unhealthy": {1, 1}, "h/ready-after-3s": {1, 0}, "h/exit-strategy": {0, 0}} {
		synctest.Test(t, func(t *testing.T) {
			e := New(ByName)
			defer e.Close()
			start(t, e, image)
			for i, code := range want {
				result, err := e.Exec(t.Context(), "c", []string{"/health"})
				if err != nil || result.Code != code {
					t.Errorf("%s: check %d gives %+v, %v; want %d", image, i, result, err, code)
				}
				time.Sleep(3 * time.Second)
			}
		})
	}
}

func TestCannot(t *testing.T) {
	e := New(ByName)
	defer e.Close()
	ctx := t.Context()
	if _, err := e.Pull(ctx, engine.PullRequest{Ref: "h/missing"}); !errors.Is(err, engine.ErrImageNotFound) {
		t.Errorf("missing image: %v", err)
	}
	if _, err := e.Pull(ctx, engine.PullRequest{Ref: "h/cannot-pull"}); !errors.Is(err, engine.ErrPull) {
		t.Errorf("image that cannot be pulled: %v", err)
	}
	if err := e.Start(ctx, engine.ContainerSpec{ID: "c", Sandbox: "box", Image: "h/web"}); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("start without sandbox: %v", err)
	}
	if _, err := e.CreateSandbox(ctx, engine.SandboxSpec{ID: "box"}); err != nil {
		t.Fatal(err)
	}
	if err := e.Start(ctx, engine.ContainerSpec{ID: "c", Sandbox: "box", Image: "h/web"}); !errors.Is(err, engine.ErrStart) {
		t.Errorf("start without pull: %v", err)
	}
	if _, err := e.Pull(ctx, engine.PullRequest{Ref: "h/cannot-start"}); err != nil {
		t.Fatal(err)
	}
	err := e.Start(ctx, engine.ContainerSpec{ID: "c", Sandbox: "box", Image: "h/cannot-start"})
	if !errors.Is(err, engine.ErrStart) || !strings.Contains(err.Error(), "exec format error") {
		t.Errorf("start of a foreign program: %v", err)
	}
	if _, err := e.Wait(ctx, "c"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("wait for a container that was not started: %v", err)
	}
}

func TestSignals(t *testing.T) {
	seven := 7
	tests := []struct {
		name      string
		behaviour Behaviour
		code      int
		after     time.Duration
	}{
		{"default", Behaviour{}, 143, 0},
		{"handles", Behaviour{StopTime: 2 * time.Second, StopCode: &seven}, 7, 2 * time.Second},
		{"ignores", Behaviour{IgnoresSIGTERM: true}, 137, 10 * time.Second},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			e := New(func(string) Behaviour { return tt.behaviour })
			defer e.Close()
			start(t, e, "h/web")
			begun := time.Now()
			if err := e.Signal(t.Context(), "c", "SIGTERM"); err != nil {
				t.Fatal(err)
			}
			polite, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			exit, err := e.Wait(polite, "c")
			if err != nil {
				if err := e.Signal(t.Context(), "c", "SIGKILL"); err != nil {
					t.Fatal(err)
				}
				exit, err = e.Wait(t.Context(), "c")
			}
			if err != nil || exit.Code != tt.code || time.Since(begun) != tt.after {
				t.Errorf("%s: %+v, %v after %v", tt.name, exit, err, time.Since(begun))
			}
		})
	}
}

func TestLogsFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(func(string) Behaviour { return Behaviour{Log: "one\ntwo\n", Exits: true, ExitAfter: time.Minute} })
		defer e.Close()
		begun := time.Now()
		start(t, e, "h/web")
		for _, tt := range []struct {
			offset int64
			follow bool
			want   string
			after  time.Duration
		}{{0, false, "one\ntwo\n", 0}, {4, true, "two\n", time.Minute}, {99, true, "", time.Minute}} {
			log, err := e.Logs(t.Context(), "c", tt.offset, tt.follow)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(log)
			if err != nil || string(got) != tt.want || time.Since(begun) != tt.after {
				t.Errorf("from %d, follow %t: %q, %v after %v", tt.offset, tt.follow, got, err, time.Since(begun))
			}
		}
	})
}

func TestLogsEndWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		defer e.Close()
		start(t, e, "h/web")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		log, err := e.Logs(ctx, "c", 0, true)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(log); err != nil || len(got) != 0 {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestListAndRemove(t *testing.T) {
	e := New(nil)
	ctx := t.Context()
	start(t, e, "h/web@sha256:aa")
	start(t, e, "h/web@sha256:aa") // again: nothing changes
	all, err := e.List(ctx)
	if err != nil || len(all) != 1 || len(all[0].Containers) != 1 || all[0].IP == "" {
		t.Fatalf("list: %+v, %v", all, err)
	}
	c := all[0].Containers[0]
	if !c.Running || c.ID != "c" || c.Name != "app" || c.Image != "h/web@sha256:aa" {
		t.Errorf("container: %+v", c)
	}
	other, err := e.CreateSandbox(ctx, engine.SandboxSpec{ID: "other"})
	if err != nil || other.IP == all[0].IP {
		t.Errorf("second sandbox: %+v, %v", other, err)
	}
	for range 2 {
		for _, id := range []string{"box", "other"} {
			if err := e.RemoveSandbox(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	if all, err := e.List(ctx); err != nil || len(all) != 0 {
		t.Errorf("after removal: %+v, %v", all, err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRemovalAndCloseEndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := New(nil)
		start(t, e, "h/web")
		codes := make(chan int, 1)
		go func() {
			exit, err := e.Wait(t.Context(), "c")
			if err != nil {
				t.Error(err)
			}
			codes <- exit.Code
		}()
		synctest.Wait()
		if err := e.RemoveSandbox(t.Context(), "box"); err != nil {
			t.Fatal(err)
		}
		if code := <-codes; code != 137 {
			t.Errorf("exit code of a container that was removed: %d", code)
		}
		start(t, e, "h/web")
		ends := make(chan error, 1)
		go func() {
			_, err := e.Wait(t.Context(), "c")
			ends <- err
		}()
		synctest.Wait()
		if err := errors.Join(e.Close(), e.Close()); err != nil {
			t.Fatal(err)
		}
		if err := <-ends; !errors.Is(err, errClosed) {
			t.Errorf("wait on a closed engine: %v", err)
		}
	})
}

func FuzzByName(f *testing.F) {
	for _, seed := range []string{"h/exit-1", "h/exit-9-after-1h@sha256:aa", "exit-", "ready-after-x", "a:b/c:d@e", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, image string) {
		b := ByName(image)
		if b.ExitCode < 0 || b.ExitCode > 255 || b.Exits && b.NeverHealthy {
			t.Errorf("%q: %+v", image, b)
		}
	})
}

func TestSickenAndWrite(t *testing.T) {
	e := New(nil)
	defer e.Close()
	start(t, e, "h/web")
	e.Sicken("c")
	e.Sicken("none")
	if result, err := e.Exec(t.Context(), "c", nil); err != nil || result.Code != 1 {
		t.Errorf("check of a sick container: %+v, %v", result, err)
	}
	e.Write("c", "more\n")
	e.Write("none", "more\n")
	log, err := e.Logs(t.Context(), "c", 0, false)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(log); err != nil || string(got) != "more\n" {
		t.Errorf("log %q, %v", got, err)
	}
}
