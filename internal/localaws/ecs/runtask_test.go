package ecs

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

// job registers a task that ends after a minute with an exit code.
func (w *world) job(code int) {
	w.Helper()
	w.images.push("job", simulated.Exit(code, time.Minute))
	c := container("app", "app:latest")
	c.HealthCheck = nil
	w.register(c)
}

func TestATokenIsKnownAnHourLongerThanItsTask(t *testing.T) {
	inWorld(t, func(w *world) {
		w.job(1)
		token := func(in *awsecs.RunTaskInput) { in.ClientToken = aws.String("t") }
		first := w.run(token)
		w.stopped(first, 2*time.Minute)
		out, err := w.b.RunTask(w.ctx, &awsecs.RunTaskInput{TaskDefinition: aws.String("web"), StartedBy: aws.String("me"), ClientToken: aws.String("t")})
		w.check(err)
		want := types.Task{TaskArn: &first, LastStatus: aws.String(statusStopped), DesiredStatus: aws.String(statusStopped)}
		if !reflect.DeepEqual(out.Tasks, []types.Task{want}) {
			t.Errorf("of a task that has stopped: %+v", out.Tasks)
		}
		time.Sleep(2 * time.Hour)
		if again := w.run(token); again == first {
			t.Error("the token of a forgotten task is still known")
		}
	})
}

func TestATokenIsKnownForADayAtMost(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		w.register(container("app", "app:latest"))
		token := func(in *awsecs.RunTaskInput) { in.ClientToken = aws.String("t") }
		first := w.run(token)
		time.Sleep(23 * time.Hour)
		if again := w.run(token); again != first {
			t.Error("the task was started again")
		}
		time.Sleep(2 * time.Hour)
		if again := w.run(token); again == first {
			t.Error("the token is older than a day")
		}
	})
}

// A token is one request's: what is asked for must be the same, to the letter.
func TestATokenWithOtherParameters(t *testing.T) {
	inWorld(t, func(w *world) {
		w.job(0)
		first := w.run(func(in *awsecs.RunTaskInput) { in.ClientToken = aws.String("t") })
		for name, change := range map[string]func(*awsecs.RunTaskInput){
			"revision":  func(in *awsecs.RunTaskInput) { in.TaskDefinition = aws.String("web:1") },
			"count":     func(in *awsecs.RunTaskInput) { in.Count = aws.Int32(2) },
			"startedBy": func(in *awsecs.RunTaskInput) { in.StartedBy = aws.String("you") },
			"overrides": func(in *awsecs.RunTaskInput) {
				in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("app"), Command: []string{"x"}}}}
			},
			"tags": func(in *awsecs.RunTaskInput) { in.Tags = []types.Tag{{Key: aws.String("a")}} },
		} {
			in := &awsecs.RunTaskInput{TaskDefinition: aws.String("web"), StartedBy: aws.String("me"), ClientToken: aws.String("t")}
			change(in)
			_, err := w.b.RunTask(w.ctx, in)
			var taken *types.ConflictException
			if !errors.As(err, &taken) || !slices.Equal(taken.ResourceIds, []string{first}) {
				t.Errorf("%s: %v", name, err)
			}
		}
		_, err := w.b.CreateCluster(w.ctx, &awsecs.CreateClusterInput{ClusterName: aws.String("other")})
		w.check(err)
		if elsewhere := w.run(func(in *awsecs.RunTaskInput) { in.ClientToken, in.Cluster = aws.String("t"), aws.String("other") }); elsewhere == first {
			t.Error("a token counts in its cluster only")
		}
	})
}

func TestRunTaskRefuses(t *testing.T) {
	inWorld(t, func(w *world) {
		w.job(0)
		c := container("app", "app:latest")
		_, err := w.b.RegisterTaskDefinition(w.ctx, &awsecs.RegisterTaskDefinitionInput{Family: aws.String("vpc"), NetworkMode: types.NetworkModeAwsvpc, ContainerDefinitions: []types.ContainerDefinition{c}})
		w.check(err)
		network := &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"s"}}}
		const parameter = "InvalidParameterException"
		for _, tt := range []struct {
			change        func(*awsecs.RunTaskInput)
			code, message string
		}{
			{func(in *awsecs.RunTaskInput) { in.TaskDefinition = aws.String("vpc") }, parameter, "Network Configuration must be provided when networkMode 'awsvpc' is specified."},
			{func(in *awsecs.RunTaskInput) { in.NetworkConfiguration = network }, parameter, "Network Configuration is not valid for the given networkMode of this task definition."},
			{func(in *awsecs.RunTaskInput) {
				in.LaunchType, in.CapacityProviderStrategy = "FARGATE", make([]types.CapacityProviderStrategyItem, 1)
			}, parameter, "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."},
			{func(in *awsecs.RunTaskInput) { in.StartedBy = aws.String(strings.Repeat("x", 129)) }, parameter, "startedBy longer than 128."},
			{func(in *awsecs.RunTaskInput) { in.StartedBy = aws.String("a b") }, parameter, "startedBy may have letters, numbers, hyphens, forward slashes, and underscores only."},
			{func(in *awsecs.RunTaskInput) { in.ClientToken = aws.String(strings.Repeat("x", 65)) }, parameter, "clientToken must have 1 to 64 ASCII characters in the range of 33-126."},
			{func(in *awsecs.RunTaskInput) { in.ClientToken = aws.String("a b") }, parameter, "clientToken must have 1 to 64 ASCII characters in the range of 33-126."},
			{func(in *awsecs.RunTaskInput) { in.PropagateTags = types.PropagateTagsService }, parameter, "propagateTags: SERVICE is not supported when running a task."},
			{func(in *awsecs.RunTaskInput) { in.VolumeConfigurations = make([]types.TaskVolumeConfiguration, 1) }, "ClientException", "local ECS cannot do this yet: volume configurations"},
			{func(in *awsecs.RunTaskInput) { in.Tags = make([]types.Tag, 51) }, parameter, "A resource can have at most 50 tags."},
		} {
			in := &awsecs.RunTaskInput{TaskDefinition: aws.String("web")}
			tt.change(in)
			_, err := w.b.RunTask(w.ctx, in)
			wantCode(t, err, tt.code, tt.message)
		}
		if tasks := w.tasks(types.DesiredStatusRunning); len(tasks) > 0 {
			t.Errorf("tasks after refusals: %v", arns(tasks))
		}
	})
}

func TestTasksAreFoundByWhoStartedThem(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		w.register(container("app", "app:latest"))
		mine := w.run(func(in *awsecs.RunTaskInput) { in.StartedBy = aws.String("medusa-migrate/abc/def_1") })
		w.run(nil)
		list := func(in *awsecs.ListTasksInput) []string {
			out, err := w.b.ListTasks(w.ctx, in)
			w.check(err)
			return out.TaskArns
		}
		started := &awsecs.ListTasksInput{StartedBy: aws.String("medusa-migrate/abc/def_1")}
		if got := list(started); !slices.Equal(got, []string{mine}) {
			t.Errorf("got %v", got)
		}
		_, err := w.b.StopTask(w.ctx, &awsecs.StopTaskInput{Task: &mine})
		w.check(err)
		if got := list(started); len(got) > 0 {
			t.Errorf("a task that is to stop: %v", got)
		}
		if got := list(&awsecs.ListTasksInput{Family: aws.String("web"), DesiredStatus: types.DesiredStatusStopped}); !slices.Equal(got, []string{mine}) {
			t.Errorf("of the family: %v", got)
		}
		w.stopped(mine, time.Minute)
		_, err = w.b.StopTask(w.ctx, &awsecs.StopTaskInput{Task: &mine, Reason: aws.String("again")})
		if w.check(err); *w.task(mine).StoppedReason != "Task stopped by user" {
			t.Errorf("stopped twice: %s", *w.task(mine).StoppedReason)
		}
		started.Family = aws.String("web")
		_, err = w.b.ListTasks(w.ctx, started)
		wantCode(t, err, "InvalidParameterException", "When you specify startedBy as the filter, it must be the only filter that you use.")
	})
}

// What RunTask is told arrives at the task, and what it overrides at the container.
func TestRunTaskTells(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		c := container("app", "app:latest")
		c.Command, c.Environment = []string{"serve"}, []types.KeyValuePair{{Name: aws.String("MODE"), Value: aws.String("web")}}
		_, err := w.b.RegisterTaskDefinition(w.ctx, &awsecs.RegisterTaskDefinitionInput{
			Family: aws.String("web"), ContainerDefinitions: []types.ContainerDefinition{c},
			Tags: []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}, {Key: aws.String("tier"), Value: aws.String("1")}},
		})
		w.check(err)
		arn := w.run(func(in *awsecs.RunTaskInput) {
			in.Group, in.PlatformVersion, in.PropagateTags = aws.String("migrate-web"), aws.String("1.4.0"), types.PropagateTagsTaskDefinition
			in.CapacityProviderStrategy = []types.CapacityProviderStrategyItem{{CapacityProvider: aws.String("FARGATE_SPOT")}}
			in.Tags = []types.Tag{{Key: aws.String("tier"), Value: aws.String("2")}}
			in.Overrides = &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{
				Name: aws.String("app"), Command: []string{"migrate", "--all"}, Environment: []types.KeyValuePair{{Name: aws.String("MODE"), Value: aws.String("job")}},
			}}}
		})
		w.until("RUNNING", time.Minute, func() bool { return *w.task(arn).LastStatus == statusRunning })
		out, err := w.b.DescribeTasks(w.ctx, &awsecs.DescribeTasksInput{Tasks: []string{arn}, Include: []types.TaskField{types.TaskFieldTags}})
		w.check(err)
		task := out.Tasks[0]
		tags := map[string]string{}
		for _, tag := range task.Tags {
			tags[*tag.Key] = *tag.Value
		}
		if *task.Group != "migrate-web" || *task.PlatformVersion != "1.4.0" || *task.CapacityProviderName != "FARGATE_SPOT" ||
			!reflect.DeepEqual(tags, map[string]string{"team": "shop", "tier": "2"}) {
			t.Errorf("task %+v, tags %v", task, tags)
		}
		spec := w.engine.spec(lastPart(arn) + ".app")
		if !slices.Equal(spec.Command, []string{"migrate", "--all"}) || slices.Index(spec.Env, "MODE=job") < slices.Index(spec.Env, "MODE=web") {
			t.Errorf("started with %q and %q", spec.Command, spec.Env)
		}
	})
}

// A task definition is described as it was registered: who registers it again must not lose anything.
func TestNothingOfATaskDefinitionIsLost(t *testing.T) {
	inWorld(t, func(w *world) {
		c := container("app", "app:latest")
		in := &awsecs.RegisterTaskDefinitionInput{
			Family: aws.String("web"), ContainerDefinitions: []types.ContainerDefinition{c}, Cpu: aws.String("256"), Memory: aws.String("512"),
			NetworkMode: types.NetworkModeAwsvpc, RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate},
			RuntimePlatform: &types.RuntimePlatform{CpuArchitecture: types.CPUArchitectureX8664}, EphemeralStorage: &types.EphemeralStorage{SizeInGiB: 30},
			ExecutionRoleArn: aws.String("arn:e"), TaskRoleArn: aws.String("arn:t"), EnableFaultInjection: aws.Bool(true), IpcMode: types.IpcModeNone,
			PlacementConstraints: []types.TaskDefinitionPlacementConstraint{{Type: types.TaskDefinitionPlacementConstraintTypeMemberOf, Expression: aws.String("x")}},
		}
		refused := []string{"InferenceAccelerators", "PidMode", "ProxyConfiguration", "Volumes", "Tags"} // the tags are told apart
		_, err := w.b.RegisterTaskDefinition(w.ctx, in)
		w.check(err)
		out, err := w.b.DescribeTaskDefinition(w.ctx, &awsecs.DescribeTaskDefinitionInput{TaskDefinition: aws.String("web")})
		w.check(err)
		sent, told := reflect.ValueOf(in).Elem(), reflect.ValueOf(out.TaskDefinition).Elem()
		for field := range sent.Type().Fields() {
			if !field.IsExported() || slices.Contains(refused, field.Name) {
				continue
			}
			if sent.FieldByIndex(field.Index).IsZero() {
				t.Errorf("the test registers no %s", field.Name)
			} else if field.Name != "ContainerDefinitions" && !reflect.DeepEqual(sent.FieldByIndex(field.Index).Interface(), told.FieldByName(field.Name).Interface()) {
				t.Errorf("%s got lost", field.Name)
			}
		}
	})
}

func TestTasksOfAServiceTakeItsTags(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(func(in *awsecs.CreateServiceInput) {
			in.PropagateTags, in.Tags = types.PropagateTagsService, []types.Tag{{Key: aws.String("team"), Value: aws.String("shop")}}
		})
		out, err := w.b.DescribeTasks(w.ctx, &awsecs.DescribeTasksInput{Tasks: arns(w.tasks(types.DesiredStatusRunning)), Include: []types.TaskField{types.TaskFieldTags}})
		w.check(err)
		for _, task := range out.Tasks {
			if len(task.Tags) != 1 || *task.Tags[0].Key != "team" {
				t.Errorf("tags %+v", task.Tags)
			}
		}
	})
}
