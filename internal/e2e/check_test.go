package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// badDockerfile has a trap on most of its lines.
const badDockerfile = `FROM node
COPY . .
RUN npm ci
ENV JWT_SECRET=supersecret
ADD https://example.com/x.tar /x.tar
HEALTHCHECK CMD true
CMD npm start
`

// TestCheck plants faults in everything that check looks at, at once, in a target of which one service runs and the
// other does not exist yet: check names all of them in one run, ship refuses, and nothing is touched.
func TestCheck(t *testing.T) {
	stage := upStage(t)
	good := green(t, stage, release.OutcomeSucceeded, "ship")
	if found, result := findings(t, stage, "check"); len(found) > 0 || result.Exit != release.ExitDone {
		t.Errorf("after a good release check found %v (exit %d)", found, result.Exit)
	}
	aws := newAWS(t, stage)
	plantAWSFaults(aws, good)
	plantFileFaults(t, stage)
	before := snapshot(t, stage, aws)

	found, result := findings(t, stage, "check")
	want := []string{
		"MD013 error service medusa-cluster/medusa-service", // live
		"MD013 error ecs/worker.service.json",
		"MD015 warning ecs/idle.service.json",
		"MD017 warning ecs/worker.service.json",
		"MD020 warning ecs/worker.task-definition.json",
		"MD024 error repository medusa",
		"MD025 warning lifecycle policy of repository medusa, rule 1",
		"MD026 warning service medusa-service",
		"MD032 warning ecs/worker.task-definition.json",
		"MD033 error ecs/worker.task-definition.json:10, ecs/idle.task-definition.json:10",
		"MD033 error ecs/worker.task-definition.json:11, ecs/idle.task-definition.json:11",
		"MD034 error ecs/worker.task-definition.json:15",
		"MD037 info work tree of commit " + good.Commit[:12],
		"MD040 warning Dockerfile:1",
		"MD041 warning Dockerfile:6",
		"MD042 warning Dockerfile:7",
		"MD043 warning Dockerfile:2",
		"MD044 warning Dockerfile:5",
		"MD045 warning Dockerfile:4",
		"MD046 warning Dockerfile:1",
		"MD047 warning .",
	}
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if result.Exit != release.ExitCheck || result.Outcome != release.OutcomeRefused || !strings.Contains(result.Error, "nothing was touched") {
		t.Errorf("result = %+v", result.Result)
	}
	if strings.Contains(result.Raw, "supersecret") {
		t.Error("check shows the value of a secret")
	}
	t.Logf("%d findings in %s", len(found), result.Took)

	refused, err := stage.Release(t.Context(), "ship")
	if err != nil || refused.Exit != release.ExitCheck || refused.Outcome != release.OutcomeRefused {
		t.Errorf("ship: %s, exit %d, %v", refused.Outcome, refused.Exit, err)
	}
	if diff := cmp.Diff(before, snapshot(t, stage, aws)); diff != "" {
		t.Errorf("something was touched:\n%s", diff)
	}
	if body := page(t, good.Services[0].URL); !strings.Contains(body, good.Commit) {
		t.Errorf("the page is another one:\n%s", body)
	}
	cureLogGroup(t, stage, aws)
}

// plantAWSFaults breaks what exists, by the AWS CLI.
func plantAWSFaults(aws awsCLI, good rehearsal.Result) {
	const deadlock = "minimumHealthyPercent=100,maximumPercent=100,deploymentCircuitBreaker={enable=true,rollback=true}"
	const policy = `{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}`
	aws.run("ecs", "update-service", "--cluster", "medusa-cluster", "--service", "medusa-service", "--deployment-configuration", deadlock)
	aws.run("ecr", "put-image-tag-mutability", "--repository-name", "medusa", "--image-tag-mutability", "IMMUTABLE")
	aws.run("ecr", "put-lifecycle-policy", "--repository-name", "medusa", "--lifecycle-policy-text", policy)
	aws.run("ecr", "batch-delete-image", "--repository-name", "medusa", "--image-ids", "imageDigest="+string(good.Digest))
}

// plantFileFaults breaks the app's files and adds two services that do not exist yet.
func plantFileFaults(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	const image = "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa:latest"
	worker := `{
  "family": "worker",
  "containerDefinitions": [
    {
      "name": "worker",
      "image": "` + image + `",
      "memory": 64,
      "stopTimeout": 1,
      "secrets": [
        { "name": "DATABASE_URL", "valueFrom": "arn:aws:secretsmanager:us-east-1:000000000000:secret:shop/db-AbCdEf:url::" },
        { "name": "JWT_SECRET", "valueFrom": "/shop/jwt" }
      ],
      "logConfiguration": {
        "logDriver": "awslogs",
        "options": { "awslogs-group": "/ecs/nowhere", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "worker" }
      }
    }
  ]
}`
	idle := strings.NewReplacer(`"worker"`, `"idle"`, `"stopTimeout": 1`, `"healthCheck": {"command": ["CMD", "/hello", "-check"]}`, "/ecs/nowhere", "/ecs/medusa").Replace(worker)
	service := func(name string, desired int, configuration string) string {
		return fmt.Sprintf(`{"serviceName": %q, "taskDefinition": %q, "desiredCount": %d, "deploymentConfiguration": {%s}}`, name, name, desired, configuration)
	}
	for file, content := range map[string]string{
		"ecs/worker.task-definition.json": worker,
		"ecs/worker.service.json":         service("worker", 1, `"maximumPercent": 100`),
		"ecs/idle.task-definition.json":   idle,
		"ecs/idle.service.json":           service("idle", 0, `"deploymentCircuitBreaker": {"enable": true, "rollback": true}`),
		"Dockerfile":                      badDockerfile,
		"node_modules/x.js":               "x",
		".dockerignore":                   ".git\n",
	} {
		if err := stage.Write(file, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := stage.Edit("medusa-deploy.yaml", "services: [medusa-service]", "services: [medusa-service, worker, idle]"); err != nil {
		t.Fatal(err)
	}
}

// findings runs a command and gives what it found, by code, severity and place, in the order of codes and lines.
func findings(t *testing.T, stage *rehearsal.Stage, args ...string) ([]string, rehearsal.Result) {
	t.Helper()
	result, err := stage.Release(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, line := range strings.Split(strings.TrimSpace(result.Raw), "\n") {
		var f struct {
			Type string `json:"type"`
			release.Finding
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if f.Type != "finding" {
			continue
		}
		if f.Problem == "" || f.Why == "" || f.Cure == "" {
			t.Errorf("incomplete: %s", line)
		}
		where := strings.ReplaceAll(strings.ReplaceAll(f.Where, stage.App+"/", ""), stage.App, ".")
		found = append(found, fmt.Sprintf("%s %s %s", f.Code, f.Severity, where))
	}
	slices.SortStableFunc(found, func(a, b string) int { return strings.Compare(a[:5], b[:5]) })
	return found, result
}

// snapshot is everything that a careless check could touch.
func snapshot(t *testing.T, stage *rehearsal.Stage, aws awsCLI) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, args := range [][]string{
		{"ecs", "describe-services", "--cluster", "medusa-cluster", "--services", "medusa-service", "--query", "services[].[deploymentConfiguration,taskDefinition,desiredCount,runningCount,deployments[].id]"},
		{"ecs", "list-tasks", "--cluster", "medusa-cluster"},
		{"ecs", "list-task-definitions"},
		{"ecr", "describe-repositories"},
		{"ecr", "list-images", "--repository-name", "medusa"},
		{"logs", "describe-log-groups", "--query", "logGroups[].logGroupName"},
	} {
		all[strings.Join(args, " ")] = aws.run(append(args, "--output", "json")...)
	}
	command := exec.CommandContext(t.Context(), "git", "status", "--porcelain", "--ignored")
	command.Dir = stage.App
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	all["git status"] = string(out)
	return all
}

// cureLogGroup types what the finding says, as it stands: the finding is gone.
func cureLogGroup(t *testing.T, stage *rehearsal.Stage, aws awsCLI) {
	t.Helper()
	const code = `"code":"MD034"`
	_, result := findings(t, stage, "check")
	var f release.Finding
	for _, line := range strings.Split(result.Raw, "\n") {
		if strings.Contains(line, code) {
			decode(t, line, &f)
		}
	}
	if f.Cure == "" {
		t.Fatalf("there is no finding with %s:\n%s", code, result.Raw)
	}
	command := exec.CommandContext(t.Context(), "sh", "-c", f.Cure)
	command.Env = aws.cloud.Environment()
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", f.Cure, err, out)
	}
	if _, result = findings(t, stage, "check"); strings.Contains(result.Raw, code) {
		t.Errorf("after %q it is still found:\n%s", f.Cure, result.Raw)
	}
}
