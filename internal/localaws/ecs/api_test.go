package ecs

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

func TestCreateServiceRefuses(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register(container("app", "app:latest"))
		const parameter, client = "InvalidParameterException", "ClientException"
		percent := func(low, high int32) func(*awsecs.CreateServiceInput) {
			return func(in *awsecs.CreateServiceInput) {
				in.DeploymentConfiguration.MinimumHealthyPercent, in.DeploymentConfiguration.MaximumPercent = &low, &high
			}
		}
		const percents = "Both maximumPercent and minimumHealthyPercent cannot be 0, and maximumPercent must be at least minimumHealthyPercent and at most 200."
		for _, tt := range []struct {
			change        func(*awsecs.CreateServiceInput)
			code, message string
		}{
			{func(in *awsecs.CreateServiceInput) { in.ServiceName = aws.String("a b") }, parameter, "Service name must match ^[A-Za-z0-9_-]{1,255}$."},
			{func(in *awsecs.CreateServiceInput) { in.DesiredCount = nil }, parameter, "DesiredCount is required."},
			{func(in *awsecs.CreateServiceInput) { in.DesiredCount = aws.Int32(-1) }, parameter, "Desired count must be 0 or more."},
			{func(in *awsecs.CreateServiceInput) { in.Cluster = aws.String("none") }, "ClusterNotFoundException", "Cluster not found."},
			{func(in *awsecs.CreateServiceInput) { in.TaskDefinition = nil }, parameter, "TaskDefinition can not be blank."},
			{func(in *awsecs.CreateServiceInput) { in.TaskDefinition = aws.String("web:9") }, client, "TaskDefinition not found."},
			{percent(0, 0), parameter, percents},
			{percent(100, 50), parameter, percents},
			{percent(100, 201), parameter, percents},
			{func(in *awsecs.CreateServiceInput) { in.SchedulingStrategy = types.SchedulingStrategyDaemon }, client, "local ECS cannot do this yet: the scheduling strategy DAEMON"},
			{func(in *awsecs.CreateServiceInput) {
				in.DeploymentConfiguration.Strategy = types.DeploymentStrategyBlueGreen
			}, client, "local ECS cannot do this yet: the deployment strategy BLUE_GREEN (only ROLLING)"},
			{func(in *awsecs.CreateServiceInput) {
				balanced(in)
				in.LoadBalancers[0].ContainerPort = aws.Int32(81)
			}, parameter, "The container app did not have a container port 81 defined."},
		} {
			in := &awsecs.CreateServiceInput{
				ServiceName: aws.String("web"), TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(1), DeploymentConfiguration: &types.DeploymentConfiguration{},
			}
			tt.change(in)
			_, err := w.b.CreateService(w.ctx, in)
			wantCode(t, err, tt.code, tt.message)
		}
		if s, err := w.b.ListServices(w.ctx, &awsecs.ListServicesInput{}); err != nil || len(s.ServiceArns) != 0 {
			t.Errorf("services after refusals: %v, %v", s, err)
		}
	})
}

func TestServiceOperationsRefuse(t *testing.T) {
	inWorld(t, func(w *world) {
		w.v1(nil)
		const parameter = "InvalidParameterException"
		name := aws.String("web")
		_, err := w.b.CreateService(w.ctx, &awsecs.CreateServiceInput{ServiceName: name, TaskDefinition: name, DesiredCount: aws.Int32(1)})
		wantCode(t, err, parameter, "Creation of service was not idempotent.")
		_, err = w.b.UpdateService(w.ctx, &awsecs.UpdateServiceInput{Service: aws.String("none")})
		wantCode(t, err, "ServiceNotFoundException", "Service not found.")
		_, err = w.b.UpdateService(w.ctx, &awsecs.UpdateServiceInput{Service: name, TaskDefinition: aws.String("none")})
		wantCode(t, err, "ClientException", "TaskDefinition not found.")
		_, err = w.b.UpdateService(w.ctx, &awsecs.UpdateServiceInput{Service: name, DesiredCount: aws.Int32(-1)})
		wantCode(t, err, parameter, "Desired count must be 0 or more.")
		_, err = w.b.DescribeServices(w.ctx, &awsecs.DescribeServicesInput{})
		wantCode(t, err, parameter, "Services cannot be empty.")
		_, err = w.b.DescribeServices(w.ctx, &awsecs.DescribeServicesInput{Services: make([]string, 11)})
		wantCode(t, err, parameter, "Services cannot have more than 10 elements.")
		_, err = w.b.DescribeServiceDeployments(w.ctx, &awsecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: make([]string, 21)})
		wantCode(t, err, parameter, "serviceDeploymentArns cannot have more than 20 elements.")
		_, err = w.b.DescribeServiceRevisions(w.ctx, &awsecs.DescribeServiceRevisionsInput{})
		wantCode(t, err, parameter, "serviceRevisionArns cannot be empty.")
		_, err = w.b.ListServiceDeployments(w.ctx, &awsecs.ListServiceDeploymentsInput{Service: name, MaxResults: aws.Int32(101)})
		wantCode(t, err, parameter, "maxResults must be between 1 and 100")
		_, err = w.b.ListServiceDeployments(w.ctx, &awsecs.ListServiceDeploymentsInput{Service: name, NextToken: aws.String("x")})
		wantCode(t, err, parameter, "Invalid token.")
		_, err = w.b.ListTasks(w.ctx, &awsecs.ListTasksInput{MaxResults: aws.Int32(0)})
		wantCode(t, err, parameter, "maxResults must be between 1 and 100")
		_, err = w.b.DeleteCluster(w.ctx, &awsecs.DeleteClusterInput{Cluster: aws.String("default")})
		wantCode(t, err, "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
	})
}

func TestTaskOperationsRefuse(t *testing.T) {
	inWorld(t, func(w *world) {
		w.register(container("app", "app:latest"))
		const parameter = "InvalidParameterException"
		_, err := w.b.RunTask(w.ctx, &awsecs.RunTaskInput{TaskDefinition: aws.String("web"), Count: aws.Int32(11)})
		wantCode(t, err, parameter, "Count must be between 1 and 10.")
		_, err = w.b.RunTask(w.ctx, &awsecs.RunTaskInput{TaskDefinition: aws.String("none")})
		wantCode(t, err, "ClientException", "TaskDefinition not found.")
		_, err = w.b.RunTask(w.ctx, &awsecs.RunTaskInput{
			TaskDefinition: aws.String("web"),
			Overrides:      &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String("other")}}},
		})
		wantCode(t, err, parameter, "Override for container named other is not a container in the TaskDefinition.")
		_, err = w.b.StopTask(w.ctx, &awsecs.StopTaskInput{Task: aws.String("none")})
		wantCode(t, err, parameter, "The referenced task was not found.")
		_, err = w.b.DescribeTasks(w.ctx, &awsecs.DescribeTasksInput{})
		wantCode(t, err, parameter, "Tasks cannot be empty.")
		_, err = w.b.ListTasks(w.ctx, &awsecs.ListTasksInput{ServiceName: aws.String("none")})
		wantCode(t, err, "ServiceNotFoundException", "Service not found.")
	})
}

func TestMissingIsAFailure(t *testing.T) {
	inWorld(t, func(w *world) {
		out, err := w.b.DescribeServices(w.ctx, &awsecs.DescribeServicesInput{Services: []string{"none"}})
		w.check(err)
		const prefix = "arn:aws:ecs:us-east-1:000000000000:"
		if len(out.Services) != 0 || len(out.Failures) != 1 || *out.Failures[0].Reason != "MISSING" || *out.Failures[0].Arn != prefix+"service/default/none" {
			t.Errorf("%+v", out)
		}
		tasks, err := w.b.DescribeTasks(w.ctx, &awsecs.DescribeTasksInput{Tasks: []string{"none"}})
		w.check(err)
		if len(tasks.Failures) != 1 || *tasks.Failures[0].Reason != "MISSING" || *tasks.Failures[0].Arn != prefix+"task/default/none" {
			t.Errorf("%+v", tasks)
		}
		clusters, err := w.b.DescribeClusters(wire.WithCaller(w.ctx, wire.Caller{Region: "eu-west-1"}), &awsecs.DescribeClustersInput{})
		w.check(err)
		if len(clusters.Clusters) != 0 || len(clusters.Failures) != 1 {
			t.Errorf("a cluster of another region: %+v", clusters)
		}
	})
}

func TestRegisterTaskDefinitionRefuses(t *testing.T) {
	inWorld(t, func(w *world) {
		with := func(change func(*types.ContainerDefinition)) []types.ContainerDefinition {
			c := container("app", "app:latest")
			change(&c)
			return []types.ContainerDefinition{c}
		}
		depends := func(name string, condition types.ContainerCondition) []types.ContainerDefinition {
			c, side := container("app", "app:latest"), container("side", "side:1")
			side.HealthCheck = nil
			c.DependsOn = []types.ContainerDependency{{ContainerName: &name, Condition: condition}}
			return []types.ContainerDefinition{c, side}
		}
		for _, tt := range []struct {
			containers []types.ContainerDefinition
			message    string
		}{
			{nil, "Container list cannot be empty."},
			{with(func(c *types.ContainerDefinition) { c.Image = nil }), "Container.image should not be null or empty."},
			{with(func(c *types.ContainerDefinition) { c.Memory = nil }), "Invalid setting for container 'app'. At least one of 'memory' or 'memoryReservation' must be specified."},
			{with(func(c *types.ContainerDefinition) { c.Essential = aws.Bool(false) }), "Invalid setting: at least one container must be essential."},
			{with(func(c *types.ContainerDefinition) { c.HealthCheck.Command = []string{"curl"} }), "Container app: healthCheck.command must start with CMD or CMD-SHELL and name a command, or be NONE."},
			{with(func(c *types.ContainerDefinition) { c.HealthCheck.Interval = aws.Int32(0) }), "Container app: healthCheck needs interval 5-300, timeout 2-60 and startPeriod 0-300 seconds, and retries 1-10."},
			{with(func(c *types.ContainerDefinition) { c.StopTimeout = aws.Int32(121) }), "Container app: stopTimeout must be between 0 and 120 seconds."},
			{with(func(c *types.ContainerDefinition) {
				c.LogConfiguration = &types.LogConfiguration{LogDriver: types.LogDriverAwslogs}
			}), "Log driver awslogs requires options: awslogs-group (container app)"},
			{append(with(func(*types.ContainerDefinition) {}), container("app", "x")), "Container.name values must be unique: app"},
			{depends("none", types.ContainerConditionStart), `Container app depends on "none", which is not in the task definition.`},
			{depends("app", types.ContainerConditionStart), "The container dependencies form a cycle: app → app"},
			{depends("side", types.ContainerConditionHealthy), "Container app depends on side to be HEALTHY, but that has no health check."},
			{depends("side", types.ContainerConditionSuccess), "Container app depends on side to be SUCCESS, but that is essential."},
			{depends("side", "SOON"), `Container app: dependsOn.condition must be START, COMPLETE, SUCCESS or HEALTHY, not "SOON".`},
		} {
			_, err := w.b.RegisterTaskDefinition(w.ctx, &awsecs.RegisterTaskDefinitionInput{Family: aws.String("web"), ContainerDefinitions: tt.containers})
			wantCode(t, err, "ClientException", tt.message)
		}
	})
}

func TestTaskDefinitions(t *testing.T) {
	inWorld(t, func(w *world) {
		for range 11 {
			w.register(container("app", "app:latest"))
		}
		describe := func(name string) (*types.TaskDefinition, error) {
			out, err := w.b.DescribeTaskDefinition(w.ctx, &awsecs.DescribeTaskDefinitionInput{TaskDefinition: &name})
			if err != nil {
				return nil, err
			}
			return out.TaskDefinition, nil
		}
		_, err := w.b.DeregisterTaskDefinition(w.ctx, &awsecs.DeregisterTaskDefinitionInput{TaskDefinition: aws.String("web:11")})
		w.check(err)
		for name, want := range map[string]int32{"web": 10, "web:2": 2, "web:11": 11, "arn:aws:ecs:us-east-1:000000000000:task-definition/web:3": 3} {
			if d, err := describe(name); err != nil || d.Revision != want {
				t.Errorf("%s is revision %+v, %v; want %d", name, d, err, want)
			}
		}
		for _, name := range []string{"web:12", "web:x", "none"} {
			_, err := describe(name)
			wantCode(t, err, "ClientException", "Unable to describe task definition.")
		}
		_, err = w.b.CreateService(w.ctx, &awsecs.CreateServiceInput{ServiceName: aws.String("web"), TaskDefinition: aws.String("web:11"), DesiredCount: aws.Int32(1)})
		wantCode(t, err, "ClientException", "TaskDefinition is inactive")
		first, err := w.b.ListTaskDefinitions(w.ctx, &awsecs.ListTaskDefinitionsInput{MaxResults: aws.Int32(9)})
		w.check(err)
		rest, err := w.b.ListTaskDefinitions(w.ctx, &awsecs.ListTaskDefinitionsInput{NextToken: first.NextToken})
		w.check(err)
		if len(first.TaskDefinitionArns) != 9 || len(rest.TaskDefinitionArns) != 1 || rest.NextToken != nil || lastPart(rest.TaskDefinitionArns[0]) != "web:10" {
			t.Errorf("pages %v and %v", first.TaskDefinitionArns, rest.TaskDefinitionArns)
		}
		in := &awsecs.ListTaskDefinitionsInput{Sort: types.SortOrderDesc, MaxResults: aws.Int32(6)}
		newest, err := w.b.ListTaskDefinitions(w.ctx, in)
		w.check(err)
		in.NextToken = newest.NextToken
		oldest, err := w.b.ListTaskDefinitions(w.ctx, in)
		w.check(err)
		if lastPart(newest.TaskDefinitionArns[0]) != "web:10" || len(oldest.TaskDefinitionArns) != 4 || lastPart(oldest.TaskDefinitionArns[3]) != "web:1" {
			t.Errorf("descending pages %v and %v", newest.TaskDefinitionArns, oldest.TaskDefinitionArns)
		}
	})
}

// A service goes on with a task definition that was deregistered.
func TestServiceOfInactiveTaskDefinition(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.v1(nil)
		_, err := w.b.DeregisterTaskDefinition(w.ctx, &awsecs.DeregisterTaskDefinitionInput{TaskDefinition: s.TaskDefinition})
		w.check(err)
		w.update(&awsecs.UpdateServiceInput{DesiredCount: aws.Int32(3)})
	})
}

func TestPaging(t *testing.T) {
	inWorld(t, func(w *world) {
		w.images.push("v1", simulated.Behaviour{})
		w.register(container("app", "app:latest"))
		for i := range 7 {
			w.create(0, func(in *awsecs.CreateServiceInput) { in.ServiceName = aws.String(fmt.Sprint("s", i)) })
		}
		w.create(0, nil)
		for range 4 {
			w.force()
		}
		var services, deployments []string
		for token := (*string)(nil); ; {
			out, err := w.b.ListServices(w.ctx, &awsecs.ListServicesInput{MaxResults: aws.Int32(3), NextToken: token})
			w.check(err)
			services = append(services, out.ServiceArns...)
			if token = out.NextToken; token == nil {
				break
			}
		}
		for token := (*string)(nil); ; {
			out, err := w.b.ListServiceDeployments(w.ctx, &awsecs.ListServiceDeploymentsInput{Service: aws.String("web"), MaxResults: aws.Int32(2), NextToken: token})
			w.check(err)
			for _, d := range out.ServiceDeployments {
				deployments = append(deployments, *d.ServiceDeploymentArn)
			}
			if token = out.NextToken; token == nil {
				break
			}
		}
		if len(services) != 8 || !slices.IsSorted(services) || len(deployments) != 5 || deployments[0] != *w.describe().CurrentServiceDeployment {
			t.Errorf("services %v, deployments %v", services, deployments)
		}
	})
}

func TestTags(t *testing.T) {
	inWorld(t, func(w *world) {
		s := w.v1(nil)
		tag := func(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
		_, err := w.b.TagResource(w.ctx, &awsecs.TagResourceInput{ResourceArn: s.ServiceArn, Tags: []types.Tag{tag("a", "1"), tag("b", "2"), tag("a", "3")}})
		w.check(err)
		_, err = w.b.UntagResource(w.ctx, &awsecs.UntagResourceInput{ResourceArn: s.ServiceArn, TagKeys: []string{"b"}})
		w.check(err)
		out, err := w.b.ListTagsForResource(w.ctx, &awsecs.ListTagsForResourceInput{ResourceArn: s.ServiceArn})
		w.check(err)
		if len(out.Tags) != 1 || *out.Tags[0].Key != "a" || *out.Tags[0].Value != "3" {
			t.Errorf("tags %+v", out.Tags)
		}
		_, err = w.b.ListTagsForResource(w.ctx, &awsecs.ListTagsForResourceInput{ResourceArn: aws.String("arn:none")})
		wantCode(t, err, "InvalidParameterException", "The specified resource arn:none was not found.")
	})
}

func TestPin(t *testing.T) {
	for image, want := range map[string]string{
		"app": "app@d", "app:v1": "app@d", "host:5000/app": "host:5000/app@d", "host:5000/a/b:v@sha256:x": "host:5000/a/b@d",
	} {
		if got := pin(image, "d"); got != want {
			t.Errorf("pin(%q) = %q, want %q", image, got, want)
		}
	}
}

func FuzzPin(f *testing.F) {
	f.Add("host:5000/app:v1@sha256:x")
	f.Fuzz(func(t *testing.T, image string) {
		name, _, _ := strings.Cut(image, "@")
		got := pin(image, "sha256:d")
		kept, ok := strings.CutSuffix(got, "@sha256:d")
		if !ok || !strings.HasPrefix(name, kept) || len(kept) <= strings.LastIndexByte(name, '/') {
			t.Errorf("pin(%q) = %q", image, got)
		}
	})
}
