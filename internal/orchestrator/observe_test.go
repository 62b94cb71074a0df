package orchestrator_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestService(t *testing.T) {
	c := newCloud(t)
	c.service["loadBalancers"] = []any{body{"containerPort": 9000}}
	c.service["deploymentConfiguration"] = body{"minimumHealthyPercent": 50, "deploymentCircuitBreaker": body{"enable": true, "rollback": true}}
	c.deployments[0]["status"] = "ROLLBACK_IN_PROGRESS"
	o := c.orchestrator(t)
	want := release.Service{
		Name: service, ARN: "arn:s", Cluster: cluster, Status: "ACTIVE", Desired: 2, Running: 2, Controller: "ECS", DeploymentStrategy: "ROLLING",
		MinimumHealthyPercent: 50, MaximumPercent: 200, Breaker: true, BreakerRollback: true, LoadBalanced: true,
		CurrentDeployment: "arn:d1", DeploymentInFlight: true,
		TaskDefinition: release.TaskDefinition{ARN: taskDef, Family: "medusa", Revision: 7, Architecture: "ARM64", Containers: []release.ContainerDefinition{
			{Name: "medusa", Image: "h/medusa:latest", Essential: true, HealthCheck: true, HealthInterval: 30 * time.Second, HealthRetries: 3, LogDriver: "awslogs", LogGroup: "/ecs/medusa", LogRegion: "us-east-1", LogPrefix: "m"},
			{Name: "silent", Image: "h/silent:1"},
		}},
	}
	for range 2 {
		got, err := o.Service(t.Context(), cluster, service)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	if n := c.Count("DescribeTaskDefinition"); n != 1 {
		t.Errorf("a revision never changes, but was asked for %d times", n)
	}
	for _, other := range [][2]string{{cluster, "nobody"}, {"nowhere", service}} {
		if _, err := o.Service(t.Context(), other[0], other[1]); !errors.Is(err, release.ErrNotFound) {
			t.Errorf("%v: %v", other, err)
		}
	}
}

func TestObserve(t *testing.T) {
	c := newCloud(t)
	at := start.Add(time.Hour)
	c.service["deployments"] = []any{
		body{"id": "ecs-svc/2", "status": "PRIMARY", "runningCount": 1, "pendingCount": 1, "failedTasks": 3},
		body{"id": "ecs-svc/1", "status": "ACTIVE", "runningCount": 2},
	}
	c.service["currentServiceDeployment"] = "arn:d2"
	c.service["events"] = []any{
		body{"createdAt": awstest.Epoch(at.Add(2 * time.Second)), "message": "second"},
		body{"createdAt": awstest.Epoch(at), "message": "first"},
		body{"createdAt": awstest.Epoch(at.Add(-time.Second)), "message": "before"},
	}
	d := deployment("arn:d2", "IN_PROGRESS", at)
	d["statusReason"], d["deploymentCircuitBreaker"] = "because", body{"failureCount": 2}
	d["targetServiceRevision"] = body{"runningTaskCount": 9, "pendingTaskCount": 9}
	c.deployments = append([]body{d}, c.deployments...)
	c.addTask("aa", "STOPPED", "STOPPED", "ecs-svc/2", body{
		"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited", "stoppedAt": awstest.Epoch(at),
		"containers": []any{body{"name": "medusa", "image": "h/medusa:latest", "imageDigest": "sha256:1", "lastStatus": "STOPPED", "exitCode": 0, "reason": "why"}},
	})
	c.addTask("bb", "RUNNING", "RUNNING", "ecs-svc/2", body{"healthStatus": "HEALTHY"})
	c.addTask("cc", "RUNNING", "STOPPED", "ecs-svc/1", nil)

	got, err := c.orchestrator(t).Observe(t.Context(), cluster, rollout(2, at))
	if err != nil {
		t.Fatal(err)
	}
	zero := 0
	task := func(id, last, desired, by string, after time.Duration) release.Task {
		return release.Task{ARN: "arn:aws:ecs:us-east-1:000000000000:task/" + cluster + "/" + id, ID: id, Service: service, StartedBy: by,
			TaskDefinition: taskDef, LastStatus: last, DesiredStatus: desired, Created: start.Add(after)}
	}
	stopped := task("aa", "STOPPED", "STOPPED", "ecs-svc/2", 0)
	stopped.StopCode, stopped.StoppedReason, stopped.Stopped = "EssentialContainerExited", "Essential container in task exited", at
	stopped.Containers = []release.Container{{Name: "medusa", Image: "h/medusa:latest", Digest: "sha256:1", Status: "STOPPED", ExitCode: &zero, Reason: "why"}}
	running := task("bb", "RUNNING", "RUNNING", "ecs-svc/2", time.Second)
	running.Health = "HEALTHY"
	want := release.Observation{
		Status: "IN_PROGRESS", StatusReason: "because", Desired: 2, Pending: 1, Running: 1, Failed: 3,
		Tasks: []release.Task{stopped, running, task("cc", "RUNNING", "STOPPED", "ecs-svc/1", 2*time.Second)},
		Messages: []release.ServiceMessage{
			{Service: service, At: at, Text: "first"}, {Service: service, At: at.Add(2 * time.Second), Text: "second"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := c.Count("ListServiceDeployments"); n != 0 {
		t.Errorf("ours is the current one, but others were looked for %d times", n)
	}
}

func TestObserveAfterTheServiceHasForgottenTheDeployment(t *testing.T) {
	c := newCloud(t)
	d := deployment("arn:d2", "ROLLBACK_SUCCESSFUL", start)
	d["deploymentCircuitBreaker"], d["targetServiceRevision"] = body{"failureCount": 3}, body{"runningTaskCount": 0, "pendingTaskCount": 1}
	c.deployments, c.service["currentServiceDeployment"] = []body{d}, "arn:d2"
	got, err := c.orchestrator(t).Observe(t.Context(), cluster, rollout(2, start))
	if err != nil || got.Failed != 3 || got.Pending != 1 || got.Running != 0 || got.Status != "ROLLBACK_SUCCESSFUL" {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestObserveSeesWhatOvertookTheRollout(t *testing.T) {
	at := start.Add(time.Minute)
	ours := func(rollback any) body {
		d := deployment("arn:d2", "ROLLBACK_IN_PROGRESS", at)
		if rollback != nil {
			d["rollback"] = body{"serviceRevisionArn": rollback}
		}
		return d
	}
	cases := map[string]struct {
		all   []body
		newer string
	}{
		"nothing newer":    {[]body{ours(nil)}, ""},
		"overtaken":        {[]body{deployment("arn:d3", "PENDING", at.Add(time.Second)), ours(nil)}, "arn:d3"},
		"its own way back": {[]body{deployment("arn:d3", "IN_PROGRESS", at.Add(time.Second)), ours("arn:r3")}, ""},
		"overtaken later": {[]body{deployment("arn:d4", "PENDING", at.Add(time.Minute)),
			deployment("arn:d3", "IN_PROGRESS", at.Add(time.Second)), ours("arn:r3")}, "arn:d4"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.deployments = append(tc.all, c.deployments...)
			c.service["currentServiceDeployment"] = tc.all[0]["serviceDeploymentArn"]
			got, err := c.orchestrator(t).Observe(t.Context(), cluster, rollout(2, at))
			if err != nil || deploymentOf(got.Newer) != tc.newer {
				t.Errorf("got %q, %v", deploymentOf(got.Newer), err)
			}
		})
	}
}

func TestRunningReadsAllPages(t *testing.T) {
	c := newCloud(t)
	c.pageSize = 7
	for i := range 230 {
		status := "RUNNING"
		if i%3 == 0 {
			status = "STOPPED"
		}
		c.addTask(fmt.Sprintf("%03d", i), status, status, "ecs-svc/1", nil)
	}
	got, err := c.orchestrator(t).Running(t.Context(), cluster, service)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 153 {
		t.Errorf("got %d tasks, want 153", len(got))
	}
	if n := c.Count("DescribeTasks"); n != 3 {
		t.Errorf("DescribeTasks was called %d times for 230 tasks", n)
	}
	if _, err := c.orchestrator(t).Running(t.Context(), cluster, "nobody"); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestPast(t *testing.T) {
	c := newCloud(t)
	c.deployments = nil
	for i := range 45 {
		n := 45 - i
		status := "SUCCESSFUL"
		if i == 0 {
			status = "IN_PROGRESS"
		}
		d := deployment(fmt.Sprintf("arn:d%d", n), status, start.Add(time.Duration(n)*time.Minute))
		d["finishedAt"] = awstest.Epoch(start.Add(time.Duration(n)*time.Minute + 30*time.Second))
		c.deployments = append(c.deployments, d)
		c.revisions[fmt.Sprintf("arn:r%d", n)] = []body{{"containerName": "medusa", "image": "h/medusa:latest", "imageDigest": fmt.Sprintf("sha256:%d", n)}}
	}
	c.revisions["arn:r45"] = []body{{"containerName": "medusa", "image": "h/medusa:latest"}} // not resolved yet
	c.service["deployments"] = []any{
		deploymentRecord("ecs-svc/45", "PRIMARY", start.Add(45*time.Minute+time.Second)),
		deploymentRecord("ecs-svc/44", "ACTIVE", start.Add(44*time.Minute)),
	}
	c.pageSize = 20
	o := c.orchestrator(t)
	past, err := o.Past(t.Context(), cluster, service)
	if err != nil {
		t.Fatal(err)
	}
	if len(past) != 45 {
		t.Fatalf("got %d deployments", len(past))
	}
	at := start.Add(45 * time.Minute)
	want := []release.PastRollout{
		{Rollout: rollout(45, at), Status: "IN_PROGRESS", Finished: at.Add(30 * time.Second),
			Images: map[string]release.Digest{}, Refs: map[string]string{"medusa": "h/medusa:latest"}},
		{Rollout: rollout(44, at.Add(-time.Minute)), Status: "SUCCESSFUL", Finished: at.Add(-30 * time.Second),
			Images: map[string]release.Digest{"medusa": "sha256:44"}, Refs: map[string]string{"medusa": "h/medusa:latest"}},
	}
	if diff := cmp.Diff(want, past[:2]); diff != "" {
		t.Error(diff)
	}
	c.revisions["arn:r45"][0]["imageDigest"] = "sha256:45"
	before := c.Count("DescribeServiceRevisions")
	if past, err = o.Past(t.Context(), cluster, service); err != nil || past[0].Images["medusa"] != "sha256:45" {
		t.Errorf("got %v, %v", past[0].Images, err)
	}
	if n := c.Count("DescribeServiceRevisions") - before; n != 1 {
		t.Errorf("resolved revisions never change, but it took %d calls", n)
	}
}

// deploymentOf is a rollout's ARN; empty for none.
func deploymentOf(p *release.PastRollout) string {
	if p == nil {
		return ""
	}
	return p.Deployment
}
