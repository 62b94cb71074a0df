package ecs

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

func TestCreateServiceSucceeds(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.v1(nil)
		if s.RunningCount != 2 || s.PendingCount != 0 || len(s.Deployments) != 1 {
			t.Errorf("running %d, pending %d, deployments %d", s.RunningCount, s.PendingCount, len(s.Deployments))
		}
		d := s.Deployments[0]
		if *d.Status != "PRIMARY" || d.RolloutState != types.DeploymentRolloutStateCompleted || d.RunningCount != 2 || d.DesiredCount != 2 {
			t.Errorf("deployment %+v", d)
		}
		for _, text := range []string{"has started 2 tasks: (task ", "has reached a steady state.", "deployment completed."} {
			w.wantEvent(text)
		}
		tasks := w.tasks(types.DesiredStatusRunning)
		for _, task := range tasks {
			if aws.ToString(task.StartedBy) != *d.Id || *task.Group != "service:web" || task.HealthStatus != types.HealthStatusHealthy || *task.LastStatus != statusRunning {
				t.Errorf("task startedBy %s, group %s, health %s, %s", *task.StartedBy, *task.Group, task.HealthStatus, *task.LastStatus)
			}
		}
		w.wantDigests("v1", "v1")
	})
}

// A waiter takes one deployment and the right count for the end: both must come with the deployment's own end.
func TestRolloutEndsInOneStep(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(balanced)
		w.images.push("v2", simulated.Behaviour{ReadyAfter: 100 * time.Millisecond})
		arn := w.force()
		w.engine.watch(func() { w.endsInOneStep(arn) })
		took := w.until("SUCCESSFUL", time.Minute, func() bool { return w.endsInOneStep(arn) })
		if took > time.Second {
			t.Errorf("a rollout of two tasks took %v", took)
		}
		w.wantDigests("v2", "v2")
	})
}

// endsInOneStep wants a rollout to look ended to a waiter just when it is, in one look at both. It tells whether it is.
func (w *world) endsInOneStep(arn string) bool {
	w.Helper()
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	d := w.b.memory.deployments[arn]
	s := w.b.serviceView(w.b.memory.services[d.serviceKey()])
	if *s.CurrentServiceDeployment != arn {
		w.Errorf("current deployment %s, want %s", *s.CurrentServiceDeployment, arn)
	}
	alone := len(s.Deployments) == 1 && s.RunningCount == s.DesiredCount
	done := d.SD.Status == types.ServiceDeploymentStatusSuccessful
	if alone != done {
		w.Errorf("%d deployments, %d running, but SUCCESSFUL is %t", len(s.Deployments), s.RunningCount, done)
	}
	return done
}

// The same in real time, by one who never looks away.
func TestRolloutEndsInOneStepForOneWhoStares(t *testing.T) {
	w := inRealTime(t, 4)
	for range 3 {
		for arn := w.force(); !w.endsInOneStep(arn) && !t.Failed(); {
			runtime.Gosched()
		}
	}
}

func TestDigestIsResolvedOncePerDeployment(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(nil)
		w.images.push("v2", simulated.Behaviour{})
		w.update(&awsecs.UpdateServiceInput{DesiredCount: aws.Int32(3)})
		w.until("three tasks", time.Minute, func() bool { return w.describe().RunningCount == 3 })
		w.wantDigests("v1", "v1", "v1")
		arn := w.force()
		w.outcome(arn, types.ServiceDeploymentStatusSuccessful, time.Minute)
		w.wantDigests("v2", "v2", "v2")
		out, err := w.b.DescribeServiceRevisions(w.ctx, &awsecs.DescribeServiceRevisionsInput{
			ServiceRevisionArns: []string{*w.deployment(arn).TargetServiceRevision.Arn, "arn:aws:ecs:us-east-1:000000000000:service-revision/default/web/1"},
		})
		w.check(err)
		if image := out.ServiceRevisions[0].ContainerImages[0]; *image.ImageDigest != "v2" || *image.Image != "app:latest" || len(out.Failures) != 1 {
			t.Errorf("revision's image %+v, failures %+v", image, out.Failures)
		}
	})
}

func TestPinnedDigestThatIsGoneCannotBePulled(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(nil)
		w.images.remove("v1")
		w.update(&awsecs.UpdateServiceInput{DesiredCount: aws.Int32(3)})
		w.until("a failed start", time.Minute, func() bool { return len(w.tasks(types.DesiredStatusStopped)) > 0 })
		failed := w.stopped(*w.tasks(types.DesiredStatusStopped)[0].TaskArn, time.Minute)
		if failed.StopCode != types.TaskStopCodeTaskFailedToStart {
			t.Errorf("stop code %s: %s", failed.StopCode, *failed.StoppedReason)
		}
		if got := w.describe().RunningCount; got != 2 {
			t.Errorf("%d tasks run", got)
		}
	})
}

func TestVersionConsistencyDisabled(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		c := container("app", "app:latest")
		c.VersionConsistency = types.VersionConsistencyDisabled
		w.register(c)
		w.steady(1, nil)
		w.images.push("v2", simulated.Behaviour{})
		w.update(&awsecs.UpdateServiceInput{DesiredCount: aws.Int32(2)})
		w.until("two tasks", time.Minute, func() bool { return w.describe().RunningCount == 2 })
		w.wantDigests("v1", "v2")
	})
}

func TestSteadyAfterWithoutChecks(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		c := container("app", "app:latest")
		c.HealthCheck = nil
		w.register(c)
		s := w.create(2, nil)
		took := w.outcome(*s.CurrentServiceDeployment, types.ServiceDeploymentStatusSuccessful, time.Hour)
		if took < DefaultSteadyAfter || took > DefaultSteadyAfter+time.Second {
			t.Errorf("tasks without checks counted after %v", took)
		}
	})
}

func TestHealthyAfter(t *testing.T) {
	inWorld(t, func(w *world) {
		const least = 8 * time.Second
		w.b.HealthyAfter = least
		w.images.push("v1", simulated.Behaviour{})
		w.register(container("app", "app:latest"))
		s := w.create(2, nil)
		took := w.outcome(*s.CurrentServiceDeployment, types.ServiceDeploymentStatusSuccessful, time.Hour)
		if took < least || took > least+time.Second {
			t.Errorf("tasks whose checks pass counted after %v", took)
		}
	})
}

func TestSuperseded(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(nil)
		w.images.push("v2", simulated.Behaviour{ReadyAfter: 10 * time.Second})
		first := w.force()
		time.Sleep(time.Second)
		w.images.push("v3", simulated.Behaviour{})
		second := w.force()
		if d := w.deployment(first); d.Status != types.ServiceDeploymentStatusStopped || d.StoppedAt == nil {
			t.Errorf("the deployment that was overtaken is %s", d.Status)
		}
		w.outcome(second, types.ServiceDeploymentStatusSuccessful, time.Minute)
		w.wantDigests("v3", "v3")
		listed, err := w.b.ListServiceDeployments(w.ctx, &awsecs.ListServiceDeploymentsInput{Service: aws.String("web")})
		w.check(err)
		if len(listed.ServiceDeployments) != 3 || *listed.ServiceDeployments[0].ServiceDeploymentArn != second || *listed.ServiceDeployments[1].ServiceDeploymentArn != first {
			t.Errorf("deployments, newest first: %+v", listed.ServiceDeployments)
		}
	})
}

func TestScale(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.v1(nil)
		before := arns(w.tasks(types.DesiredStatusRunning))
		for _, desired := range []int32{5, 1, 0, 2} {
			arn := w.update(&awsecs.UpdateServiceInput{DesiredCount: &desired})
			if arn != *s.CurrentServiceDeployment {
				t.Fatal("a new desired count started a deployment")
			}
			w.until("scaled", time.Minute, func() bool {
				boxes, err := w.engine.List(w.ctx)
				w.check(err)
				return w.describe().RunningCount == desired && len(boxes) == int(desired)
			})
			if desired == 1 && w.tasks(types.DesiredStatusRunning)[0].CreatedAt.After(*w.task(before[1]).CreatedAt) {
				t.Error("the oldest task was stopped before newer ones")
			}
		}
		w.wantEvent("has stopped 4 running tasks: (task ")
	})
}

// Only a change of what tasks are made from is a deployment.
func TestWhatStartsDeployment(t *testing.T) {
	network := func(subnet string) *types.NetworkConfiguration {
		return &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{subnet}}}
	}
	inWorld(t, func(w *world) {
		s := w.v1(func(in *awsecs.CreateServiceInput) { in.NetworkConfiguration = network("subnet-a") })
		second, third := w.register(container("app", "app:latest")), w.register(container("app", "app:latest"))
		spot := []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT")}}
		for _, tt := range []struct {
			name string
			in   awsecs.UpdateServiceInput
			anew bool
		}{
			{"nothing", awsecs.UpdateServiceInput{}, false},
			{"the same network", awsecs.UpdateServiceInput{NetworkConfiguration: network("subnet-a")}, false},
			{"percentages", awsecs.UpdateServiceInput{DeploymentConfiguration: &types.DeploymentConfiguration{MaximumPercent: aws.Int32(150)}}, false},
			{"a grace period", awsecs.UpdateServiceInput{HealthCheckGracePeriodSeconds: aws.Int32(9)}, false},
			{"the same task definition", awsecs.UpdateServiceInput{TaskDefinition: s.TaskDefinition}, false},
			{"another network", awsecs.UpdateServiceInput{NetworkConfiguration: network("subnet-b")}, true},
			{"another task definition", awsecs.UpdateServiceInput{TaskDefinition: &second}, true},
			{"a load balancer", awsecs.UpdateServiceInput{LoadBalancers: []types.LoadBalancer{{
				TargetGroupArn: aws.String(testGroup), ContainerName: aws.String("app"), ContainerPort: aws.Int32(80),
			}}}, true},
			{"force", awsecs.UpdateServiceInput{ForceNewDeployment: true}, true},
			{"what tasks may do", awsecs.UpdateServiceInput{EnableExecuteCommand: aws.Bool(true), EnableECSManagedTags: aws.Bool(true), PropagateTags: types.PropagateTagsService}, false},
			{"placement", awsecs.UpdateServiceInput{AvailabilityZoneRebalancing: types.AvailabilityZoneRebalancingDisabled,
				PlacementConstraints: []types.PlacementConstraint{{Type: types.PlacementConstraintTypeDistinctInstance}},
				PlacementStrategy:    []types.PlacementStrategy{{Type: types.PlacementStrategyTypeRandom}}}, false},
			{"a task definition, settings and force", awsecs.UpdateServiceInput{TaskDefinition: &third, ForceNewDeployment: true, DesiredCount: aws.Int32(2),
				HealthCheckGracePeriodSeconds: aws.Int32(7), CapacityProviderStrategy: spot}, true},
			{"back to a launch type", awsecs.UpdateServiceInput{ForceNewDeployment: true, CapacityProviderStrategy: []types.CapacityProviderStrategyItem{}}, true},
		} {
			before := *w.describe().CurrentServiceDeployment
			after := w.update(&tt.in)
			if anew := after != before; anew != tt.anew {
				t.Errorf("%s: a new deployment is %t", tt.name, anew)
			}
			w.outcome(after, types.ServiceDeploymentStatusSuccessful, time.Minute)
			w.until("two tasks", time.Minute, func() bool { return w.describe().RunningCount == 2 })
			if told := w.describe(); tt.in.CapacityProviderStrategy != nil && (told.LaunchType == "") != (len(told.CapacityProviderStrategy) > 0) {
				t.Errorf("%s: launch type %q with the strategy %v", tt.name, told.LaunchType, told.CapacityProviderStrategy)
			}
		}
		told := w.describe()
		if !told.EnableExecuteCommand || !told.EnableECSManagedTags || told.PropagateTags != types.PropagateTagsService || *told.HealthCheckGracePeriodSeconds != 7 ||
			told.AvailabilityZoneRebalancing != types.AvailabilityZoneRebalancingDisabled || len(told.PlacementConstraints) != 1 || len(told.PlacementStrategy) != 1 || *told.TaskDefinition != third {
			t.Errorf("the service has %+v", told)
		}
		_, err := w.b.UpdateService(w.ctx, &awsecs.UpdateServiceInput{Service: aws.String("web"), CapacityProviderStrategy: spot})
		if err == nil || !strings.Contains(err.Error(), "you must force a new deployment") {
			t.Errorf("a strategy without force: %v", err)
		}
	})
}

func TestDeleteService(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(balanced)
		_, err := w.b.DeleteService(w.ctx, &awsecs.DeleteServiceInput{Service: aws.String("web")})
		wantCode(t, err, "InvalidParameterException", "The service cannot be stopped while it is scaled above 0.")
		out, err := w.b.DeleteService(w.ctx, &awsecs.DeleteServiceInput{Service: aws.String("web"), Force: aws.Bool(true)})
		w.check(err)
		if *out.Service.Status != statusDraining {
			t.Errorf("status %s", *out.Service.Status)
		}
		w.until("INACTIVE", time.Minute, func() bool { return *w.describe().Status == statusInactive })
		if boxes, err := w.engine.List(w.ctx); err != nil || len(boxes) != 0 || len(w.balancer.removed) != 1 {
			t.Errorf("left: %v, %v; groups removed: %v", boxes, err, w.balancer.removed)
		}
		_, err = w.b.DeleteService(w.ctx, &awsecs.DeleteServiceInput{Service: aws.String("web")})
		wantCode(t, err, "ServiceNotFoundException", "Service not found.")
		w.steady(1, balanced)
	})
}
