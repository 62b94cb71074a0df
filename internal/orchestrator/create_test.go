package orchestrator_test

import (
	"errors"
	"math"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	taskFile = `{"family": "medusa", "runtimePlatform": {"cpuArchitecture": "ARM64"}, "containerDefinitions": [
	{"name": "medusa", "image": "h/medusa:latest", "healthCheck": {"command": ["CMD", "x"]},
	 "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/medusa", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "m"}}},
	{"name": "silent", "image": "h/silent:1", "essential": false}]}`
	serviceFile = `{"serviceName": "medusa-service", "cluster": "medusa-cluster", "taskDefinition": "medusa", "desiredCount": 2,
	"deploymentConfiguration": {"maximumPercent": 150}}`
)

func definition(task, service string) release.Definition {
	return release.Definition{TaskDefinitionPath: "ecs/task-definition.json", TaskDefinition: []byte(task), ServicePath: "ecs/service.json", Service: []byte(service)}
}

// emptyCloud has nothing in it yet, and makes what it is asked for.
func emptyCloud(t *testing.T) *cloud {
	c := newCloud(t)
	c.service, c.deployments = nil, nil
	c.On("DescribeClusters", awstest.Always(body{"failures": []any{body{"reason": "MISSING"}}}))
	c.On("CreateCluster", awstest.Always(body{}))
	c.On("DescribeTaskDefinition", awstest.Always(awstest.Failure{Status: 400, Code: "ClientException", Message: "Unable to describe task definition."}))
	c.On("RegisterTaskDefinition", awstest.Always(body{"taskDefinition": body{"taskDefinitionArn": "arn:medusa:1"}}))
	c.On("CreateService", func(body) any {
		c.mu.Lock()
		defer c.mu.Unlock()
		now := time.Now()
		c.service = body{"serviceName": service, "status": "ACTIVE", "currentServiceDeployment": "arn:d1", "deployments": []any{deploymentRecord("ecs-svc/1", "PRIMARY", now)}}
		c.deployments = []body{deployment("arn:d1", "PENDING", now)}
		return body{"service": c.service}
	})
	return c
}

func TestCreateMakesWhatIsMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := emptyCloud(t)
		got, err := c.orchestrator(t).Create(t.Context(), cluster, definition(taskFile, serviceFile), "")
		if err != nil {
			t.Fatal(err)
		}
		created := time.UnixMilli(int64(math.Round(c.deployments[0]["createdAt"].(float64) * 1000))).UTC()
		if diff := cmp.Diff(rollout(1, created), got); diff != "" {
			t.Error(diff)
		}
		in := c.Inputs("CreateService")[0]
		if token, _ := in["clientToken"].(string); len(token) == 0 || len(token) > 36 {
			t.Errorf("the client token is %q", token)
		}
		delete(in, "clientToken")
		want := body{"serviceName": service, "cluster": cluster, "taskDefinition": "arn:medusa:1", "desiredCount": 2.0,
			"deploymentConfiguration": body{"maximumPercent": 150.0}}
		if diff := cmp.Diff(want, in); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]body{{"clusterName": cluster}}, c.Inputs("CreateCluster")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestCreateRegistersOnlyWhatChanged(t *testing.T) {
	cases := map[string]struct {
		task       string
		registered int
		used       string
	}{
		"the same":  {taskFile, 0, taskDef},
		"a new CPU": {strings.Replace(taskFile, `"family"`, `"cpu": "512", "family"`, 1), 1, "arn:medusa:1"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := emptyCloud(t)
				c.On("DescribeTaskDefinition", awstest.Always(body{"taskDefinition": taskDefinition()}))
				c.On("DescribeClusters", awstest.Always(body{"clusters": []any{body{"status": "ACTIVE"}}}))
				if _, err := c.orchestrator(t).Create(t.Context(), cluster, definition(tc.task, serviceFile), ""); err != nil {
					t.Fatal(err)
				}
				if n := c.Count("RegisterTaskDefinition"); n != tc.registered {
					t.Errorf("registered %d times", n)
				}
				if got := c.Inputs("CreateService")[0]["taskDefinition"]; got != tc.used {
					t.Errorf("the service runs %v", got)
				}
				if n := c.Count("CreateCluster"); n != 0 {
					t.Errorf("the cluster exists, but was created %d times", n)
				}
			})
		})
	}
}

func TestCreateSurvivesLostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := emptyCloud(t)
		newest := any(awstest.Failure{Status: 400, Code: "ClientException", Message: "Unable to describe task definition."})
		c.On("DescribeTaskDefinition", func(body) any { return newest })
		c.On("RegisterTaskDefinition", func(body) any {
			newest = body{"taskDefinition": taskDefinition()} // ECS acts, and the answer gets lost
			return syscall.ECONNRESET
		})
		if _, err := c.orchestrator(t).Create(t.Context(), cluster, definition(taskFile, serviceFile), ""); err != nil {
			t.Fatal(err)
		}
		if n := c.Count("RegisterTaskDefinition"); n != 1 {
			t.Errorf("registered %d times", n)
		}
		if got := c.Inputs("CreateService")[0]["taskDefinition"]; got != taskDef {
			t.Errorf("the service runs %v", got)
		}
	})
}

func TestCreateOfAServiceThatExists(t *testing.T) {
	cases := map[string]struct {
		status string
		want   string
		forced int
	}{
		"under way": {"IN_PROGRESS", "arn:d1", 0},
		"settled":   {"SUCCESSFUL", "arn:d2", 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				c.deployments[0]["status"] = tc.status
				c.On("DescribeClusters", awstest.Always(body{"clusters": []any{body{"status": "ACTIVE"}}}))
				c.On("UpdateService", c.accept("ecs-svc/2", "arn:d2", 1))
				got, err := c.orchestrator(t).Create(t.Context(), cluster, definition(taskFile, serviceFile), "")
				if err != nil || got.Deployment != tc.want || c.Count("UpdateService") != tc.forced {
					t.Errorf("got %+v, %v, forced %d times", got, err, c.Count("UpdateService"))
				}
			})
		})
	}
}

func TestCreateThatAnotherOneWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := emptyCloud(t)
		c.On("CreateService", func(body) any {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.service = body{"serviceName": service, "status": "ACTIVE", "deployments": []any{deploymentRecord("ecs-svc/1", "PRIMARY", time.Now())}}
			c.deployments = []body{deployment("arn:d1", "PENDING", time.Now())}
			return awstest.Failure{Status: 400, Code: "InvalidParameterException", Message: "Creation of service was not idempotent."}
		})
		got, err := c.orchestrator(t).Create(t.Context(), cluster, definition(taskFile, serviceFile), "")
		if err != nil || got.Deployment != "arn:d1" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestCreateRefusesBeforeAnythingIsTouched(t *testing.T) {
	cases := map[string]struct{ task, service, want string }{
		"both files": {`{"famly": "x"}`, `{"serviceNam": "y"}`, "ecs/service.json:1:2: unknown member \"serviceNam\""},
		"nothing said": {`{}`, `{}`, "ecs/task-definition.json:1:1: \"family\" is missing\n  for example: \"family\": \"medusa\"\n" +
			"ecs/task-definition.json:1:1: \"containerDefinitions\" is missing"},
		"no image":        {`{"family": "m", "containerDefinitions": [{"name": "m"}]}`, serviceFile, `container 1 needs "name" and "image"`},
		"another family":  {strings.Replace(taskFile, `"family": "medusa"`, `"family": "other"`, 1), serviceFile, `runs task definition "medusa", but ecs/task-definition.json defines "other"`},
		"another cluster": {taskFile, strings.Replace(serviceFile, cluster, "elsewhere", 1), `belongs to cluster "elsewhere", but the target's cluster is "medusa-cluster"`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := orchestrator.New(awstest.New(t).Session(t)) // which answers nothing
			_, err := o.Create(t.Context(), cluster, definition(tc.task, tc.service), "")
			var wrong *orchestrator.DefinitionError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestPreview(t *testing.T) {
	o := orchestrator.New(awstest.New(t).Session(t)) // which answers nothing
	got, err := o.Preview(definition(taskFile, serviceFile))
	if err != nil {
		t.Fatal(err)
	}
	want := release.Service{
		Name: service, Cluster: cluster, Desired: 2, Controller: "ECS", DeploymentStrategy: "ROLLING", MinimumHealthyPercent: 100, MaximumPercent: 150,
		TaskDefinition: release.TaskDefinition{Family: "medusa", Architecture: "ARM64", Containers: []release.ContainerDefinition{
			{Name: "medusa", Image: "h/medusa:latest", Essential: true, HealthCheck: true, HealthInterval: 30 * time.Second, HealthRetries: 3, LogDriver: "awslogs", LogGroup: "/ecs/medusa", LogRegion: "us-east-1", LogPrefix: "m"},
			{Name: "silent", Image: "h/silent:1"},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
