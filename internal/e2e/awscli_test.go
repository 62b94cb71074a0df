package e2e

import (
	"bytes"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// awsCLI is the unmodified AWS CLI with the variables of `local env`.
type awsCLI struct {
	t     *testing.T
	cloud *rehearsal.Cloud
}

func newAWS(t *testing.T, stage *rehearsal.Stage) awsCLI {
	t.Helper()
	return awsCLI{t: t, cloud: cloudOf(t, stage)}
}

// cloudOf is the stage's local AWS as its own APIs show it.
func cloudOf(t *testing.T, stage *rehearsal.Stage) *rehearsal.Cloud {
	t.Helper()
	cloud, err := stage.Cloud(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cloud
}

// try runs the AWS CLI and gives its output and exit code.
func (a awsCLI) try(args ...string) (string, int) {
	a.t.Helper()
	command := a.cloud.AWS(a.t.Context(), args...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if command.ProcessState == nil {
		a.t.Fatalf("aws %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)) + stderr.String(), command.ProcessState.ExitCode()
}

func (a awsCLI) run(args ...string) string {
	a.t.Helper()
	out, code := a.try(args...)
	if code != 0 {
		a.t.Fatalf("aws %s: exit %d: %s", strings.Join(args, " "), code, out)
	}
	return out
}

// knows reports whether this AWS CLI is new enough to have an operation; Debian's is older than some.
func (a awsCLI) knows(service, operation string) bool {
	_, code := a.try(service, operation, "help")
	return code == 0
}

// TestAWSCLI has the AWS CLI tell the same story as ship did.
func TestAWSCLI(t *testing.T) {
	stage := upStage(t)
	shipped := green(t, stage, release.OutcomeSucceeded, "ship")
	aws := newAWS(t, stage)
	digest := string(shipped.Digest)

	expect := func(want string, args ...string) {
		t.Helper()
		if got := aws.run(append(args, "--output", "text")...); got != want {
			t.Errorf("aws %s = %q, want %q", strings.Join(args, " "), got, want)
		}
	}
	service := []string{"--cluster", "medusa-cluster", "--services", "medusa-service"}
	describe := func(query string) []string {
		return append(append([]string{"ecs", "describe-services"}, service...), "--query", query)
	}
	expect("000000000000", "sts", "get-caller-identity", "--query", "Account")
	if password := aws.run("ecr", "get-login-password"); len(password) < 16 {
		t.Errorf("get-login-password = %q", password)
	}
	expect(digest, "ecr", "describe-images", "--repository-name", "medusa", "--image-ids", "imageTag=latest", "--query", "imageDetails[0].imageDigest")
	expect(digest, "ecr", "describe-images", "--repository-name", "medusa", "--image-ids", "imageTag=git-"+shipped.Commit, "--query", "imageDetails[0].imageDigest")
	expect("2\t0\t1", describe("services[0].[runningCount,pendingCount,length(deployments)]")...)
	expect("COMPLETED", describe("services[0].deployments[0].rolloutState")...)

	t.Run("force a new deployment", func(t *testing.T) {
		aws := aws
		aws.t = t
		aws.run("ecs", "update-service", "--cluster", "medusa-cluster", "--service", "medusa-service", "--force-new-deployment")
		aws.run(append([]string{"ecs", "wait", "services-stable"}, service...)...)
		tasks := strings.Fields(aws.run("ecs", "list-tasks", "--cluster", "medusa-cluster", "--service-name", "medusa-service", "--query", "taskArns", "--output", "text"))
		if len(tasks) != 2 {
			t.Fatalf("list-tasks = %v, want 2", tasks)
		}
		for _, got := range strings.Fields(aws.run(append([]string{"ecs", "describe-tasks", "--cluster", "medusa-cluster", "--query", "tasks[].containers[].imageDigest", "--output", "text", "--tasks"}, tasks...)...)) {
			if got != digest {
				t.Errorf("a task runs %s, ship reported %s", got, digest)
			}
		}
	})
	t.Run("service deployments", func(t *testing.T) {
		aws := aws
		aws.t = t
		if !aws.knows("ecs", "describe-service-deployments") {
			t.Skip("this AWS CLI is older than service deployments")
		}
		serviceDeployments(t, aws, shipped)
	})
	t.Run("logs", func(t *testing.T) {
		aws := aws
		aws.t = t
		eventually(t, "the log has what both tasks wrote", func() bool {
			out := aws.run("logs", "filter-log-events", "--log-group-name", "/ecs/medusa", "--query", "events[].message", "--output", "text")
			return strings.Count(out, "is listening on") >= 2
		})
	})
}

func serviceDeployments(t *testing.T, aws awsCLI, shipped rehearsal.Result) {
	arn := shipped.Services[0].Deployment
	status := aws.run("ecs", "describe-service-deployments", "--service-deployment-arns", arn, "--query", "serviceDeployments[0].status", "--output", "text")
	if status != "SUCCESSFUL" {
		t.Errorf("the deployment that ship reported is %s", status)
	}
	revision := aws.run("ecs", "describe-service-deployments", "--service-deployment-arns", arn, "--query", "serviceDeployments[0].targetServiceRevision.arn", "--output", "text")
	got := aws.run("ecs", "describe-service-revisions", "--service-revision-arns", revision, "--query", "serviceRevisions[0].containerImages[0].imageDigest", "--output", "text")
	if got != string(shipped.Digest) {
		t.Errorf("the revision resolved to %s, ship reported %s", got, shipped.Digest)
	}
	all := aws.run("ecs", "list-service-deployments", "--cluster", "medusa-cluster", "--service", "medusa-service", "--query", "serviceDeployments[].serviceDeploymentArn", "--output", "text")
	if !strings.Contains(all, arn) || len(strings.Fields(all)) != 2 {
		t.Errorf("list-service-deployments = %s, want two with %s among them", all, arn)
	}
}
