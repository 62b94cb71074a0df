//go:build linux

package containerd_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	client "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/errdefs"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/enginetest"
)

// stage is one engine in a directory of its own, torn down at the end of the test.
type stage struct {
	*containerd.Engine
	dir    string
	config containerd.Config
}

func needContainers(t *testing.T) (binaries string) {
	t.Helper()
	if testing.Short() {
		t.Skip("real containers take seconds; not with -short")
	}
	if err := containerd.Preflight(); err != nil {
		t.Skipf("real containers are not tested: %v", err)
	}
	_, file, _, _ := runtime.Caller(0)
	dir, err := containerd.FindBinaries(os.Getenv(containerd.BinariesVariable))
	if err == nil {
		return dir
	}
	dir, err = containerd.FindBinaries(filepath.Join(filepath.Dir(file), "../../../../bin/engine"))
	if err != nil {
		t.Skipf("real containers are not tested: %v", err)
	}
	return dir
}

func newStage(t *testing.T) *stage {
	t.Helper()
	dir := t.TempDir()
	s := &stage{dir: dir, config: containerd.Config{
		Dir: dir, BinDir: needContainers(t), Registry: "127.0.0.1:1",
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), enginetest.Patience)
		defer cancel()
		if s.Engine != nil {
			_ = s.Close()
		}
		if err := containerd.Teardown(ctx, dir, s.config.Log); err != nil {
			t.Errorf("teardown: %v", err)
		}
	})
	s.open(t)
	return s
}

// openStage opens an engine for the tests that every engine must pass.
func openStage(t *testing.T) *enginetest.Stage {
	s := newStage(t)
	return &enginetest.Stage{
		Engine: s.Engine, BinDir: s.config.BinDir, Dirs: []string{s.dir}, Everything: s.everything,
		SecretFiles: []string{"/engine/run/containerd/io.containerd.runtime.v2.task/medusa-deploy/web/config.json"},
		Open: func(t *testing.T, registry string) enginetest.Engine {
			t.Helper()
			s.config.Registry = registry
			s.open(t)
			return s.Engine
		},
	}
}

// everything names containerd's containers, tasks and writable snapshots, and the engine's own records of them.
func (s *stage) everything(t *testing.T) (all []string) {
	t.Helper()
	c, err := client.New(filepath.Join(s.dir, "engine/run/c.sock"), client.WithDefaultNamespace("medusa-deploy"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	containers, err := c.Containers(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range containers {
		all = append(all, "container "+one.ID())
	}
	tasks, err := c.TaskService().List(within(t), &tasksapi.ListTasksRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range tasks.Tasks {
		all = append(all, "task "+one.ID)
	}
	for _, kind := range []string{"overlayfs", "native"} {
		err := c.SnapshotService(kind).Walk(within(t), func(_ context.Context, info snapshots.Info) error {
			if info.Kind != snapshots.KindCommitted {
				all = append(all, "snapshot "+info.Name)
			}
			return nil
		})
		if err != nil && !errdefs.IsInvalidArgument(err) { // the machine does not have this one
			t.Fatal(err)
		}
	}
	for _, dir := range []string{"containers", "sandboxes", "netns"} {
		files, err := filepath.Glob(filepath.Join(s.dir, "engine", dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, files...)
	}
	return all
}

func TestEngine(t *testing.T) { enginetest.Run(t, openStage) }

func (s *stage) open(t *testing.T) {
	t.Helper()
	e, err := containerd.Open(within(t), s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.Engine = e
}

// shared are what every engine's tests do with a stage.
func (s *stage) shared() *enginetest.Stage {
	return &enginetest.Stage{Engine: s.Engine, BinDir: s.config.BinDir}
}

func (s *stage) start(t *testing.T, pull engine.PullRequest, id string, command ...string) engine.Sandbox {
	t.Helper()
	return s.shared().Launch(t, pull, id, command...)
}

func (s *stage) output(t *testing.T, id string) (engine.Exit, string) {
	t.Helper()
	return s.shared().Output(t, id)
}

func within(t *testing.T) context.Context {
	t.Helper()
	return enginetest.Within(t)
}

// appImage puts the tests' app into a registry, and returns the registry and how to pull it.
func appImage(t *testing.T, config v1.Config) (*enginetest.Hub, engine.PullRequest) {
	t.Helper()
	h := enginetest.NewHub(t)
	return h, h.Push(t, "app", enginetest.ImageOf(t, runtime.GOARCH, config))
}

func writeFile(t *testing.T, file string, contents []byte) {
	t.Helper()
	if err := os.WriteFile(file, contents, 0o755); err != nil { // an executable
		t.Fatal(err)
	}
}
