package release

import (
	"strings"
	"testing"
)

func stopped(code, reason string, c Container) Task {
	c.Name = "medusa"
	return Task{ID: "0123", LastStatus: "STOPPED", StopCode: code, StoppedReason: reason, Containers: []Container{c}}
}

func code(n int) *int { return &n }

// samples hold one stop for every row of the table, in ECS's own words.
var samples = map[string]struct {
	task Task
	says string
}{
	"architecture": {stopped("TaskFailedToStart", "CannotStartContainerError: failed to create task: exec /hello: exec format error", Container{}), "architecture"},
	"no executable": {stopped("TaskFailedToStart", `CannotStartContainerError: exec: "node": executable file not found in $PATH: unknown`, Container{}),
		"not in the image"},
	"pull not found": {stopped("TaskFailedToStart", "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref medusa:x: not found", Container{}),
		"not in the registry"},
	"pull denied":      {stopped("TaskFailedToStart", "CannotPullECRContainerError: AccessDeniedException: User is not authorized to perform: ecr:BatchGetImage", Container{}), "execution role"},
	"pull no route":    {stopped("TaskFailedToStart", "CannotPullContainerError: dial tcp 52.1.1.1:443: i/o timeout", Container{}), "subnet"},
	"pull":             {stopped("TaskFailedToStart", "CannotPullContainerError: toomanyrequests", Container{}), "could not pull"},
	"memory":           {stopped("EssentialContainerExited", "Essential container in task exited", Container{ExitCode: code(137), Reason: "OutOfMemoryError: Container killed due to memory usage"}), "memory"},
	"secret":           {stopped("TaskFailedToStart", "ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secret from asm: secretsmanager: ResourceNotFoundException", Container{}), "secret"},
	"log group":        {stopped("TaskFailedToStart", "ResourceInitializationError: failed to validate logger args: The specified log group does not exist", Container{}), "log group"},
	"resources":        {stopped("TaskFailedToStart", "ResourceInitializationError: failed to invoke EFS utils", Container{}), "prepare"},
	"container health": {stopped("ServiceSchedulerInitiated", "Task failed container health checks", Container{}), "health check"},
	"target health":    {stopped("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/m/1)", Container{}), "load balancer"},
	"placement":        {stopped("TaskFailedToStart", "RESOURCE:MEMORY", Container{}), "no room"},
	"never ran":        {stopped("EssentialContainerExited", "Essential container in task exited", Container{ExitCode: code(255)}), "never ran"},
	"crash":            {stopped("EssentialContainerExited", "Essential container in task exited", Container{ExitCode: code(3)}), "container medusa ended by itself with exit code 3"},
}

func TestExplainTask(t *testing.T) {
	for _, row := range causes {
		sample, ok := samples[row.name]
		if !ok {
			t.Errorf("cause %q has no sample", row.name)
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			got := ExplainTask(sample.task, nil)
			if !strings.Contains(got.Cause, sample.says) {
				t.Errorf("cause = %q, want one that says %q", got.Cause, sample.says)
			}
			if len(got.Next) == 0 {
				t.Error("there is nothing to type next")
			}
			if !strings.Contains(got.Reason, sample.task.StoppedReason) {
				t.Errorf("reason = %q, want ECS's own words %q", got.Reason, sample.task.StoppedReason)
			}
		})
	}
	if len(samples) != len(causes) {
		t.Errorf("%d samples for %d causes", len(samples), len(causes))
	}
}

func TestExplainTaskNamesTheContainerThatFailed(t *testing.T) {
	task := stopped("EssentialContainerExited", "Essential container in task exited", Container{ExitCode: code(0)})
	task.Containers = append(task.Containers, Container{Name: "sidecar", ExitCode: code(2)})
	got := ExplainTask(task, nil)
	if got.ExitCode == nil || *got.ExitCode != 2 || !strings.Contains(got.Cause, "sidecar") {
		t.Errorf("explanation = %+v, want the sidecar's exit code 2", got)
	}
}

func TestExplainTaskReadsTheRuntimesLine(t *testing.T) {
	task := stopped("EssentialContainerExited", "Essential container in task exited", Container{ExitCode: code(255)})
	tests := map[string]string{
		"exec /hello: exec format error":                  "architecture",
		"exec /hello: no such file or directory":          "not in the image",
		"app: exec /hello: exec format error":             "ended by itself",
		"started\nexec /hello: exec format error":         "ended by itself",
		"exec /bin/sh: permission denied, says my script": "ended by itself",
	}
	for log, says := range tests {
		if got := ExplainTask(task, strings.Split(log, "\n")); !strings.Contains(got.Cause, says) {
			t.Errorf("log %q: cause = %q, want one that says %q", log, got.Cause, says)
		}
	}
}
