package enginetest

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// Patience is for what takes milliseconds, on a machine that is busy with everything else.
const Patience = 2 * time.Minute

// Engine is an engine with what its owner does.
type Engine interface {
	engine.Engine
	BuildKitAddress() string
	Shutdown(ctx context.Context) error
}

// Stage is one engine in a place of its own.
type Stage struct {
	Engine
	// Open opens the engine of the place again once it is closed, for a registry at HOST:PORT.
	Open func(t *testing.T, registry string) Engine
	// NoPrivileged says why the stage cannot have privileged containers; empty when it can.
	NoPrivileged string
	// BinDir holds what `make engine` builds.
	BinDir string
	// Dirs are where the engine and what it stands on keep files: secrets are searched for there.
	Dirs []string
	// Everything names what there is of sandboxes and containers beneath the engine, half made or not.
	Everything func(t *testing.T) []string
	// SecretFiles are the ends of the paths of files that may hold a running container's secrets.
	SecretFiles []string
}

// Reopen closes the engine and opens it again, as the next process would, for a registry at HOST:PORT.
func (s *Stage) Reopen(t *testing.T, registry string) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.Engine = s.Open(t, registry)
}

// Within is a context for one step of a test.
func Within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// Launch pulls the image and starts it in a sandbox of its own, named for the container.
func (s *Stage) Launch(t *testing.T, pull engine.PullRequest, id string, command ...string) engine.Sandbox {
	t.Helper()
	return s.StartSpec(t, pull, engine.ContainerSpec{ID: id, Command: command})
}

// StartSpec does what Launch does with a container that is more than its command.
func (s *Stage) StartSpec(t *testing.T, pull engine.PullRequest, spec engine.ContainerSpec) engine.Sandbox {
	t.Helper()
	return s.StartIn(t, pull, engine.SandboxSpec{}, spec)
}

// StartIn does what Launch does with a sandbox that is more than its name.
func (s *Stage) StartIn(t *testing.T, pull engine.PullRequest, box engine.SandboxSpec, spec engine.ContainerSpec) engine.Sandbox {
	t.Helper()
	if _, err := s.Pull(Within(t), pull); err != nil {
		t.Fatal(err)
	}
	box.ID, box.Ports = "box-"+spec.ID, []int{80}
	sandbox, err := s.CreateSandbox(Within(t), box)
	if err != nil {
		t.Fatal(err)
	}
	spec.Sandbox, spec.Name, spec.Image = sandbox.ID, "app", pull.Ref
	if err := s.Start(Within(t), spec); err != nil {
		t.Fatal(err)
	}
	return sandbox
}

// URL is the address of a web server on port 80 of a sandbox.
func URL(box engine.Sandbox) string {
	if box.Published != nil {
		return "http://" + box.Published[80] + "/"
	}
	return "http://" + net.JoinHostPort(box.IP, strconv.Itoa(80)) + "/"
}

// Output waits for the container's end and returns it with all that it wrote.
func (s *Stage) Output(t *testing.T, id string) (engine.Exit, string) {
	t.Helper()
	r, err := s.Logs(Within(t), id, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	exit, err := s.Wait(Within(t), id)
	if err != nil {
		t.Fatal(err)
	}
	return exit, string(text)
}

// AwaitLog reads a container's log until it has the text.
func (s *Stage) AwaitLog(t *testing.T, id, text string) {
	t.Helper()
	r, err := s.Logs(Within(t), id, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		if strings.Contains(scanner.Text(), text) {
			return
		}
	}
	t.Fatalf("the log of %s never had %q", id, text)
}

// Get fetches a page from a container, as soon as it answers.
func Get(t *testing.T, url string) string {
	t.Helper()
	ctx := Within(t)
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			return string(body)
		}
		select {
		case <-ctx.Done():
			t.Fatalf("GET %s: %v", url, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
