//go:build linux

package docker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/docker"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/enginetest"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// daemon is the Docker Engine of all tests of a run.
var daemon struct {
	sync.Once
	*rehearsal.Dockerd
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if daemon.Dockerd != nil {
		if err := daemon.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// program is testdata/task, built once a run: the tests' own program may need libraries.
var program = sync.OnceValues(func() (string, error) {
	file := filepath.Join(daemon.Dir, "task") // goes with the daemon
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", file, "./testdata/task")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the program for containers: %w\n%s", err, text)
	}
	return file, nil
})

// needDocker is a Docker Engine of the tests' own.
func needDocker(t *testing.T) *rehearsal.Dockerd {
	t.Helper()
	if testing.Short() {
		t.Skip("real containers take seconds; not with -short")
	}
	if os.Geteuid() != 0 {
		t.Skip("a Docker Engine of the tests' own needs root")
	}
	if _, err := rehearsal.FindDockerd(); err != nil {
		t.Skipf("Docker is not tested: %v", err)
	}
	daemon.Do(func() { daemon.Dockerd, daemon.err = rehearsal.StartDockerd(context.Background(), "") })
	if daemon.err != nil {
		t.Fatal(daemon.err)
	}
	return daemon.Dockerd
}

// stage is one engine in a directory of its own, torn down at the end of the test.
type stage struct {
	*docker.Engine
	config docker.Config
}

func newStage(t *testing.T, apart bool) *stage {
	t.Helper()
	return stageOn(t, needDocker(t), apart)
}

func stageOn(t *testing.T, d *rehearsal.Dockerd, apart bool) *stage {
	t.Helper()
	task, err := program()
	if err != nil {
		t.Fatal(err)
	}
	_, file, _, _ := runtime.Caller(0)
	s := &stage{config: docker.Config{
		Dir: t.TempDir(), BinDir: filepath.Join(filepath.Dir(file), "../../../../bin/engine"), Registry: "127.0.0.1:1", Host: d.Host, Apart: apart, Program: task,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), enginetest.Patience)
		defer cancel()
		if s.Engine != nil {
			_ = s.Close()
		}
		if err := errors.Join(docker.Teardown(ctx, s.config.Dir, s.config.Log), docker.Forget(ctx, s.config.Dir, s.config.Log)); err != nil {
			t.Errorf("teardown: %v", err)
		}
	})
	s.open(t)
	return s
}

func (s *stage) open(t *testing.T) {
	t.Helper()
	e, err := docker.Open(enginetest.Within(t), s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.Engine = e
}

// shared is the stage as the tests of every engine see it.
func (s *stage) shared() *enginetest.Stage {
	return &enginetest.Stage{
		NoPrivileged: noPrivileged(), Everything: s.everything, Engine: s.Engine, BinDir: s.config.BinDir, Dirs: []string{s.config.Dir, daemon.Dir},
		Open: func(t *testing.T, registry string) enginetest.Engine {
			t.Helper()
			s.config.Registry = registry
			s.open(t)
			return s.Engine
		},
	}
}

// everything names the containers of tasks, in whatever state.
func (s *stage) everything(t *testing.T) []string {
	t.Helper()
	return strings.Fields(cli(t, s, "ps", "--all", "--filter", "label=medusa-deploy.sandbox", "--format", "{{.Names}}:{{.State}}"))
}

// noPrivileged says why Docker's daemon cannot run privileged containers here: it gives them all capabilities that the
// kernel has, and fails when it lacks one itself.
func noPrivileged() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err.Error()
	}
	last, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		return err.Error()
	}
	highest, err := strconv.Atoi(strings.TrimSpace(string(last)))
	if err != nil {
		return err.Error()
	}
	all := fmt.Sprintf("CapBnd:\t%016x\n", uint64(1)<<(highest+1)-1)
	if strings.Contains(string(status), all) {
		return ""
	}
	return "this machine's root does not have all capabilities, so Docker cannot run privileged containers here"
}

func TestEngine(t *testing.T) {
	enginetest.Run(t, func(t *testing.T) *enginetest.Stage { return newStage(t, false).shared() })
}

// TestApart is for a daemon in a virtual machine: tasks are reached through published ports, and images are handed over.
// What such a machine does otherwise is not tested.
func TestApart(t *testing.T) {
	open := func(t *testing.T) *enginetest.Stage { return newStage(t, true).shared() }
	enginetest.Run(t, open, "Serve", "Idempotence", "Pull", "PullWithPassword", "Adopt")
}
