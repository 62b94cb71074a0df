package enginetest

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// A container is started, answers on its own address, is told to stop, and its log is complete.
func testServe(t *testing.T, open Opener) {
	begun := time.Now()
	s := open(t)
	t.Logf("boot: %v", time.Since(begun))
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	if _, err := s.Pull(Within(t), pull); err != nil {
		t.Fatal(err)
	}
	begun = time.Now()
	sandbox := s.Launch(t, pull, "web", "serve", "80")
	if got := Get(t, URL(sandbox)); got != "uid 0" {
		t.Errorf("page = %q", got)
	}
	t.Logf("start to first 200: %v", time.Since(begun))
	begun = time.Now()
	if err := s.Signal(Within(t), "web", "SIGTERM"); err != nil {
		t.Fatal(err)
	}
	exit, text := s.Output(t, "web")
	t.Logf("stop: %v", time.Since(begun))
	if exit.Code != 0 || exit.OOMKilled || exit.At.IsZero() {
		t.Errorf("exit = %+v", exit)
	}
	if want := "listening on 80\nstopping\n"; text != want {
		t.Errorf("log = %q, want %q", text, want)
	}
	if err := s.Signal(Within(t), "web", "SIGKILL"); err != nil {
		t.Errorf("signal to a stopped container: %v", err)
	}
	begun = time.Now()
	if err := s.RemoveSandbox(Within(t), sandbox.ID); err != nil {
		t.Fatal(err)
	}
	t.Logf("remove: %v", time.Since(begun))
	begun = time.Now()
	if err := s.Shutdown(Within(t)); err != nil {
		t.Fatal(err)
	}
	t.Logf("shutdown: %v", time.Since(begun))
}

// What a container sees and how it ends, for one behaviour of the app each.
func testContainers(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{
		Env: []string{"FROM=image", "BOTH=image"}, Cmd: []string{"env", "FROM"}, StopSignal: "SIGINT",
	}))
	for _, c := range []struct {
		name string
		box  engine.SandboxSpec
		spec engine.ContainerSpec
		code int
		oom  bool
		want string // part of the log
	}{
		{name: "the image's own command", want: "image\n"},
		{name: "exit code", spec: engine.ContainerSpec{Command: []string{"exit", "7"}}, code: 7, want: "leaving with 7"},
		{name: "environment wins over the image's", want: "spec\n",
			spec: engine.ContainerSpec{Command: []string{"env", "BOTH"}, Env: []string{"BOTH=spec"}}},
		{name: "entrypoint discards the image's command", want: "hello\n",
			spec: engine.ContainerSpec{Entrypoint: []string{"/app", "env", "GREETING"}, Env: []string{"GREETING=hello"}}},
		{name: "hostname", box: engine.SandboxSpec{Hostname: "shop"}, spec: engine.ContainerSpec{Command: []string{"read", "/etc/hostname"}}, want: "shop\n"},
		{name: "extra hosts", want: "10.1.2.3\tdatabase\n",
			box:  engine.SandboxSpec{ExtraHosts: map[string]string{"database": "10.1.2.3", "here": engine.HostGateway}},
			spec: engine.ContainerSpec{Command: []string{"read", "/etc/hosts"}}},
		{name: "out of memory", code: 137, oom: true,
			spec: engine.ContainerSpec{Command: []string{"eat", "200"}, MemoryBytes: 32 << 20}},
		{name: "enough memory", want: "ate 20\n",
			spec: engine.ContainerSpec{Command: []string{"eat", "20"}, MemoryBytes: 128 << 20, CPUShares: 256}},
		{name: "writable root", spec: engine.ContainerSpec{Command: []string{"write", "/x"}}},
		{name: "read-only root", code: 1, want: "read-only file system",
			spec: engine.ContainerSpec{Command: []string{"write", "/x"}, ReadonlyRootfs: true}},
		{name: "tmpfs on a read-only root", spec: engine.ContainerSpec{Command: []string{"write", "/scratch/x"},
			ReadonlyRootfs: true, TmpfsSizeByPath: map[string]int64{"/scratch": 1 << 20}}},
		{name: "read-only kernel settings", code: 1, want: "read-only file system",
			spec: engine.ContainerSpec{Command: []string{"write", "/proc/sys/kernel/domainname"}}},
		{name: "ulimits", want: "Max core file size        1000                 2000 ", spec: engine.ContainerSpec{
			Command: []string{"read", "/proc/self/limits"}, Ulimits: []engine.Ulimit{{Name: "core", Soft: 1000, Hard: 2000}}}},
		{name: "Docker's capabilities", want: "CapEff:\t00000000a80425fb\n",
			spec: engine.ContainerSpec{Command: []string{"read", "/proc/self/status"}}},
		{name: "fewer capabilities", want: "CapEff:\t00000000a80425fa\n", spec: engine.ContainerSpec{
			Command: []string{"read", "/proc/self/status"}, LinuxDropCaps: []string{"CHOWN"}}},
		{name: "a system-call filter", want: "Seccomp:\t2\n", spec: engine.ContainerSpec{Command: []string{"read", "/proc/self/status"}}},
		{name: "privileged", want: "Seccomp:\t0\n",
			spec: engine.ContainerSpec{Command: []string{"read", "/proc/self/status"}, Privileged: true}},
		{name: "user by name", want: "Uid:\t1234\t1234\t1234\t1234\n",
			spec: engine.ContainerSpec{Command: []string{"read", "/proc/self/status"}, User: "web"}},
		{name: "groups of the user", want: "Groups:\t77 1234",
			spec: engine.ContainerSpec{Command: []string{"read", "/proc/self/status"}, User: "web"}},
		{name: "shared memory", want: " /dev/shm ", spec: engine.ContainerSpec{Command: []string{"read", "/proc/self/mountinfo"}, SharedMemorySize: 8 << 20}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.spec.Privileged && s.NoPrivileged != "" {
				t.Skip(s.NoPrivileged)
			}
			c.spec.ID = "c-" + strings.NewReplacer(" ", "-", "'", "", ",", "").Replace(c.name)
			s.StartIn(t, pull, c.box, c.spec)
			exit, text := s.Output(t, c.spec.ID)
			if exit.Code != c.code || exit.OOMKilled != c.oom {
				t.Errorf("exit = %+v, want code %d, out of memory %v; log:\n%s", exit, c.code, c.oom, text)
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("log lacks %q:\n%s", c.want, text)
			}
		})
	}
}

// What cannot be started says why, in words that ECS shows, and leaves nothing.
func testStartFails(t *testing.T, open Opener) {
	s := open(t)
	h := NewHub(t)
	native := h.Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	foreign := "arm64"
	if runtime.GOARCH == foreign {
		foreign = "amd64"
	}
	other := h.Push(t, "foreign", ImageOf(t, foreign, v1.Config{Cmd: []string{"exit", "0"}}))
	for _, c := range []struct {
		name string
		pull engine.PullRequest
		spec engine.ContainerSpec
		want string
	}{
		{"no such executable", native, engine.ContainerSpec{Entrypoint: []string{"/nothing"}}, "/nothing"},
		{"not executable", native, engine.ContainerSpec{Entrypoint: []string{"/etc"}}, "/etc"},
		{"no such user", native, engine.ContainerSpec{User: "nobody-here"}, "nobody-here"},
		{"no such capability", native, engine.ContainerSpec{LinuxAddCaps: []string{"FLY"}}, "CAP_FLY"},
		{"no such ulimit", native, engine.ContainerSpec{Ulimits: []engine.Ulimit{{Name: "wings"}}}, "wings"},
		{"other architecture", other, engine.ContainerSpec{}, "exec format error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := s.Pull(Within(t), c.pull); err != nil {
				t.Fatal(err)
			}
			box, err := s.CreateSandbox(Within(t), engine.SandboxSpec{ID: "box"})
			if err != nil {
				t.Fatal(err)
			}
			c.spec.ID, c.spec.Sandbox, c.spec.Image = "doomed", box.ID, c.pull.Ref
			err = s.Start(Within(t), c.spec)
			if !errors.Is(err, engine.ErrStart) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("err = %v, want ErrStart with %q", err, c.want)
			}
			if _, err := s.Wait(Within(t), "doomed"); !errors.Is(err, engine.ErrNotFound) {
				t.Errorf("wait = %v, want ErrNotFound", err)
			}
		})
	}
	t.Run("no sandbox", func(t *testing.T) {
		err := s.Start(Within(t), engine.ContainerSpec{ID: "doomed", Sandbox: "nowhere", Image: native.Ref})
		if !errors.Is(err, engine.ErrStart) || !strings.Contains(err.Error(), "nowhere") {
			t.Errorf("err = %v", err)
		}
	})
}

// Calls that are repeated succeed, and both containers of a task share its address.
func testIdempotence(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{StopSignal: "SIGINT"}))
	one := s.Launch(t, pull, "web", "serve", "80")
	again, err := s.CreateSandbox(Within(t), engine.SandboxSpec{ID: one.ID, Ports: []int{80}})
	if err != nil || !reflect.DeepEqual(again, one) {
		t.Errorf("second create = %+v, %v; want %+v", again, err, one)
	}
	spec := engine.ContainerSpec{ID: "side", Name: "side", Sandbox: one.ID, Image: pull.Ref, Command: []string{"trap", "SIGINT"}, Labels: map[string]string{"k": "v"}}
	for range 2 {
		if err := s.Start(Within(t), spec); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.List(Within(t))
	if err != nil || len(list) != 1 || len(list[0].Containers) != 2 {
		t.Fatalf("list = %+v, %v", list, err)
	}
	side := list[0].Containers[0]
	if side.ID != "side" || !side.Running || side.Labels["k"] != "v" || side.Name != "side" || side.Image != pull.Ref || side.Started.IsZero() {
		t.Errorf("side = %+v", side)
	}
	s.AwaitLog(t, "side", "ready")
	if err := s.Signal(Within(t), "side", "SIGTERM"); err != nil { // the image says SIGINT
		t.Fatal(err)
	}
	if exit, _ := s.Output(t, "side"); exit.Code != 42 {
		t.Errorf("exit = %+v, want 42 by SIGINT", exit)
	}
	for range 2 {
		if err := s.RemoveSandbox(Within(t), one.ID); err != nil {
			t.Fatal(err)
		}
	}
	if list, err := s.List(Within(t)); err != nil || len(list) != 0 {
		t.Errorf("list = %+v, %v", list, err)
	}
}

// Tasks that come and go at the same time get different addresses and do not disturb each other.
func testManyAtOnce(t *testing.T, open Opener) {
	s := open(t)
	pull := NewHub(t).Push(t, "app", ImageOf(t, runtime.GOARCH, v1.Config{}))
	const n = 8
	var group errgroup.Group
	var addresses sync.Map
	ctx := Within(t)
	for i := range n {
		group.Go(func() error {
			id := fmt.Sprintf("task%d", i)
			if _, err := s.Pull(ctx, pull); err != nil {
				return err
			}
			box, err := s.CreateSandbox(ctx, engine.SandboxSpec{ID: id})
			if err != nil {
				return err
			}
			if other, taken := addresses.LoadOrStore(box.IP, id); taken {
				return fmt.Errorf("%s and %s both have %s", id, other, box.IP)
			}
			if err := s.Start(ctx, engine.ContainerSpec{ID: id, Sandbox: id, Image: pull.Ref, Command: []string{"exit", fmt.Sprint(i)}}); err != nil {
				return err
			}
			if exit, err := s.Wait(ctx, id); err != nil || exit.Code != i {
				return fmt.Errorf("%s: exit %+v, %w", id, exit, err)
			}
			return s.RemoveSandbox(ctx, id)
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if list, err := s.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("list = %+v, %v", list, err)
	}
}
