//go:build linux

package docker_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/docker"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/enginetest"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

func appImage(t *testing.T) engine.PullRequest {
	t.Helper()
	return enginetest.NewHub(t).Push(t, "app", enginetest.ImageOf(t, runtime.GOARCH, v1.Config{}))
}

// cli runs the docker command on a stage's daemon.
func cli(t *testing.T, s *stage, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.CommandContext(enginetest.Within(t), "docker", append([]string{"--host", s.config.Host}, args...)...)
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("docker %v: %v\n%s", args, err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

// What waits goes on waiting when the daemon is killed, and learns how the container ended when it is back.
func TestDaemonKilled(t *testing.T) {
	needDocker(t)
	d, err := rehearsal.StartDockerd(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := stageOn(t, d, false)
	shared := s.shared()
	box := shared.Launch(t, appImage(t), "web", "serve", "80")
	shared.AwaitLog(t, "web", "listening")
	type outcome struct {
		exit engine.Exit
		err  error
	}
	waited := make(chan outcome, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), enginetest.Patience)
		defer cancel()
		exit, err := s.Wait(ctx, "web")
		waited <- outcome{exit, err}
	}()
	if err := d.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := d.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := <-waited; got.err != nil || got.exit.At.IsZero() {
		t.Errorf("exit = %+v, %v; want the end that the daemon gave it", got.exit, got.err)
	}
	if _, text := shared.Output(t, "web"); !strings.HasPrefix(text, "listening on 80\n") {
		t.Errorf("log = %q", text)
	}
	if err := s.RemoveSandbox(enginetest.Within(t), box.ID); err != nil {
		t.Error(err)
	}
	shared.Launch(t, appImage(t), "web", "exit", "3")
	if exit, _ := shared.Output(t, "web"); exit.Code != 3 {
		t.Errorf("exit = %+v", exit)
	}
}

// BuildKit that ends is started again.
func TestBuildKitIsSupervised(t *testing.T) {
	s := newStage(t, false)
	if s.BuildKitAddress() == "" {
		t.Skip("no BuildKit: run `make engine`")
	}
	name := cli(t, s, "ps", "--filter", "label=medusa-deploy.helper", "--format", "{{.Names}}")
	first := cli(t, s, "inspect", "--format", "{{.Id}}", name)
	cli(t, s, "kill", name)
	ctx := enginetest.Within(t)
	for {
		if now := cli(t, s, "ps", "--no-trunc", "--filter", "label=medusa-deploy.helper", "--format", "{{.ID}}"); now != "" && now != first {
			break
		}
		select {
		case <-ctx.Done():
			t.Fatal("BuildKit was not started again")
		case <-time.After(20 * time.Millisecond): // until the next look
		}
	}
	hub := enginetest.NewHub(t)
	shared := s.shared()
	shared.Reopen(t, hub.Host)
	shared.BuildApp(t, hub.Host+"/built:latest")
}

// A container that a crash left created and not started is no container, and is gone with the next engine.
func TestHalfMade(t *testing.T) {
	s := newStage(t, false)
	pull := appImage(t)
	box := s.shared().Launch(t, pull, "web", "serve", "80")
	name := strings.TrimSuffix(cli(t, s, "ps", "--filter", "label=medusa-deploy.container=web", "--format", "{{.Names}}"), "web") + "late"
	tag := cli(t, s, "inspect", "--format", `{{index .Config.Labels "medusa-deploy.engine"}}`, strings.TrimSuffix(name, "late")+"web")
	image := cli(t, s, "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=medusa-deploy-"+tag)
	cli(t, s, "create", "--name", name, "--label", "medusa-deploy.engine="+tag, "--label", "medusa-deploy.sandbox="+box.ID,
		"--label", "medusa-deploy.container=late", image)
	if list, err := s.List(enginetest.Within(t)); err != nil || len(list) != 1 || len(list[0].Containers) != 1 {
		t.Errorf("list = %+v, %v", list, err)
	}
	if _, err := s.Wait(enginetest.Within(t), "late"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("wait = %v, want ErrNotFound", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s.open(t)
	if left := cli(t, s, "ps", "--all", "--quiet", "--filter", "name=^"+name+"$"); left != "" {
		t.Errorf("%s is left", left)
	}
	if err := s.Start(enginetest.Within(t), engine.ContainerSpec{ID: "late", Sandbox: box.ID, Image: pull.Ref, Command: []string{"exit", "4"}}); err != nil {
		t.Fatal(err)
	}
	if exit, _ := s.shared().Output(t, "late"); exit.Code != 4 {
		t.Errorf("exit = %+v", exit)
	}
}

// Shutdown, and Teardown after a crash, leave nothing that runs; Forget leaves nothing at all.
func TestNothingIsLeft(t *testing.T) {
	for _, way := range []struct {
		name string
		end  func(*stage) error
	}{
		{"shutdown", func(s *stage) error { return s.Shutdown(t.Context()) }},
		{"teardown after a crash", func(s *stage) error {
			return errors.Join(s.Close(), docker.Teardown(t.Context(), s.config.Dir, s.config.Log))
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			s := newStage(t, false)
			s.shared().StartSpec(t, appImage(t), engine.ContainerSpec{ID: "web", Command: []string{"serve", "80"}, SecretEnv: []string{"A=b"}})
			if err := way.end(s); err != nil {
				t.Fatal(err)
			}
			if left := cli(t, s, "ps", "--all", "--format", "{{.Names}}"); left != "" {
				t.Errorf("containers are left: %s", left)
			}
			if err := docker.Teardown(enginetest.Within(t), s.config.Dir, nil); err != nil { // again
				t.Error(err)
			}
			if err := docker.Forget(enginetest.Within(t), s.config.Dir, nil); err != nil {
				t.Error(err)
			}
			for what, args := range map[string][]string{
				"containers": {"ps", "--all", "--quiet"}, "volumes": {"volume", "ls", "--quiet"}, "images": {"images", "--all", "--quiet"},
			} {
				if left := cli(t, s, args...); left != "" {
					t.Errorf("%s are left: %s", what, left)
				}
			}
			if files, err := filepath.Glob(filepath.Join(s.config.Dir, "docker", "*")); err != nil || len(files) > 0 {
				t.Errorf("files are left: %v, %v", files, err)
			}
		})
	}
}

// Images that others named stay.
func TestForeignNamesStay(t *testing.T) {
	s := newStage(t, false)
	s.shared().Launch(t, appImage(t), "web", "exit", "0")
	image := cli(t, s, "inspect", "--format", "{{.Image}}", cli(t, s, "ps", "--all", "--quiet", "--filter", "label=medusa-deploy.container=web"))
	cli(t, s, "tag", image, "mine:latest")
	if err := errors.Join(s.Shutdown(t.Context()), docker.Forget(enginetest.Within(t), s.config.Dir, nil)); err != nil {
		t.Fatal(err)
	}
	if left := cli(t, s, "images", "--format", "{{.Repository}}"); left != "mine" {
		t.Errorf("images = %q, want mine alone", left)
	}
	cli(t, s, "rmi", "mine:latest")
}

// Where no engine ever was there is nothing to do, with or without Docker.
func TestNothingToTearDown(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	dir := t.TempDir()
	if err := errors.Join(docker.Teardown(t.Context(), dir, nil), docker.Forget(t.Context(), dir, nil)); err != nil {
		t.Error(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "docker"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "docker", "open"), []byte("unix:///nowhere/docker.sock\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := docker.Teardown(t.Context(), dir, nil)
	if !errors.Is(err, docker.ErrNoDocker) || !strings.Contains(err.Error(), "rm -r "+filepath.Join(dir, "docker")) {
		t.Errorf("err = %v, want ErrNoDocker with the way out", err)
	}
}
