package ecs

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// restart ends the Backend and makes another one on the same store and engine.
func (w *world) restart(between func()) {
	w.Helper()
	w.halt()
	if between != nil {
		between()
	}
	w.start()
}

// wantNoneStartedTwice wants every container to have been started once.
func (w *world) wantNoneStartedTwice() {
	w.Helper()
	w.engine.mu.Lock()
	defer w.engine.mu.Unlock()
	for id, n := range w.engine.starts {
		if n != 1 {
			w.Errorf("container %s was started %d times", id, n)
		}
	}
}

func TestAdoptionOfWhatRuns(t *testing.T) {
	inWorld(t, func(w *world) {
		w.check(w.logs.CreateGroup(w.ctx, testRegion, "/ecs/web"))
		w.images.push("v1", simulated.Behaviour{Log: "one\ntwo\n"})
		w.register(logged(container("app", "app:latest")))
		w.balancer.warmup = 100 * time.Millisecond
		before := w.steady(2, balanced)
		tasks := arns(w.tasks(types.DesiredStatusRunning))
		w.restart(func() {
			w.balancer.mu.Lock() // the load balancer lives in the process that ended
			w.balancer.groups = map[string]map[string]time.Time{}
			w.balancer.mu.Unlock()
			for _, arn := range tasks {
				w.engine.Write(lastPart(arn)+".app", "while away\n")
			}
		})
		time.Sleep(10 * time.Minute)
		after := w.describe()
		if now := arns(w.tasks(types.DesiredStatusRunning)); !slices.Equal(now, tasks) || after.RunningCount != 2 {
			t.Errorf("tasks %v (%d running), before %v", now, after.RunningCount, tasks)
		}
		if *after.CurrentServiceDeployment != *before.CurrentServiceDeployment || len(after.Events) != len(before.Events) {
			t.Errorf("events %v, before %v", messages(after), messages(before))
		}
		w.wantNoneStartedTwice()
		if got := w.balancer.groups[testGroup]; len(got) != 2 {
			t.Errorf("targets after the restart: %v", got)
		}
		for stream, lines := range w.logs.all() {
			if !slices.Equal(lines, []string{"one", "two", "while away"}) {
				t.Errorf("%s: %q", stream, lines)
			}
		}
	})
}

func TestAdoptionWhenContainersAreGone(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(balanced)
		tasks := arns(w.tasks(types.DesiredStatusRunning))
		w.restart(func() {
			w.images.push("v2", simulated.Behaviour{})
			for _, arn := range tasks {
				w.check(w.engine.RemoveSandbox(w.ctx, lastPart(arn)))
			}
			if _, err := w.engine.CreateSandbox(w.ctx, engine.SandboxSpec{ID: "nobodys"}); err != nil {
				t.Fatal(err)
			}
		})
		for _, arn := range tasks {
			if task := w.stopped(arn, time.Second); task.StopCode != types.TaskStopCodeTerminationNotice {
				t.Errorf("%s: %s", task.StopCode, *task.StoppedReason)
			}
		}
		w.until("two tasks", time.Minute, func() bool { return w.describe().RunningCount == 2 })
		w.wantDigests("v1", "v1")
		boxes, err := w.engine.List(w.ctx)
		if w.check(err); len(boxes) != 2 {
			t.Errorf("sandboxes: %v", boxes)
		}
		if w.describe().Deployments[0].FailedTasks != 0 {
			t.Error("the loss of the engine counts as a failure of the deployment")
		}
	})
}

func TestAdoptionOfContainerThatStoppedMeanwhile(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(nil)
		first := *w.tasks(types.DesiredStatusRunning)[0].TaskArn
		w.restart(func() { w.check(w.engine.Signal(w.ctx, lastPart(first)+".app", "SIGKILL")) })
		task := w.stopped(first, time.Minute)
		if task.StopCode != types.TaskStopCodeEssentialContainerExited || *task.Containers[0].ExitCode != 137 {
			t.Errorf("%s, exit code %d", task.StopCode, *task.Containers[0].ExitCode)
		}
		w.until("two tasks", time.Minute, func() bool { return w.describe().RunningCount == 2 })
	})
}

// A restart at any moment of a rollout changes nothing of its outcome, and never stops an old task too early.
func TestAdoptionWithinRollout(t *testing.T) {
	for _, at := range []time.Duration{0, 50 * time.Millisecond, time.Second, 5 * time.Second, 6500 * time.Millisecond} {
		t.Run(at.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.balancer.warmup, w.balancer.drain = 500*time.Millisecond, time.Second
				w.v1(balanced)
				w.images.push("v2", simulated.Behaviour{PullTime: 100 * time.Millisecond, ReadyAfter: 5 * time.Second, StopTime: time.Second})
				arn := w.force()
				time.Sleep(at)
				w.restart(func() {
					w.balancer.mu.Lock()
					w.balancer.groups = map[string]map[string]time.Time{}
					w.balancer.mu.Unlock()
				})
				fewest := 2
				w.until("SUCCESSFUL", time.Minute, func() bool {
					_, healthy := w.census()
					fewest = min(fewest, healthy)
					return w.deployment(arn).Status == types.ServiceDeploymentStatusSuccessful
				})
				if fewest < 2 {
					t.Errorf("%d tasks were healthy", fewest)
				}
				w.wantDigests("v2", "v2")
				w.wantNoLeak(2)
			})
		})
	}
}

// wantNoLeak wants the engine to hold n sandboxes, each of a task that shall run.
func (w *world) wantNoLeak(n int) {
	w.Helper()
	boxes, err := w.engine.List(w.ctx)
	w.check(err)
	running := strings.Join(arns(w.tasks(types.DesiredStatusRunning)), " ")
	for _, box := range boxes {
		if !strings.Contains(running, box.ID) {
			w.Errorf("sandbox %s belongs to no task", box.ID)
		}
	}
	if len(boxes) != n {
		w.Errorf("%d sandboxes, want %d", len(boxes), n)
	}
}

// What failed before a restart must not count again after it.
func TestFailuresAreCountedOnceOverRestarts(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(func(in *awsecs.CreateServiceInput) {
			in.DeploymentConfiguration.DeploymentCircuitBreaker = &types.DeploymentCircuitBreaker{
				Enable: true, Rollback: true, ThresholdConfiguration: &types.ThresholdConfiguration{Type: types.ThresholdTypeCount, Value: 5},
			}
		})
		w.images.push("bad", simulated.Exit(1, 3*time.Second))
		c := container("app", "app:latest")
		c.HealthCheck = nil
		w.update(&awsecs.UpdateServiceInput{TaskDefinition: aws.String(w.register(c))})
		failures := func() int32 {
			return w.deployment(*w.describe().CurrentServiceDeployment).DeploymentCircuitBreaker.FailureCount
		}
		w.until("two failures", time.Minute, func() bool { return failures() == 2 })
		for range 3 {
			w.restart(nil)
			if got := failures(); got != 2 {
				t.Fatalf("after a restart %d failures are counted", got)
			}
		}
	})
}

func TestAdoptionOfTaskThatStops(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{StopTime: 10 * time.Second})
		w.register(container("app", "app:latest"))
		arn := w.run(nil)
		time.Sleep(time.Second)
		_, err := w.b.StopTask(w.ctx, &awsecs.StopTaskInput{Task: &arn})
		w.check(err)
		time.Sleep(time.Second)
		w.restart(nil)
		if task := w.stopped(arn, time.Minute); task.StopCode != types.TaskStopCodeUserInitiated || *task.Containers[0].ExitCode != 143 {
			t.Errorf("%s, exit code %d", task.StopCode, *task.Containers[0].ExitCode)
		}
		w.wantNoLeak(0)
	})
}

func TestAdoptionOfDeletedService(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(balanced)
		w.balancer.drain = 10 * time.Second
		_, err := w.b.DeleteService(w.ctx, &awsecs.DeleteServiceInput{Service: aws.String("web"), Force: aws.Bool(true)})
		w.check(err)
		time.Sleep(time.Second)
		w.restart(nil)
		w.until("INACTIVE", time.Minute, func() bool { return *w.describe().Status == statusInactive })
		w.wantNoLeak(0)
	})
}
