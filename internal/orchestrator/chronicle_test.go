package orchestrator_test

import (
	"errors"
	"fmt"
	"maps"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestWayBack(t *testing.T) {
	c := newCloud(t)
	asked := 0
	c.On("DescribeServiceDeployments", func(in body) any {
		arns := in["serviceDeploymentArns"].([]any)
		if asked += len(arns); len(arns) > 20 {
			t.Errorf("%d deployments in one call, ECS takes 20", len(arns))
		}
		var found []any
		for _, arn := range arns {
			d := body{"serviceDeploymentArn": arn, "status": "ROLLBACK_SUCCESSFUL", "rollback": body{"serviceRevisionArn": "arn:r-before-" + arn.(string), "reason": "x"}}
			if arn == "arn:d7" {
				delete(d, "rollback")
			}
			if arn != "arn:forgotten" {
				found = append(found, d)
			}
		}
		return body{"serviceDeployments": found, "failures": []any{}}
	})
	arns := []string{"arn:forgotten"}
	want := map[string]string{}
	for n := range 45 {
		arn := fmt.Sprint("arn:d", n)
		arns = append(arns, arn)
		if n != 7 {
			want[arn] = "arn:r-before-" + arn
		}
	}
	o := c.orchestrator(t)
	got, err := o.WayBack(t.Context(), arns)
	if err != nil || !maps.Equal(got, want) || c.Count("DescribeServiceDeployments") != 3 {
		t.Errorf("way back = %v, %v, in %d calls", got, err, c.Count("DescribeServiceDeployments"))
	}
	if got, err = o.WayBack(t.Context(), arns); err != nil || !maps.Equal(got, want) || asked != 46+2 {
		t.Errorf("again: %v, %v, %d deployments asked for, want only the two that had no answer", got, err, asked)
	}
	if got, err = o.WayBack(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("of nothing: %v, %v", got, err)
	}
}

func TestTask(t *testing.T) {
	c := newCloud(t)
	c.addTask("t1", "STOPPED", "STOPPED", "migration", body{"group": "family:medusa-migrate"})
	o := c.orchestrator(t)
	got, err := o.Task(t.Context(), cluster, "t1")
	if err != nil || got.ID != "t1" || got.Service != "" || got.LastStatus != "STOPPED" || !got.Created.Equal(start) {
		t.Errorf("task = %+v, %v", got, err)
	}
	if _, err = o.Task(t.Context(), cluster, "nobody"); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("a task that ECS does not know: %v", err)
	}
}

func TestTasksHasThoseThatStopped(t *testing.T) {
	c := newCloud(t)
	c.addTask("t1", "RUNNING", "RUNNING", "ecs-svc/1", nil)
	c.addTask("t2", "STOPPED", "STOPPED", "ecs-svc/1", nil)
	o := c.orchestrator(t)
	all, err := o.Tasks(t.Context(), cluster, service)
	if err != nil || len(all) != 2 || all[1].LastStatus != "STOPPED" {
		t.Errorf("tasks = %+v, %v", all, err)
	}
	if running, err := o.Running(t.Context(), cluster, service); err != nil || len(running) != 1 {
		t.Errorf("running = %+v, %v", running, err)
	}
}

func TestTaskDefinition(t *testing.T) {
	c := newCloud(t)
	o := c.orchestrator(t)
	if got, err := o.TaskDefinition(t.Context(), "medusa:7"); err != nil || got.ARN != taskDef || got.Containers[0].Name != "medusa" {
		t.Errorf("definition = %+v, %v", got, err)
	}
	c.On("DescribeTaskDefinition", awstest.Always(awstest.Failure{Status: 400, Code: "ClientException", Message: "Unable to describe task definition."}))
	if _, err := o.TaskDefinition(t.Context(), "medusa:8"); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("one that does not exist: %v", err)
	}
	c.On("DescribeTaskDefinition", awstest.Always(awstest.Failure{Status: 400, Code: "AccessDeniedException", Message: "no"}))
	if _, err := o.TaskDefinition(t.Context(), "medusa:9"); err == nil || errors.Is(err, release.ErrNotFound) {
		t.Errorf("one that may not be read: %v", err)
	}
}

func TestPastTellsWhy(t *testing.T) {
	c := newCloud(t)
	c.deployments[0]["statusReason"] = "tasks failed to start."
	past, err := c.orchestrator(t).Past(t.Context(), cluster, service)
	if err != nil || past[0].StatusReason != "tasks failed to start." {
		t.Errorf("past = %+v, %v", past, err)
	}
}
