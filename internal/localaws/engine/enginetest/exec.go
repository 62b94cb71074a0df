package enginetest

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/uuid"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

func testExec(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	s.StartSpec(t, pull, engine.ContainerSpec{ID: "web", Command: []string{"sleep"}, Env: []string{"COLOUR=green"}})
	for _, c := range []struct {
		name    string
		command []string
		code    int
		want    string
	}{
		{"success, in the container's environment", []string{"/app", "env", "COLOUR"}, 0, "green\n"},
		{"exit code", []string{"/app", "exit", "9"}, 9, "leaving with 9\n"},
		{"no such command", []string{"curl", "-f", "http://localhost"}, 127, "curl"},
		{"not executable", []string{"/etc"}, 126, "/etc"},
		{"long output keeps its end", []string{"/app", "say", "2000"}, 0, "1999\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, err := s.Exec(Within(t), "web", c.command)
			if err != nil {
				t.Fatal(err)
			}
			if result.Code != c.code || !strings.Contains(result.Output, c.want) || len(result.Output) > 4096 {
				t.Errorf("result = %d, %d bytes: %q", result.Code, len(result.Output), result.Output)
			}
		})
	}
	t.Run("killed when its time is up", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		mark := uuid.NewString()
		if _, err := s.Exec(ctx, "web", []string{"/app", "sleep", mark}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want deadline exceeded", err)
		}
		if left := knowing(t, mark); len(left) > 0 {
			t.Errorf("the command goes on: %v", left)
		}
		again, err := s.Exec(Within(t), "web", []string{"/app", "env", "COLOUR"})
		if err != nil || again.Code != 0 {
			t.Errorf("exec after that = %+v, %v", again, err)
		}
	})
	t.Run("no such container", func(t *testing.T) {
		if _, err := s.Exec(Within(t), "nobody", []string{"/app"}); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("err = %v, want ErrNotFound", err)
		}
	})
	t.Run("stopped container", func(t *testing.T) {
		if err := s.Signal(Within(t), "web", "SIGKILL"); err != nil {
			t.Fatal(err)
		}
		if exit, err := s.Wait(Within(t), "web"); err != nil || exit.Code != 137 || exit.OOMKilled {
			t.Errorf("exit = %+v, %v", exit, err)
		}
		if _, err := s.Exec(Within(t), "web", []string{"/app"}); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("err = %v, want ErrNotFound", err)
		}
	})
}

func testLogs(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	s.Launch(t, pull, "chatty", "say", "5000")
	_, all := s.Output(t, "chatty")
	if n := strings.Count(all, "\n"); n != 10000 {
		t.Errorf("%d lines, want 10000 of both streams", n)
	}
	r, err := s.Logs(Within(t), "chatty", int64(len(all)-9), false)
	if err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil || string(rest) != all[len(all)-9:] {
		t.Errorf("from an offset: %q, %v", rest, err)
	}
	_ = r.Close()

	s.Launch(t, pull, "web", "serve", "80")
	s.AwaitLog(t, "web", "listening on 80")
	ctx, cancel := context.WithCancel(t.Context())
	r, err = s.Logs(ctx, "web", 0, true)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, err := r.Read(buf); err != nil || string(buf[:n]) != "listening on 80\n" {
		t.Errorf("read %q, %v", buf[:n], err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	if n, err := r.Read(buf); !errors.Is(err, io.EOF) {
		t.Errorf("read %q, %v after the context's end; want EOF", buf[:n], err)
	}
	_ = r.Close()
	if _, err := s.Logs(Within(t), "nobody", 0, false); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("err = %v, want ErrNotFound", err)
	}
}
