package ecs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

// run starts one task of the family "web".
func (w *world) run(change func(*awsecs.RunTaskInput)) string {
	w.Helper()
	in := &awsecs.RunTaskInput{TaskDefinition: aws.String("web"), StartedBy: aws.String("me")}
	if change != nil {
		change(in)
	}
	out, err := w.b.RunTask(w.ctx, in)
	w.check(err)
	return *out.Tasks[0].TaskArn
}

func TestRunTask(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("job", simulated.Exit(0, 5*time.Second))
		w.register(container("app", "app:latest"))
		arn := w.run(func(in *awsecs.RunTaskInput) {
			in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("app"), Command: []string{"migrate"}}}}
		})
		w.until("RUNNING", time.Minute, func() bool { return *w.task(arn).LastStatus == statusRunning })
		if ip := w.task(arn).Attachments[0].Details[0]; *ip.Name != "privateIPv4Address" || *ip.Value == "" {
			t.Errorf("attachment %+v", ip)
		}
		task := w.stopped(arn, time.Minute)
		c := task.Containers[0]
		if task.StopCode != types.TaskStopCodeEssentialContainerExited || *c.ExitCode != 0 || *task.StartedBy != "me" || *task.Group != "family:web" {
			t.Errorf("%s, exit code %d, startedBy %s, group %s", task.StopCode, *c.ExitCode, *task.StartedBy, *task.Group)
		}
		if boxes, err := w.engine.List(w.ctx); err != nil || len(boxes) != 0 {
			t.Errorf("left: %v, %v", boxes, err)
		}
		w.wantForgotten(arn)
	})
}

// wantForgotten wants a stopped task to be there for an hour and then not.
func (w *world) wantForgotten(arn string) {
	w.Helper()
	time.Sleep(55 * time.Minute)
	w.task(arn)
	time.Sleep(10 * time.Minute)
	out, err := w.b.DescribeTasks(w.ctx, &awsecs.DescribeTasksInput{Tasks: []string{arn}})
	if w.check(err); len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" {
		w.Errorf("after an hour: %+v", out)
	}
}

func TestStopTask(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		w.register(container("app", "app:latest"))
		arn := w.run(nil)
		time.Sleep(time.Second)
		_, err := w.b.StopTask(w.ctx, &awsecs.StopTaskInput{Task: &arn, Reason: aws.String("enough")})
		w.check(err)
		task := w.stopped(arn, time.Minute)
		if task.StopCode != types.TaskStopCodeUserInitiated || *task.StoppedReason != "enough" || *task.Containers[0].ExitCode != 143 {
			t.Errorf("%s: %s, exit code %d", task.StopCode, *task.StoppedReason, *task.Containers[0].ExitCode)
		}
	})
}

func TestStopTaskThatStarts(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("slow", simulated.Behaviour{PullTime: time.Hour})
		w.register(container("app", "app:latest"))
		arn := w.run(nil)
		time.Sleep(time.Second)
		_, err := w.b.StopTask(w.ctx, &awsecs.StopTaskInput{Task: &arn})
		w.check(err)
		task := w.stopped(arn, time.Second)
		if task.StopCode != types.TaskStopCodeUserInitiated || task.StartedAt != nil || task.Containers[0].Reason != nil {
			t.Errorf("%s, started %v, container's reason %s", task.StopCode, task.StartedAt, aws.ToString(task.Containers[0].Reason))
		}
	})
}

// However many tasks start, the engine is only asked to do so much at once.
func TestEngineIsNotOverrun(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("slow", simulated.Behaviour{PullTime: 10 * time.Second})
		w.register(container("app", "app:latest"))
		w.create(20, nil)
		for round := range 5 {
			time.Sleep(5 * time.Second)
			synctest.Wait()
			if got, want := w.describe().RunningCount, int32(round*pullsAtOnce); got != want {
				t.Errorf("in round %d %d tasks run, want %d", round, got, want)
			}
			time.Sleep(5 * time.Second)
		}
		w.until("all", time.Second, func() bool { return w.describe().RunningCount == 20 })
	})
}

func TestDrainThenTermThenKill(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{IgnoresSIGTERM: true})
		c := container("app", "app:latest")
		c.StopTimeout = aws.Int32(7)
		w.register(c)
		w.steady(1, balanced)
		w.balancer.drain = 3 * time.Second
		old := w.tasks(types.DesiredStatusRunning)[0]
		id := lastPart(*old.TaskArn)
		w.engine.watch(func() {
			w.balancer.mu.Lock()
			defer w.balancer.mu.Unlock()
			last := w.engine.last()
			if strings.HasPrefix(last, "SIG") && strings.Contains(last, id) && !slices.Contains(w.balancer.drained, id) {
				t.Errorf("%s while requests are in flight", last)
			}
		})
		begun := time.Now()
		_, err := w.b.StopTask(w.ctx, &awsecs.StopTaskInput{Task: old.TaskArn})
		w.check(err)
		task := w.stopped(*old.TaskArn, time.Minute)
		if took := task.StoppedAt.Sub(begun); took != 10*time.Second || *task.Containers[0].ExitCode != 137 {
			t.Errorf("stopped after %v with exit code %d", took, *task.Containers[0].ExitCode)
		}
		w.wantEvent("has begun draining connections on 1 tasks.")
		w.wantEvent("deregistered 1 targets in (target-group " + testGroup + ")")
	})
}

func (e *auditedEngine) last() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls[len(e.calls)-1]
}

// calls of one kind to containers, by their names.
func (e *auditedEngine) order(kind string) []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []string
	for _, c := range e.calls {
		if rest, ok := strings.CutPrefix(c, kind+" "); ok {
			names = append(names, rest[strings.LastIndexByte(rest, '.')+1:])
		}
	}
	return names
}

func TestDependsOn(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		w.images.pushAs("init:1", "init", simulated.Exit(0, 4*time.Second))
		w.images.pushAs("db:1", "db", simulated.Behaviour{ReadyAfter: 10 * time.Second, StopTime: time.Second})
		app, db, once := container("app", "app:latest"), container("db", "db:1"), container("init", "init:1")
		once.Essential, once.HealthCheck = aws.Bool(false), nil
		db.HealthCheck.StartPeriod = aws.Int32(20)
		app.DependsOn = []types.ContainerDependency{
			{ContainerName: aws.String("db"), Condition: types.ContainerConditionHealthy}, {ContainerName: aws.String("init"), Condition: types.ContainerConditionSuccess},
		}
		w.register(app, db, once)
		arn := w.run(nil)
		took := w.until("RUNNING", time.Minute, func() bool { return *w.task(arn).LastStatus == statusRunning })
		if took < 10*time.Second || took > 12*time.Second {
			t.Errorf("RUNNING after %v", took)
		}
		if order := w.engine.order("start"); !slices.Equal(order, []string{"db", "init", "app"}) {
			t.Errorf("started %v", order)
		}
		_, err := w.b.StopTask(w.ctx, &awsecs.StopTaskInput{Task: &arn})
		w.check(err)
		w.stopped(arn, time.Minute)
		if order := w.engine.order("SIGTERM"); order[0] != "app" {
			t.Errorf("stopped %v: the container that depends on the others goes first", order)
		}
	})
}

func TestDependencyThatFails(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		w.images.pushAs("init:1", "init", simulated.Exit(9, time.Second))
		app, once := container("app", "app:latest"), container("init", "init:1")
		once.Essential = aws.Bool(false)
		app.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("init"), Condition: types.ContainerConditionSuccess}}
		w.register(app, once)
		task := w.stopped(w.run(nil), time.Minute)
		if task.StopCode != types.TaskStopCodeTaskFailedToStart || !strings.Contains(*task.StoppedReason, "container app depends on init to be SUCCESS") {
			t.Errorf("%s: %s", task.StopCode, *task.StoppedReason)
		}
	})
}

func TestDependencyThatTakesTooLong(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		w.images.pushAs("init:1", "init", simulated.Exit(0, time.Hour))
		app, once := container("app", "app:latest"), container("init", "init:1")
		once.Essential, once.HealthCheck, once.StartTimeout = aws.Bool(false), nil, aws.Int32(20)
		app.DependsOn = []types.ContainerDependency{{ContainerName: aws.String("init"), Condition: types.ContainerConditionComplete}}
		w.register(app, once)
		task := w.stopped(w.run(nil), time.Minute)
		if waited := task.StoppingAt.Sub(*task.CreatedAt); waited != 20*time.Second || !strings.HasSuffix(*task.StoppedReason, "container app waited for init to be COMPLETE longer than its startTimeout") {
			t.Errorf("after %v: %s", waited, *task.StoppedReason)
		}
	})
}

func TestEssentialExitInSteadyServiceIsReplaced(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.v1(nil)
		w.replaced(s, types.TaskStopCodeEssentialContainerExited, reasonEssential, func(task types.Task) {
			w.check(w.engine.Engine.Signal(w.ctx, lastPart(*task.TaskArn)+".app", "SIGKILL"))
		})
		if d := w.deployment(*s.CurrentServiceDeployment); d.Status != types.ServiceDeploymentStatusSuccessful {
			t.Errorf("deployment %s", d.Status)
		}
	})
}

func TestUnhealthyTargetInSteadyServiceIsReplaced(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.v1(balanced)
		w.replaced(s, types.TaskStopCodeServiceSchedulerInitiated, reasonTargetHealth+testGroup+")", func(task types.Task) {
			w.balancer.fails(func(id string) bool { return id == lastPart(*task.TaskArn) })
		})
	})
}

// replaced makes one task of a steady service fail, and wants another in its place.
func (w *world) replaced(s types.Service, code types.TaskStopCode, reason string, fail func(types.Task)) {
	w.Helper()
	before := arns(w.tasks(types.DesiredStatusRunning))
	fail(w.task(before[0]))
	failed := w.stopped(before[0], time.Minute)
	if failed.StopCode != code || *failed.StoppedReason != reason {
		w.Errorf("%s: %s", failed.StopCode, *failed.StoppedReason)
	}
	w.until("a task in its place", time.Minute, func() bool { return w.describe().RunningCount == s.DesiredCount })
	if now := arns(w.tasks(types.DesiredStatusRunning)); !slices.Contains(now, before[1]) || slices.Contains(now, before[0]) {
		w.Errorf("tasks %v, before %v", now, before)
	}
}

func TestUnhealthyContainerInSteadyServiceIsReplaced(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.v1(nil)
		w.replaced(s, types.TaskStopCodeServiceSchedulerInitiated, reasonContainerHealth, func(task types.Task) {
			w.engine.Sicken(lastPart(*task.TaskArn) + ".app")
		})
	})
}

func TestNonEssentialExitChangesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		w.images.pushAs("side:1", "side", simulated.Exit(1, 10*time.Second))
		side := container("side", "side:1")
		side.Essential = aws.Bool(false)
		w.register(container("app", "app:latest"), side)
		w.steady(1, nil)
		before := arns(w.tasks(types.DesiredStatusRunning))
		time.Sleep(time.Minute)
		if now := arns(w.tasks(types.DesiredStatusRunning)); !slices.Equal(now, before) {
			t.Errorf("tasks %v, before %v", now, before)
		}
		if c := w.task(before[0]).Containers[1]; *c.LastStatus != statusStopped || *c.ExitCode != 1 {
			t.Errorf("the container that exited: %s", *c.LastStatus)
		}
	})
}

// logged gives a container the awslogs driver.
func logged(c types.ContainerDefinition) types.ContainerDefinition {
	c.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs, Options: map[string]string{
		"awslogs-group": "/ecs/web", "awslogs-region": testRegion, "awslogs-stream-prefix": "ecs",
	}}
	return c
}

func TestLogs(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("job", simulated.Behaviour{Log: "one\n\ntwo\r\nthree", Exits: true, ExitAfter: time.Second})
		w.register(logged(container("app", "app:latest")))
		failed := w.stopped(w.run(nil), time.Minute)
		if !strings.HasPrefix(*failed.StoppedReason, "ResourceInitializationError: failed to validate logger args: ") {
			t.Errorf("without the log group: %s", *failed.StoppedReason)
		}
		w.check(w.logs.CreateGroup(w.ctx, testRegion, "/ecs/web"))
		arn := w.run(nil)
		w.stopped(arn, time.Minute)
		stream := "/ecs/web/ecs/app/" + lastPart(arn)
		if got := w.logs.all()[stream]; !slices.Equal(got, []string{"one", "two", "three"}) {
			t.Errorf("logged %q", got)
		}
	})
}

// A log that cannot be written is tried again for a while, and neither keeps its task from stopping nor ends for good.
func TestLogsThatCannotBeWritten(t *testing.T) {
	for broken, want := range map[int][]string{3: {"one", "two"}, 6: {"two"}, 0: {"one", "two"}} {
		t.Run(fmt.Sprint(broken, " times"), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.check(w.logs.CreateGroup(w.ctx, testRegion, "/ecs/web"))
				w.images.push("v1", simulated.Behaviour{Log: "one\n"})
				w.register(logged(container("app", "app:latest")))
				w.logs.mu.Lock()
				w.logs.broken = broken
				w.logs.mu.Unlock()
				arn := w.run(nil)
				time.Sleep(20 * time.Second)
				w.engine.Write(lastPart(arn)+".app", "two\n")
				_, err := w.b.StopTask(w.ctx, &awsecs.StopTaskInput{Task: &arn})
				w.check(err)
				w.stopped(arn, time.Minute)
				if got := w.logs.all()["/ecs/web/ecs/app/"+lastPart(arn)]; !slices.Equal(got, want) {
					t.Errorf("logged %q, want %q", got, want)
				}
			})
		})
	}
}

func TestHealthGracePeriod(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{ReadyAfter: 90 * time.Second})
		w.register(container("app", "app:latest"))
		s := w.create(1, func(in *awsecs.CreateServiceInput) { in.HealthCheckGracePeriodSeconds = aws.Int32(120) })
		w.outcome(*s.CurrentServiceDeployment, types.ServiceDeploymentStatusSuccessful, 2*time.Minute)
		if failed := w.tasks(types.DesiredStatusStopped); len(failed) != 0 {
			t.Errorf("%d tasks were replaced within the grace period", len(failed))
		}
	})
}

// Views are read after the lock is released, while tasks move on: the race detector must find nothing shared.
func TestViewsShareNothingThatChanges(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(balanced)
		w.images.push("v2", simulated.Behaviour{ReadyAfter: 100 * time.Millisecond})
		ctx := w.ctx
		arn := w.force()
		stop := make(chan struct{})
		for range 3 {
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(time.Millisecond):
					}
					services, _ := w.b.DescribeServices(ctx, &awsecs.DescribeServicesInput{Services: []string{"web"}})
					tasks, _ := w.b.ListTasks(ctx, &awsecs.ListTasksInput{})
					described, _ := w.b.DescribeTasks(ctx, &awsecs.DescribeTasksInput{Tasks: tasks.TaskArns})
					deployments, _ := w.b.DescribeServiceDeployments(ctx, &awsecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{arn}})
					_ = fmt.Sprint(deep(services), deep(described), deep(deployments))
				}
			}()
		}
		w.outcome(arn, types.ServiceDeploymentStatusSuccessful, time.Minute)
		close(stop)
		synctest.Wait()
	})
}
