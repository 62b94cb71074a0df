//go:build linux

package e2e

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// nobody is who has no rights but to Docker's socket.
const nobody = 65534

// nobodysStage is a stage of nobody's, on a Docker Engine of its own.
func nobodysStage(t *testing.T) (*rehearsal.Stage, *rehearsal.Dockerd) {
	t.Helper()
	stage := openStage(t)
	daemon, err := rehearsal.StartDockerd(t.Context(), "65534")
	if err != nil {
		closeStage(t, stage)
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// Before the daemon stops, and with it everything: what did the program leave?
		closeStage(t, stage)
		left, err := rehearsal.DockerLeftovers(context.Background(), daemon.Host, stage.State)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind in Docker: %v, %v", left, err)
		}
		if err := daemon.Stop(); err != nil {
			t.Error(err)
		}
	})
	stage.Env = append(stage.Env, "DOCKER_HOST="+daemon.Host)
	if err := stage.GiveTo(rehearsal.User{UID: nobody, GID: nobody}, "buildkitd", "runc"); err != nil {
		t.Fatal(err)
	}
	return stage, daemon
}

// TestDockerEngine goes the whole line without root, on Docker: which is chosen by itself; ship, change under load, an
// image that cannot work, a kill, and down.
func TestDockerEngine(t *testing.T) {
	stage, daemon := nobodysStage(t)
	up, err := stage.Must(t.Context(), "local", "up", "--listen", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"engine: docker, because", daemon.Host, "missing root (the user id is 65534)"} {
		if !strings.Contains(up.Stdout, word) {
			t.Errorf("local up does not say %q:\n%s", word, up.Stdout)
		}
	}
	if err := stage.Up(t.Context()); err != nil { // and it runs already
		t.Fatal(err)
	}
	first := green(t, stage, release.OutcomeSucceeded, "ship")
	url := first.Services[0].URL
	if got := page(t, url); !strings.Contains(got, first.Commit) {
		t.Errorf("page = %q", got)
	}

	edit(t, stage, "Hello from", "Hello again from")
	load := rehearsal.StartLoad(t.Context(), url, 2)
	good := green(t, stage, release.OutcomeSucceeded, "ship")
	expectServed(t, load.Stop())

	breakImage(t, stage, "ENV CRASH=3")
	bad, report := rolledBack(t, stage, url, "ship")
	expectExplanation(t, bad, "exit code 3", "EssentialContainerExited", "CRASH is set, exiting with 3")
	expectOldServes(t, stage, good, report)
	restoreImage(t, stage)

	var before []string
	eventually(t, "two tasks of two containers are left", func() bool {
		before = dockerTasks(t, daemon)
		return len(before) == 4
	})
	kill(t, localStatusOf(t, stage).Info.PID)
	eventually(t, "local AWS is gone", func() bool { s := localStatusOf(t, stage); return !s.Running && s.Crashed })
	if err := stage.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := dockerTasks(t, daemon); !slices.Equal(after, before) {
		t.Errorf("containers were %v and are %v: want the same", before, after)
	}
	if got := page(t, url); !strings.Contains(got, good.Commit) {
		t.Errorf("the page after a kill: %s", got)
	}

	must(t, stage, "local", "down")
	if running := dockerTasks(t, daemon); len(running) > 0 {
		t.Errorf("after local down there is %v", running)
	}
}

// dockerTasks are the containers of tasks, by id and start.
func dockerTasks(t *testing.T, daemon *rehearsal.Dockerd) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "docker", "--host", daemon.Host, "ps", "--all", "--no-trunc", "--filter", "label=medusa-deploy.sandbox",
		"--format", "{{.ID}} {{.State}}")
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	ids := strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
	slices.Sort(ids)
	return ids
}
