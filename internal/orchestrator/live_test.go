package orchestrator_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// livePatience bounds what takes seconds on a quiet machine.
const livePatience = 5 * time.Minute

// job makes the example app able to do something else than serve: print, and end with a code, or stay until it is told
// to stop.
const job = `package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
)

func init() {
	if len(os.Args) < 3 || os.Args[1] != "job" {
		return
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM)
	for i := range 200 {
		fmt.Printf("job line %d of %s\n", i, os.Getenv("COMMIT"))
	}
	code, err := strconv.Atoi(os.Args[2])
	if err != nil {
		<-told
		fmt.Println("told to stop")
		os.Exit(9)
	}
	os.Exit(code)
}
`

// live is a real local AWS with an image of the example app in its registry.
type live struct {
	stage  *rehearsal.Stage
	o      *orchestrator.Orchestrator
	def    release.Definition
	digest release.Digest
}

func newLive(t *testing.T) *live {
	t.Helper()
	if testing.Short() {
		t.Skip("real containers are not short")
	}
	if os.Geteuid() != 0 {
		t.Skip("real containers need root")
	}
	root, err := rehearsal.FindRoot(must(os.Getwd()))
	if err != nil {
		t.Fatal(err)
	}
	program, engine := filepath.Join(root, "bin", "medusa-deploy"), filepath.Join(root, "bin", "engine")
	for _, path := range []string{program, filepath.Join(engine, "containerd")} {
		if _, err := os.Stat(path); err != nil {
			t.Skipf("%v: run `make build engine` first", err)
		}
	}
	stage, err := rehearsal.New(program, engine, filepath.Join(root, "examples", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeLive(t, stage) })
	l := &live{stage: stage}
	l.up(t)
	return l
}

func closeLive(t *testing.T, stage *rehearsal.Stage) {
	if t.Failed() {
		if log, err := os.ReadFile(filepath.Join(stage.State, "local.log")); err == nil {
			t.Logf("local AWS's log:\n%s", log)
		}
	}
	if err := stage.Close(context.Background()); err != nil {
		t.Errorf("close the stage: %v", err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func (l *live) up(t *testing.T) {
	t.Helper()
	if err := l.stage.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.stage.Write("job.go", []byte(job)); err != nil {
		t.Fatal(err)
	}
	l.push(t, "a job")
	env, err := l.stage.LocalEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	session, err := awsclient.Load(t.Context(), awsclient.Config{
		Region: env["AWS_REGION"], Endpoint: env["AWS_ENDPOINT_URL"], AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"],
	})
	if err != nil {
		t.Fatal(err)
	}
	l.o = orchestrator.New(session)
	l.def = definition(l.read(t, "ecs/task-definition.json"), l.read(t, "ecs/service.json"))
}

// push commits and pushes an image.
func (l *live) push(t *testing.T, subject string) {
	t.Helper()
	if _, err := l.stage.Commit(subject); err != nil {
		t.Fatal(err)
	}
	pushed, err := l.stage.Green(t.Context(), release.OutcomeSucceeded, "push")
	if err != nil {
		t.Fatal(err)
	}
	l.digest = pushed.Digest
}

func (l *live) read(t *testing.T, file string) string {
	t.Helper()
	text, err := l.stage.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (l *live) image() release.Image {
	return release.Image{Repository: "medusa", Digest: l.digest}
}

// settle waits for the end of a rollout and gives the tasks that run then.
func (l *live) settle(ctx context.Context, t *testing.T, r release.Rollout) []release.Task {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		seen, err := l.o.Observe(ctx, cluster, r)
		if err != nil {
			t.Fatal(err)
		}
		switch seen.Status {
		case "SUCCESSFUL":
			tasks, err := l.o.Running(ctx, cluster, service)
			if err != nil {
				t.Fatal(err)
			}
			return tasks
		case "PENDING", "IN_PROGRESS":
		default:
			t.Fatalf("the rollout ended as %s: %s", seen.Status, seen.StatusReason)
		}
	}
}

func (l *live) wantAll(t *testing.T, tasks []release.Task, digest release.Digest, definition string) {
	t.Helper()
	for _, task := range tasks {
		if task.Digest("medusa") != digest || task.TaskDefinition != definition {
			t.Errorf("task %s runs %s of %s, want %s of %s", task.ID, task.Digest("medusa"), task.TaskDefinition, digest, definition)
		}
	}
}

// TestLivePinAndDeploy: a service is created with a pinned revision, moved to another image and back, and given settings,
// on real containers.
func TestLivePinAndDeploy(t *testing.T) {
	l := newLive(t)
	ctx, cancel := context.WithTimeout(t.Context(), livePatience)
	defer cancel()
	first := l.digest
	pinned, err := l.o.Register(ctx, l.def, l.image())
	if err != nil {
		t.Fatal(err)
	}
	rollout, err := l.o.Create(ctx, cluster, l.def, pinned)
	if err != nil {
		t.Fatal(err)
	}
	tasks := l.settle(ctx, t, rollout)
	if l.wantAll(t, tasks, first, pinned); len(tasks) != 2 {
		t.Errorf("%d tasks run", len(tasks))
	}
	l.wantNoDifference(ctx, t)

	if err := l.stage.Edit("main.go", "Hello from", "Hello again from"); err != nil {
		t.Fatal(err)
	}
	l.push(t, "a new greeting")
	next, err := l.o.Pin(ctx, pinned, l.image())
	if err != nil || next == pinned {
		t.Fatalf("pinned %s, %v", next, err)
	}
	rollout, err = l.o.Deploy(ctx, cluster, service, release.Change{TaskDefinition: next})
	if err != nil {
		t.Fatal(err)
	}
	l.wantAll(t, l.settle(ctx, t, rollout), l.digest, next)
	l.wantNoDifference(ctx, t)

	back, err := l.o.Pin(ctx, pinned, release.Image{Repository: "medusa", Digest: first})
	if err != nil || back != pinned {
		t.Errorf("the first revision says so already, but the pin of it is %s, %v", back, err)
	}
	l.applySettings(ctx, t, back, first)
}

func (l *live) wantNoDifference(ctx context.Context, t *testing.T) {
	t.Helper()
	found, err := l.o.Compare(ctx, cluster, l.def, "medusa")
	if err != nil || len(found) > 0 {
		t.Errorf("the files are applied, but there are differences: %+v, %v", found, err)
	}
}

// applySettings deploys a revision together with changed settings.
func (l *live) applySettings(ctx context.Context, t *testing.T, revision string, digest release.Digest) {
	t.Helper()
	file := strings.NewReplacer(`"desiredCount": 2`, `"desiredCount": 1, "healthCheckGracePeriodSeconds": 5`, `"value": "/health"`, `"value": "/"`).Replace(string(l.def.Service))
	changed := l.def
	changed.Service = []byte(file)
	want := []release.Difference{
		{Where: "service medusa-service", Path: "desiredCount", From: "2", To: "1"},
		{Where: "service medusa-service", Path: "healthCheckGracePeriodSeconds", From: "0", To: "5"},
		{Where: "service medusa-service", Path: "tags[medusa-deploy:health-check-path]", From: `"/health"`, To: `"/"`},
	}
	found, err := l.o.Compare(ctx, cluster, changed, "medusa")
	if diff := cmp.Diff(want, found); err != nil || diff != "" {
		t.Error(err, diff)
	}
	rollout, err := l.o.Deploy(ctx, cluster, service, release.Change{TaskDefinition: revision, Settings: changed})
	if err != nil {
		t.Fatal(err)
	}
	tasks := l.settle(ctx, t, rollout)
	if l.wantAll(t, tasks, digest, revision); len(tasks) != 1 {
		t.Errorf("%d tasks run", len(tasks))
	}
	if found, err := l.o.Compare(ctx, cluster, changed, "medusa"); err != nil || len(found) > 0 {
		t.Errorf("after it was applied: %+v, %v", found, err)
	}
}

// TestLiveMigration runs migrations in real containers: before there is a service, one that fails, and one that is
// joined and stopped.
func TestLiveMigration(t *testing.T) {
	l := newLive(t)
	ctx, cancel := context.WithTimeout(t.Context(), livePatience)
	defer cancel()
	ask := func(what string) release.MigrationRequest {
		return release.MigrationRequest{Cluster: cluster, Service: service, Definition: l.def, Image: l.image(), Command: []string{"job", what}}
	}
	t.Run("good, without a service", func(t *testing.T) { l.wantExit(ctx, t, ask("0"), 0) })

	pinned, err := l.o.Register(ctx, l.def, l.image())
	if err != nil {
		t.Fatal(err)
	}
	rollout, err := l.o.Create(ctx, cluster, l.def, pinned)
	if err != nil {
		t.Fatal(err)
	}
	l.settle(ctx, t, rollout)
	ask = func(what string) release.MigrationRequest {
		return release.MigrationRequest{Cluster: cluster, Service: service, Image: l.image(), Command: []string{"job", what}}
	}
	var failed string
	t.Run("bad", func(t *testing.T) { failed = l.wantExit(ctx, t, ask("1"), 1) })
	t.Run("bad again", func(t *testing.T) {
		if again := l.wantExit(ctx, t, ask("1"), 1); again == failed {
			t.Error("the run after a failed one was the failed one")
		}
	})
	t.Run("joined and stopped", func(t *testing.T) { l.joinAndStop(ctx, t, ask("forever")) })
	if tasks, err := l.o.Running(ctx, cluster, service); err != nil || len(tasks) != 2 {
		t.Errorf("the service has %d tasks, %v: a migration is none of them", len(tasks), err)
	}
}

// wantExit runs a migration to its end and wants its exit code and all its lines. It gives the task.
func (l *live) wantExit(ctx context.Context, t *testing.T, req release.MigrationRequest, exit int) string {
	t.Helper()
	started, err := l.o.StartMigration(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	var heard told
	task, err := l.o.AwaitTask(ctx, started, heard.emit)
	if err != nil {
		t.Fatal(err)
	}
	if started.Joined || started.Container != "medusa" || task.Digest("medusa") != req.Image.Digest || task.Containers[0].ExitCode == nil || *task.Containers[0].ExitCode != exit {
		t.Errorf("started %+v, ended %+v", started, task)
	}
	l.wantLines(t, &heard, task, 200)
	return task.ARN
}

// wantLines wants the first n lines of a job, each once and in order.
func (l *live) wantLines(t *testing.T, heard *told, task release.Task, n int) {
	t.Helper()
	if len(heard.lines) < n || len(heard.notices) > 0 {
		t.Fatalf("heard %d lines: %q, notices %q", len(heard.lines), heard.lines, heard.notices)
	}
	for i, line := range heard.lines[:n] {
		if !strings.HasPrefix(line, task.ID+" job line "+strconv.Itoa(i)+" of ") {
			t.Fatalf("line %d is %q", i, line)
		}
	}
}

func (l *live) joinAndStop(ctx context.Context, t *testing.T, req release.MigrationRequest) {
	first, err := l.o.StartMigration(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	second, err := l.o.StartMigration(ctx, req)
	if err != nil || second.Task.ARN != first.Task.ARN || first.Joined || !second.Joined {
		t.Errorf("started %+v, then %+v, %v", first, second, err)
	}
	interrupted, interrupt := context.WithCancelCause(ctx)
	why := errors.New("interrupted")
	var heard told
	_, err = l.o.AwaitTask(interrupted, first, func(e release.Event) {
		heard.emit(e)
		interrupt(why) // at the first line
	})
	if !errors.Is(err, why) {
		t.Errorf("an interrupted wait: %v", err)
	}
	if err := l.o.StopTask(ctx, cluster, second.Task.ARN, "enough"); err != nil {
		t.Fatal(err)
	}
	var all told
	task, err := l.o.AwaitTask(ctx, second, all.emit)
	if err != nil || task.StopCode != "UserInitiated" || task.StoppedReason != "enough" || *task.Containers[0].ExitCode != 9 {
		t.Errorf("stopped: %+v, %v", task, err)
	}
	l.wantLines(t, &all, task, 200)
	if last := all.lines[len(all.lines)-1]; last != task.ID+" told to stop" {
		t.Errorf("the last line is %q", last)
	}
	if err := l.o.StopTask(ctx, cluster, second.Task.ARN, "again"); err != nil {
		t.Errorf("stopped twice: %v", err)
	}
}
