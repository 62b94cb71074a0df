//go:build linux

package containerd_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/enginetest"
)

// A container serves on while the engine is closed, and while containerd is killed; the next engine finds it again,
// with its address, its log from the beginning, and its end.
func TestAdopt(t *testing.T) {
	s := newStage(t)
	_, pull := appImage(t, v1.Config{})
	box := s.start(t, pull, "web", "serve", "80")
	s.start(t, pull, "brief", "trap", "SIGTERM")
	url := "http://" + box.IP + "/"
	enginetest.Get(t, url)
	s.shared().AwaitLog(t, "brief", "ready")
	blocked := make(chan error, 1)
	go func() {
		_, err := s.Wait(context.Background(), "web")
		blocked <- err
	}()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-blocked; err == nil {
		t.Error("Wait returned no error when the engine was closed")
	}
	kill(t, s.pid(t, "containerd"))
	enginetest.Get(t, url)
	s.open(t)
	enginetest.Get(t, url)
	list, err := s.List(within(t))
	if err != nil || len(list) != 2 || list[1].IP != box.IP || len(list[1].Containers) != 1 || !list[1].Containers[0].Running {
		t.Fatalf("list = %+v, %v", list, err)
	}
	if err := s.Signal(within(t), "brief", "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	if exit, text := s.output(t, "brief"); exit.Code != 42 || text != "ready\n" {
		t.Errorf("exit = %+v, log %q", exit, text)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.open(t)
	if exit, text := s.output(t, "brief"); exit.Code != 42 || text != "ready\n" {
		t.Errorf("after another restart: exit = %+v, log %q", exit, text)
	}
	enginetest.Get(t, url)
}

// A daemon that dies is started again while the engine is open; what waits goes on waiting.
func TestSupervise(t *testing.T) {
	s := newStage(t)
	_, pull := appImage(t, v1.Config{})
	box := s.start(t, pull, "web", "serve", "80")
	for _, name := range []string{"containerd", "buildkitd"} {
		old := s.pid(t, name)
		kill(t, old)
		eventually(t, name+" runs again", func() bool { now, ok := s.tryPID(name); return ok && now != old })
	}
	enginetest.Get(t, "http://"+box.IP+"/")
	eventually(t, "the engine obeys", func() bool { return s.Signal(within(t), "web", "SIGTERM") == nil })
	if exit, _ := s.output(t, "web"); exit.Code != 0 {
		t.Errorf("exit = %+v", exit)
	}
}

// A container whose shim was killed with it counts as killed.
func TestShimKilled(t *testing.T) {
	s := newStage(t)
	_, pull := appImage(t, v1.Config{})
	s.start(t, pull, "web", "sleep")
	for _, pid := range s.processes(t) {
		if exe, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe"); filepath.Base(exe) == "containerd-shim-runc-v2" {
			kill(t, pid)
		}
	}
	if exit, _ := s.output(t, "web"); exit.Code != 137 || exit.OOMKilled {
		t.Errorf("exit = %+v, want 137", exit)
	}
	if err := s.RemoveSandbox(within(t), "box-web"); err != nil {
		t.Error(err)
	}
}

func TestInUse(t *testing.T) {
	s := newStage(t)
	if _, err := containerd.Open(within(t), s.config); !errors.Is(err, containerd.ErrInUse) {
		t.Errorf("second open = %v, want ErrInUse", err)
	}
	if err := containerd.Teardown(within(t), s.dir, nil); !errors.Is(err, containerd.ErrInUse) {
		t.Errorf("teardown of an open engine = %v, want ErrInUse", err)
	}
}

// A new registry address reaches buildkitd; containerd and what it runs stay.
func TestConfigChange(t *testing.T) {
	s := newStage(t)
	one, two := s.pid(t, "containerd"), s.pid(t, "buildkitd")
	reopen := func() {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s.open(t)
	}
	reopen()
	if s.pid(t, "containerd") != one || s.pid(t, "buildkitd") != two {
		t.Error("daemons were replaced although nothing changed")
	}
	s.config.Registry = "127.0.0.1:2"
	reopen()
	if s.pid(t, "containerd") != one || s.pid(t, "buildkitd") == two {
		t.Error("want the same containerd and another buildkitd")
	}
}

// Shutdown, and Teardown after everything was killed, leave nothing on the machine.
func TestNothingIsLeft(t *testing.T) {
	for _, way := range []struct {
		name string
		end  func(*testing.T, *stage)
	}{
		{"shutdown", func(t *testing.T, s *stage) {
			if err := s.Shutdown(within(t)); err != nil {
				t.Error(err)
			}
		}},
		{"teardown of living daemons", func(t *testing.T, s *stage) { _ = s.Close() }},
		{"teardown after kill -9 of all but containers", func(t *testing.T, s *stage) {
			_ = s.Close()
			for _, pid := range s.processes(t) {
				kill(t, pid)
			}
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			before := traces(t)
			s := newStage(t)
			_, pull := appImage(t, v1.Config{})
			box := s.start(t, pull, "web", "serve", "80")
			enginetest.Get(t, "http://"+box.IP+"/")
			way.end(t, s)
			for range 2 {
				if err := containerd.Teardown(within(t), s.dir, s.config.Log); err != nil {
					t.Fatal(err)
				}
			}
			if left := s.processes(t); len(left) > 0 {
				t.Errorf("processes left: %v", left)
			}
			if after := traces(t); after != before {
				t.Errorf("traces on the machine:\nbefore:\n%s\nafter:\n%s", before, after)
			}
			s.machineWide(t)
			for _, name := range []string{"run", "netns", "sandboxes", "containers", "ipam"} {
				if _, err := os.Stat(filepath.Join(s.dir, "engine", name)); err == nil {
					t.Errorf("%s is left", name)
				}
			}
			s.open(t) // and it starts again, with the image still there
			if box, err := s.CreateSandbox(within(t), engine.SandboxSpec{ID: "box-again"}); err != nil {
				t.Error(err)
			} else if err := s.Start(within(t), engine.ContainerSpec{ID: "web", Sandbox: box.ID, Image: pull.Ref, Command: []string{"exit", "3"}}); err != nil {
				t.Error(err)
			} else if exit, _ := s.output(t, "web"); exit.Code != 3 {
				t.Errorf("exit = %+v", exit)
			}
		})
	}
}

// machineWide checks the names that stand for the stage on the whole machine.
func (s *stage) machineWide(t *testing.T) {
	t.Helper()
	sum := sha256.Sum256([]byte(s.dir))
	tag := hex.EncodeToString(sum[:4])
	for _, pattern := range []string{
		"/sys/class/net/md" + tag, "/run/medusa-deploy/" + tag, "/sys/fs/cgroup/medusa-deploy-" + tag, "/sys/fs/cgroup/*/medusa-deploy-" + tag,
	} {
		if left, err := filepath.Glob(pattern); err != nil || len(left) > 0 {
			t.Errorf("left on the machine: %v, %v", left, err)
		}
	}
}

// After the machine went down, what ran counts as killed, its sandboxes can be removed, and new ones work.
func TestReboot(t *testing.T) {
	s := newStage(t)
	_, pull := appImage(t, v1.Config{})
	old := s.start(t, pull, "web", "serve", "80")
	enginetest.Get(t, "http://"+old.IP+"/")
	_ = s.Close()
	s.crash(t)
	s.open(t)
	if exit, _ := s.output(t, "web"); exit.Code != 137 {
		t.Errorf("exit = %+v, want 137", exit)
	}
	list, err := s.List(within(t))
	if err != nil || len(list) != 1 || len(list[0].Containers) != 1 || list[0].Containers[0].Running {
		t.Errorf("list = %+v, %v", list, err)
	}
	if err := s.Start(within(t), engine.ContainerSpec{ID: "late", Sandbox: "box-web", Image: pull.Ref}); !errors.Is(err, engine.ErrStart) {
		t.Errorf("start in a sandbox that is gone: %v, want ErrStart", err)
	}
	if err := s.RemoveSandbox(within(t), "box-web"); err != nil {
		t.Fatal(err)
	}
	box := s.start(t, pull, "web", "serve", "80")
	enginetest.Get(t, "http://"+box.IP+"/")
}

// crash does to the stage what a power cut does: every process, mount, namespace and interface is gone, files stay.
func (s *stage) crash(t *testing.T) {
	t.Helper()
	kept := map[string][]byte{}
	root := filepath.Join(s.dir, "engine")
	for _, part := range []string{"sandboxes", "containers", "ipam", "netns"} {
		err := filepath.WalkDir(filepath.Join(root, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			raw := []byte{}
			if part != "netns" { // a mount point: an empty file is left of it
				raw, err = os.ReadFile(path)
			}
			kept[path] = raw
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := containerd.Teardown(within(t), s.dir, nil); err != nil {
		t.Fatal(err)
	}
	for path, raw := range kept {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, raw)
	}
}

// traces is what an engine could leave outside its directory, as text that can be compared. Engines of other programs
// on the same machine may come and go: their names are not ours, but only differences matter.
func traces(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, pattern := range []string{"/run/containerd*", "/run/containerd/*", "/run/buildkit*", "/var/lib/cni*", "/opt/containerd*", "/etc/cni*", "/var/lib/containerd*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.Join(found, "\n") + "\n")
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, os.TempDir()) && strings.Contains(line, t.Name()[:10]) {
			b.WriteString(line)
		}
	}
	forward, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	if err != nil {
		t.Fatal(err)
	}
	b.Write(forward)
	return b.String()
}

// processes are those that mention the stage's directory.
func (s *stage) processes(t *testing.T) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []int
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(raw, []byte(s.dir+"/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil && pid != os.Getpid() {
			found = append(found, pid)
		}
	}
	return found
}

func (s *stage) tryPID(name string) (int, bool) {
	var p struct {
		PID int `json:"pid"`
	}
	raw, err := os.ReadFile(filepath.Join(s.dir, "engine/run", name+".pid"))
	if err != nil || json.Unmarshal(raw, &p) != nil {
		return 0, false
	}
	return p.PID, true
}

func (s *stage) pid(t *testing.T, name string) int {
	t.Helper()
	pid, ok := s.tryPID(name)
	if !ok {
		t.Fatalf("no pid file of %s", name)
	}
	return pid
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx := within(t)
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("never: %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
