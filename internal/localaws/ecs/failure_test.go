package ecs

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

// Whatever is wrong with an image, the breaker rolls back, says why, and the old tasks never stop.
func TestBadImageIsRolledBack(t *testing.T) {
	const start, exited, scheduler = types.TaskStopCodeTaskFailedToStart, types.TaskStopCodeEssentialContainerExited, types.TaskStopCodeServiceSchedulerInitiated
	tests := []struct {
		name      string
		behaviour simulated.Behaviour
		code      types.TaskStopCode
		reason    string // of the task
		container string // reason of the container
		exit      int32
	}{
		{"crash at start", simulated.Exit(3, 0), exited, reasonEssential, "", 3},
		{"crash after a while", simulated.Behaviour{Exits: true, ExitAfter: time.Second, ExitCode: 1, NeverHealthy: true}, exited, reasonEssential, "", 1},
		{"never healthy", simulated.Behaviour{NeverHealthy: true}, scheduler, reasonContainerHealth, "", 143},
		{"missing", simulated.Missing(), start, "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref app:latest", "CannotPullContainerError", -1},
		{"cannot pull", simulated.CannotPull(), start, "CannotPullContainerError: failed to pull app:latest: app@bad: cannot pull image: connection reset by peer", "CannotPullContainerError", -1},
		{"cannot start", simulated.CannotStart(), start, "CannotStartContainerError: cannot start container: exec /app: exec format error", "CannotStartContainerError", -1},
		{"out of memory", simulated.OutOfMemory(0), exited, reasonEssential, "OutOfMemoryError: Container killed due to memory usage", 137},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.v1(nil)
				old := arns(w.tasks(types.DesiredStatusRunning))
				w.images.push("bad", tt.behaviour)
				arn := w.force()
				w.outcome(arn, types.ServiceDeploymentStatusRollbackSuccessful, 10*time.Minute)
				w.wantRolledBack(arn, old, 3)
				failed := w.failedTasks()
				if len(failed) < 3 {
					t.Errorf("%d tasks failed", len(failed))
				}
				for _, task := range failed {
					c := task.Containers[0]
					if !strings.HasPrefix(aws.ToString(c.Reason), tt.container) || *orInt32(c.ExitCode, -1) != tt.exit {
						t.Errorf("container: exit code %d, reason %q", *orInt32(c.ExitCode, -1), aws.ToString(c.Reason))
					}
					if task.StopCode != tt.code || !strings.HasPrefix(*task.StoppedReason, tt.reason) {
						t.Errorf("task: %s: %s", task.StopCode, *task.StoppedReason)
					}
				}
			})
		})
	}
}

// failedTasks are those that stopped by a fault of their own: a rollback stops what is under way as well.
func (w *world) failedTasks() []types.Task {
	w.Helper()
	return slices.DeleteFunc(w.tasks(types.DesiredStatusStopped), func(task types.Task) bool {
		return strings.HasPrefix(*task.StoppedReason, "Scaling activity initiated by (deployment ecs-svc/")
	})
}

// wantRolledBack wants the tasks to be the old ones, and the deployment to have counted failures.
func (w *world) wantRolledBack(deployment string, old []string, failures int32) {
	w.Helper()
	if now := arns(w.tasks(types.DesiredStatusRunning)); !slices.Equal(now, old) {
		w.Errorf("tasks %v run, want the old %v", now, old)
	}
	d := w.deployment(deployment)
	breaker := d.DeploymentCircuitBreaker
	if breaker.FailureCount < failures || breaker.Threshold != 3 || breaker.Status != types.ServiceDeploymentRollbackMonitorsStatusTriggered {
		w.Errorf("circuit breaker %+v", breaker)
	}
	if d.Rollback == nil || *d.StatusReason != "ECS deployment circuit breaker: tasks failed to start." {
		w.Errorf("rollback %v, reason %s", d.Rollback, aws.ToString(d.StatusReason))
	}
	s := w.describe()
	if len(s.Deployments) != 1 || s.RunningCount != 2 || *s.CurrentServiceDeployment != deployment || s.Deployments[0].RolloutState != types.DeploymentRolloutStateCompleted {
		w.Errorf("service: %d running, deployments %+v", s.RunningCount, s.Deployments)
	}
	w.wantEvent("deployment failed: tasks failed to start.")
	w.wantEvent("rolling back to deployment ecs-svc/")
}

func TestFailedTargetIsRolledBack(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(balanced)
		old := arns(w.tasks(types.DesiredStatusRunning))
		w.balancer.fails(func(id string) bool {
			return !slices.ContainsFunc(old, func(arn string) bool { return lastPart(arn) == id })
		})
		w.images.push("bad", simulated.Behaviour{})
		arn := w.force()
		took := w.outcome(arn, types.ServiceDeploymentStatusRollbackSuccessful, 10*time.Minute)
		if took < DefaultTargetPatience {
			t.Errorf("targets had %v to become healthy", took)
		}
		w.wantRolledBack(arn, old, 3)
		failed := w.failedTasks()[0]
		if want := reasonTargetHealth + testGroup + ")"; *failed.StoppedReason != want || failed.StopCode != types.TaskStopCodeServiceSchedulerInitiated {
			t.Errorf("%s: %s", failed.StopCode, *failed.StoppedReason)
		}
	})
}

func breaking(enable, rollback bool) func(*awsecs.CreateServiceInput) {
	return func(in *awsecs.CreateServiceInput) {
		in.DeploymentConfiguration.DeploymentCircuitBreaker = &types.DeploymentCircuitBreaker{Enable: enable, Rollback: rollback}
	}
}

// A task that was healthy before it failed does not count against its deployment.
func TestFailureAfterHealthIsNotCounted(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{StopTime: 20 * time.Second})
		w.register(container("app", "app:latest"))
		w.steady(1, func(in *awsecs.CreateServiceInput) {
			in.DeploymentConfiguration.DeploymentCircuitBreaker = &types.DeploymentCircuitBreaker{Enable: true, ResetOnHealthyTask: aws.Bool(false)}
		})
		w.images.push("v2", simulated.Exit(1, 3*time.Second))
		arn := w.force()
		time.Sleep(15 * time.Second)
		d := w.deployment(arn)
		if crashed := len(w.failedTasks()); crashed < 3 || d.DeploymentCircuitBreaker.FailureCount != 0 || d.Status != types.ServiceDeploymentStatusInProgress {
			t.Errorf("%d tasks crashed, %d were counted, %s", crashed, d.DeploymentCircuitBreaker.FailureCount, d.Status)
		}
	})
}

func TestBreakerWithoutRollback(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(breaking(true, false))
		old := arns(w.tasks(types.DesiredStatusRunning))
		w.images.push("bad", simulated.Exit(1, 0))
		arn := w.force()
		w.outcome(arn, types.ServiceDeploymentStatusStopped, time.Minute)
		time.Sleep(10 * time.Minute)
		if now := arns(w.tasks(types.DesiredStatusRunning)); !slices.Equal(now, old) {
			t.Errorf("tasks %v run, want the old %v", now, old)
		}
		primary := w.describe().Deployments[0]
		if primary.RolloutState != types.DeploymentRolloutStateFailed || primary.FailedTasks < 3 || *primary.RolloutStateReason != "ECS deployment circuit breaker: tasks failed to start." {
			t.Errorf("primary deployment %s, %d failed: %s", primary.RolloutState, primary.FailedTasks, *primary.RolloutStateReason)
		}
		if starts := len(w.tasks(types.DesiredStatusStopped)); starts > 4 {
			t.Errorf("%d tasks were started for a deployment that was given up", starts)
		}
		w.images.push("v2", simulated.Behaviour{})
		w.outcome(w.force(), types.ServiceDeploymentStatusSuccessful, time.Minute)
		w.wantDigests("v2", "v2")
	})
}

func TestDeleteServiceThatWasGivenUp(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(breaking(true, false))
		w.images.push("bad", simulated.Exit(1, 0))
		w.outcome(w.force(), types.ServiceDeploymentStatusStopped, time.Minute)
		_, err := w.b.DeleteService(w.ctx, &awsecs.DeleteServiceInput{Service: aws.String("web"), Force: aws.Bool(true)})
		w.check(err)
		w.until("INACTIVE", time.Minute, func() bool { return *w.describe().Status == statusInactive })
	})
}

func TestFirstDeploymentHasNothingToGoBackTo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("bad", simulated.Exit(1, 0))
		w.register(container("app", "app:latest"))
		s := w.create(2, nil)
		w.outcome(*s.CurrentServiceDeployment, types.ServiceDeploymentStatusStopped, time.Minute)
	})
}

func TestRollbackThatFailsToo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(func(in *awsecs.CreateServiceInput) {
			in.DeploymentConfiguration.MinimumHealthyPercent, in.DeploymentConfiguration.MaximumPercent = aws.Int32(0), aws.Int32(100)
		})
		w.images.push("bad", simulated.Exit(1, 0))
		w.images.remove("v1")
		arn := w.force()
		w.outcome(arn, types.ServiceDeploymentStatusRollbackFailed, time.Minute)
		if d := w.describe().Deployments[0]; d.RolloutState != types.DeploymentRolloutStateFailed || d.FailedTasks < 3 {
			t.Errorf("primary deployment %s, %d failed", d.RolloutState, d.FailedTasks)
		}
	})
}

func TestRetriesSlowDownWithoutBreaker(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(breaking(false, false))
		w.images.push("bad", simulated.Exit(1, 0))
		arn := w.force()
		time.Sleep(10 * time.Minute)
		if d := w.deployment(arn); d.Status != types.ServiceDeploymentStatusInProgress {
			t.Errorf("deployment %s", d.Status)
		}
		failed := w.tasks(types.DesiredStatusStopped)
		if len(failed) < 8 || len(failed) > 40 {
			t.Errorf("%d tasks were tried in ten minutes", len(failed))
		}
		last := failed[len(failed)-1].CreatedAt.Sub(*failed[len(failed)-3].CreatedAt)
		if last < time.Minute {
			t.Errorf("the last tries were %v apart", last)
		}
		w.wantEvent("is unable to consistently start tasks successfully.")
		if d := w.describe().Deployments[0]; d.RolloutState != types.DeploymentRolloutStateInProgress || int(d.FailedTasks) != len(failed) {
			t.Errorf("%s, %d failed tasks of %d", d.RolloutState, d.FailedTasks, len(failed))
		}
	})
}

func TestStopServiceDeployment(t *testing.T) {
	for kind, want := range map[types.StopServiceDeploymentStopType]struct {
		status  types.ServiceDeploymentStatus
		digests []string
	}{
		types.StopServiceDeploymentStopTypeRollback: {types.ServiceDeploymentStatusRollbackSuccessful, []string{"v1", "v1"}},
		types.StopServiceDeploymentStopTypeAbort:    {types.ServiceDeploymentStatusStopped, []string{"v1", "v1", "v2", "v2"}},
	} {
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.v1(breaking(false, false))
				w.images.push("v2", simulated.Behaviour{ReadyAfter: time.Hour})
				arn := w.force()
				time.Sleep(time.Second)
				in := &awsecs.StopServiceDeploymentInput{ServiceDeploymentArn: &arn, StopType: kind}
				_, err := w.b.StopServiceDeployment(w.ctx, in)
				w.check(err)
				w.outcome(arn, want.status, time.Minute)
				if got := w.digests(); !slices.Equal(got, want.digests) {
					t.Errorf("the tasks run %v, want %v", got, want.digests)
				}
				_, err = w.b.StopServiceDeployment(w.ctx, in)
				wantCode(t, err, "ConflictException", fmt.Sprintf("Service deployment is in the state %s and cannot be stopped.", want.status))
			})
		})
	}
}

func TestUnknownDeploymentCannotBeStopped(t *testing.T) {
	inWorld(t, func(w *world) {
		_, err := w.b.StopServiceDeployment(w.ctx, &awsecs.StopServiceDeploymentInput{ServiceDeploymentArn: aws.String("arn:none")})
		wantCode(t, err, "ServiceDeploymentNotFoundException", "Service deployment not found.")
	})
}

func TestBreakerThreshold(t *testing.T) {
	threshold := func(kind types.ThresholdType, value int32) *types.DeploymentCircuitBreaker {
		return &types.DeploymentCircuitBreaker{ThresholdConfiguration: &types.ThresholdConfiguration{Type: kind, Value: value}}
	}
	for _, tt := range []struct {
		breaker       *types.DeploymentCircuitBreaker
		desired, want int
	}{
		{nil, 1, 3},
		{nil, 7, 4},
		{nil, 25, 13},
		{nil, 1000, 200},
		{threshold(types.ThresholdTypeCount, 1), 100, 1},
		{threshold(types.ThresholdTypeUnboundedPercent, 10), 5, 1},
		{threshold(types.ThresholdTypeUnboundedPercent, 100), 1000, 1000},
		{threshold(types.ThresholdTypeBoundedPercent, 10), 100, 10},
	} {
		if got := breakerThreshold(tt.breaker, tt.desired); got != tt.want {
			t.Errorf("threshold of %+v at %d tasks: %d, want %d", tt.breaker, tt.desired, got, tt.want)
		}
	}
}
