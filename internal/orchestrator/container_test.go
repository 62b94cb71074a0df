package orchestrator_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestPreviewOfEverything: what check looks at comes through, from both files.
func TestPreviewOfEverything(t *testing.T) {
	const task = `{"family": "medusa", "cpu": ".5 vCPU", "memory": "1GB", "executionRoleArn": "arn:aws:iam::000000000000:role/exec", "containerDefinitions": [
{"name": "medusa", "image": "h/medusa:latest", "user": "1000", "stopTimeout": 0, "memory": 512, "entryPoint": ["tini", "--"], "command": ["medusa", "start"], "workingDirectory": "/app",
 "environment": [{"name": "NODE_ENV", "value": "production"}], "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/e.env"}],
 "mountPoints": [{"containerPath": "/app/static", "sourceVolume": "v"}, {"containerPath": "/etc/x", "sourceVolume": "w", "readOnly": true}],
 "healthCheck": {"command": ["CMD", "x"], "startPeriod": 60, "interval": 10},
 "secrets": [{"name": "DATABASE_URL", "valueFrom": "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf:url::"}],
 "repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:us-east-1:000000000000:secret:hub-AbCdEf"},
 "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "awslogs-region": "r", "awslogs-stream-prefix": "p", "awslogs-create-group": "true"}}},
{"name": "proxy", "image": "nginx:1", "essential": false, "healthCheck": {"command": ["NONE"]},
 "logConfiguration": {"logDriver": "splunk", "options": {"splunk-url": "u"}, "secretOptions": [{"name": "splunk-token", "valueFrom": "/splunk"}]}}]}`
	const file = `{"serviceName": "medusa-service", "desiredCount": 1, "healthCheckGracePeriodSeconds": 90, "loadBalancers": [{"containerName": "medusa"}],
 "tags": [{"key": "a", "value": "b"}, {"key": "medusa-deploy:health-check-path", "value": "/ready"}]}`
	got, err := orchestrator.New(awstest.New(t).Session(t)).Preview(definition(task, file))
	if err != nil {
		t.Fatal(err)
	}
	atOnce := time.Duration(0)
	want := []release.ContainerDefinition{
		{
			Name: "medusa", Image: "h/medusa:latest", Essential: true, HealthCheck: true, StartPeriod: time.Minute, StopTimeout: &atOnce, User: "1000",
			HealthInterval: 10 * time.Second, HealthRetries: 3, Memory: 512, EntryPoint: []string{"tini", "--"}, Command: []string{"medusa", "start"},
			WorkingDirectory: "/app", Environment: map[string]string{"NODE_ENV": "production"}, EnvironmentFiles: true, Mounts: []string{"/app/static"},
			LogDriver: "awslogs", LogGroup: "g", LogRegion: "r", LogPrefix: "p", LogCreatesGroup: true,
			Secrets: []release.SecretReference{
				{Name: "DATABASE_URL", From: "arn:aws:secretsmanager:us-east-1:000000000000:secret:db-AbCdEf:url::"},
				{From: "arn:aws:secretsmanager:us-east-1:000000000000:secret:hub-AbCdEf"},
			},
		},
		{Name: "proxy", Image: "nginx:1", LogDriver: "splunk", Secrets: []release.SecretReference{{Name: "splunk-token", From: "/splunk"}}},
	}
	if diff := cmp.Diff(want, got.TaskDefinition.Containers); diff != "" {
		t.Error(diff)
	}
	if got.TaskDefinition.CPU != 512 || got.TaskDefinition.Memory != 1024 || got.HealthPath != "/ready" {
		t.Errorf("cpu %d, memory %d, health path %s", got.TaskDefinition.CPU, got.TaskDefinition.Memory, got.HealthPath)
	}
	if got.GracePeriod != 90*time.Second || got.TaskDefinition.ExecutionRole != "arn:aws:iam::000000000000:role/exec" {
		t.Errorf("grace period %s, execution role %s", got.GracePeriod, got.TaskDefinition.ExecutionRole)
	}
}

// TestBake: what a strategy waits by design, with ECS's defaults for what is not said.
func TestBake(t *testing.T) {
	for configuration, want := range map[string]time.Duration{
		`{}`: 0,
		`{"strategy": "ROLLING", "bakeTimeInMinutes": 5}`:                                                                                 0,
		`{"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5}`:                                                                              5 * time.Minute,
		`{"strategy": "CANARY", "bakeTimeInMinutes": 5}`:                                                                                  15 * time.Minute,
		`{"strategy": "CANARY", "bakeTimeInMinutes": 5, "canaryConfiguration": {"canaryPercent": 10, "canaryBakeTimeInMinutes": 2}}`:      7 * time.Minute,
		`{"strategy": "LINEAR", "bakeTimeInMinutes": 1}`:                                                                                  55 * time.Minute,
		`{"strategy": "LINEAR", "bakeTimeInMinutes": 1, "linearConfiguration": {"stepPercent": 33.4, "stepBakeTimeInMinutes": 3}}`:        7 * time.Minute,
		`{"strategy": "LINEAR", "bakeTimeInMinutes": 1, "linearConfiguration": {"stepPercent": 100, "stepBakeTimeInMinutes": 3}}`:         time.Minute,
		`{"strategy": "LINEAR", "bakeTimeInMinutes": 1, "linearConfiguration": {"stepPercent": 0, "stepBakeTimeInMinutes": 0}}`:           time.Minute,
		`{"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 5, "canaryConfiguration": {"canaryPercent": 10, "canaryBakeTimeInMinutes": 60}}`: 5 * time.Minute,
	} {
		file := strings.Replace(serviceFile, `{"maximumPercent": 150}`, configuration, 1)
		got, err := orchestrator.New(awstest.New(t).Session(t)).Preview(definition(taskFile, file))
		if err != nil {
			t.Fatal(err)
		}
		if got.Bake != want {
			t.Errorf("%s: %s, want %s", configuration, got.Bake, want)
		}
	}
}
