package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestSecrets makes a secret and a parameter with the AWS CLI, ships an app whose task definition names both, and follows
// the values: to the containers, and to nowhere else. Then the secret goes, and the next release says so.
func TestSecrets(t *testing.T) {
	stage := upStage(t)
	aws := newAWS(t, stage)
	secret, parameter := "secret-"+uuid.NewString(), "parameter-"+uuid.NewString()
	arn := aws.run("secretsmanager", "create-secret", "--name", "medusa/shop", "--secret-string", fmt.Sprintf(`{"token":%q,"other":"x"}`, secret), "--query", "ARN", "--output", "text")
	aws.run("ssm", "put-parameter", "--name", "/medusa/jwt", "--type", "SecureString", "--value", parameter)
	expectCLI(t, aws, secret, parameter)
	if err := stage.Edit("ecs/task-definition.json", `"essential": true,`, fmt.Sprintf(`"essential": true,
      "secrets": [
        { "name": "DEMO_TOKEN", "valueFrom": "%s:token::" },
        { "name": "DEMO_JWT", "valueFrom": "arn:aws:ssm:us-east-1:000000000000:parameter/medusa/jwt" },
        { "name": "DEMO_JWT_BY_NAME", "valueFrom": "/medusa/jwt" }
      ],`, arn)); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("use secrets"); err != nil {
		t.Fatal(err)
	}
	good := green(t, stage, release.OutcomeSucceeded, "ship")
	want := []string{"DEMO_JWT=" + parameter, "DEMO_JWT_BY_NAME=" + parameter, "DEMO_TOKEN=" + secret}
	for _, pid := range helloProcesses(t, stage) {
		if got := demoVariables(t, pid); !slices.Equal(got, want) {
			t.Errorf("process %d has %q, want %q", pid, got, want)
		}
	}
	for what, text := range map[string]string{
		"ship":                     good.Raw,
		"describe-tasks":           aws.run(append([]string{"ecs", "describe-tasks", "--cluster", "medusa-cluster", "--tasks"}, taskARNs(aws)...)...),
		"describe-task-definition": aws.run("ecs", "describe-task-definition", "--task-definition", "medusa"),
		"status":                   must(t, stage, "status", "--output", "json"),
	} {
		if strings.Contains(text, secret) || strings.Contains(text, parameter) {
			t.Errorf("%s shows a secret value:\n%s", what, text)
		}
	}
	// The runtime's own copy of a running container's spec, and for a moment that of a health check.
	expectOnlyIn(t, stage, []string{"/engine/run/containerd/io.containerd.runtime.v2.task/", "/engine/tmp/runc-process"}, secret, parameter)
	secretGone(t, stage, aws, arn)
	must(t, stage, "local", "down")
	expectOnlyIn(t, stage, nil, secret, parameter)
}

// expectCLI has the AWS CLI read back what it made, in the ways in which people look at it.
func expectCLI(t *testing.T, aws awsCLI, secret, parameter string) {
	t.Helper()
	for want, args := range map[string][]string{
		fmt.Sprintf(`{"token":%q,"other":"x"}`, secret): {"secretsmanager", "get-secret-value", "--secret-id", "medusa/shop", "--query", "SecretString"},
		"medusa/shop": {"secretsmanager", "list-secrets", "--query", "SecretList[].Name"},
		parameter:     {"ssm", "get-parameter", "--name", "/medusa/jwt", "--with-decryption", "--query", "Parameter.Value"},
		"/medusa/jwt": {"ssm", "get-parameters-by-path", "--path", "/medusa", "--query", "Parameters[].Name"},
	} {
		if got := aws.run(append(args, "--output", "text")...); got != want {
			t.Errorf("aws %s = %q, want %q", strings.Join(args, " "), got, want)
		}
	}
	for want, args := range map[string][]string{
		"An error occurred (ResourceNotFoundException) when calling the DescribeSecret operation: Secrets Manager can't find the specified secret.": {"secretsmanager", "describe-secret", "--secret-id", "none"},
		"An error occurred (ParameterNotFound) when calling the GetParameter operation: ":                                                           {"ssm", "get-parameter", "--name", "/none"},
		"local AWS does not implement secretsmanager:GetRandomPassword":                                                                             {"secretsmanager", "get-random-password"},
	} {
		if out, code := aws.try(args...); code == 0 || !strings.Contains(out, want) {
			t.Errorf("aws %s: exit %d: %s, want %q", strings.Join(args, " "), code, out, want)
		}
	}
}

// demoVariables are the variables of a process that the task definition makes secret, in order.
func demoVariables(t *testing.T, pid int) []string {
	t.Helper()
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for variable := range strings.SplitSeq(string(environment), "\x00") {
		if strings.HasPrefix(variable, "DEMO_") {
			found = append(found, variable)
		}
	}
	slices.Sort(found)
	return found
}

func taskARNs(aws awsCLI) []string {
	return strings.Fields(aws.run("ecs", "list-tasks", "--cluster", "medusa-cluster", "--query", "taskArns", "--output", "text"))
}

// expectOnlyIn searches every file of local AWS's state for the texts, which may be in those alone whose paths begin so.
func expectOnlyIn(t *testing.T, stage *rehearsal.Stage, allowed []string, texts ...string) {
	t.Helper()
	searched := 0
	err := filepath.WalkDir(stage.State, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return nil // it went away meanwhile, or is a socket
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		searched++
		begins := func(prefix string) bool { return strings.HasPrefix(path, stage.State+prefix) }
		for _, text := range texts {
			if bytes.Contains(content, []byte(text)) && !slices.ContainsFunc(allowed, begins) {
				t.Errorf("a secret value is in %s", path)
			}
		}
		return nil
	})
	if err != nil || searched < 5 {
		t.Errorf("searched %d files of %s: %v", searched, stage.State, err)
	}
}

// secretGone deletes the secret. A ship is refused before anything is touched; a rollback, which looks before nothing,
// ends with exit 6 and a word on which secret is missing, while the old tasks serve.
func secretGone(t *testing.T, stage *rehearsal.Stage, aws awsCLI, arn string) {
	t.Helper()
	edit(t, stage, "Hello from medusa-deploy", "Hello again from medusa-deploy")
	good := green(t, stage, release.OutcomeSucceeded, "ship")
	aws.run("secretsmanager", "delete-secret", "--secret-id", "medusa/shop", "--force-delete-without-recovery")
	found, refused := findings(t, stage, "ship")
	if refused.Outcome != release.OutcomeRefused || refused.Exit != release.ExitCheck || !slices.ContainsFunc(found, func(f string) bool {
		return strings.HasPrefix(f, "MD033 error container medusa of task definition medusa:")
	}) {
		t.Errorf("ship: outcome %s exit %d, found %v", refused.Outcome, refused.Exit, found)
	}
	bad, report := rolledBack(t, stage, good.Services[0].URL, "rollback", "--yes")
	expectExplanation(t, bad, "the secret "+arn+" does not exist", "TaskFailedToStart", "")
	if !strings.HasPrefix(bad.Explanation.Reason, "ResourceInitializationError: unable to pull secrets or registry auth: ") || !strings.Contains(strings.Join(bad.Explanation.Next, "\n"), "aws secretsmanager describe-secret --secret-id "+arn) {
		t.Errorf("explanation = %+v", bad.Explanation)
	}
	expectOldServes(t, stage, good, report)
}
