package e2e

import (
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestPinned pins digests: a release registers a revision, one that fails goes back to the revision before, and
// definitions are applied with a diff first.
func TestPinned(t *testing.T) {
	stage := upStage(t)
	if err := stage.Append("medusa-deploy.yaml", "    strategy: pinned\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("pin digests"); err != nil {
		t.Fatal(err)
	}
	first := green(t, stage, release.OutcomeSucceeded, "ship")
	expectPinned(t, stage, first.Digest)
	green(t, stage, release.OutcomeUnchanged, "ship")

	edit(t, stage, "Hello from", "Hello, pinned, from")
	good := green(t, stage, release.OutcomeSucceeded, "ship")
	expectPinned(t, stage, good.Digest)

	breakImage(t, stage, "ENV CRASH=3")
	bad, report := releaseUnderLoad(t, stage, good.Services[0].URL, 1, "ship")
	if bad.Exit != release.ExitRolledBack {
		t.Errorf("outcome %s, exit %d: %s", bad.Outcome, bad.Exit, bad.Error)
	}
	expectOldServes(t, stage, good, report)
	expectPinned(t, stage, good.Digest)
	restoreImage(t, stage)

	back := green(t, stage, release.OutcomeSucceeded, "rollback", "--yes")
	if back.Digest != first.Digest {
		t.Errorf("rolled back to %s, want %s", back.Digest, first.Digest)
	}
	expectPinned(t, stage, first.Digest)
}

// expectPinned checks that the service's task definition names the digest, and that all tasks run it.
func expectPinned(t *testing.T, stage *rehearsal.Stage, digest release.Digest) {
	t.Helper()
	aws := newAWS(t, stage)
	arn := strings.TrimSpace(aws.run("ecs", "describe-services", "--cluster", "medusa-cluster", "--services", "medusa-service",
		"--query", "services[0].taskDefinition", "--output", "text"))
	image := strings.TrimSpace(aws.run("ecs", "describe-task-definition", "--task-definition", arn,
		"--query", "taskDefinition.containerDefinitions[0].image", "--output", "text"))
	if want := "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa@" + string(digest); image != want {
		t.Errorf("%s names %s, want %s", arn, image, want)
	}
	expectRuns(t, stage, digest)
}

// TestApply changes both definition files: a dry run shows what that changes, and applying them changes just that.
func TestApply(t *testing.T) {
	stage := upStage(t)
	good := green(t, stage, release.OutcomeSucceeded, "ship")
	green(t, stage, release.OutcomeUnchanged, "deploy", "--apply")
	for file, change := range map[string][2]string{
		"ecs/task-definition.json": {`"memory": "512"`, `"memory": "1024"`},
		"ecs/service.json":         {`"desiredCount": 2`, `"desiredCount": 3`},
	} {
		if err := stage.Edit(file, change[0], change[1]); err != nil {
			t.Fatal(err)
		}
	}
	dry := green(t, stage, release.OutcomeUnchanged, "deploy", string(good.Digest), "--apply", "--dry-run")
	for _, want := range []string{`"path":"memory"`, `"path":"desiredCount"`} {
		if n := strings.Count(dry.Raw, want); n != 1 {
			t.Errorf("%s is %d times in the diff:\n%s", want, n, dry.Raw)
		}
	}
	if n := strings.Count(dry.Raw, "definition_change"); n != 2 {
		t.Errorf("the diff has %d entries, want 2:\n%s", n, dry.Raw)
	}
	if one := statusOf(t, stage).Services[0]; one.Desired != 2 {
		t.Errorf("a dry run changed the desired count to %d", one.Desired)
	}
	green(t, stage, release.OutcomeSucceeded, "deploy", string(good.Digest), "--apply")
	if one := statusOf(t, stage).Services[0]; one.Desired != 3 || one.Running != 3 || one.Digests[good.Digest] != 3 {
		t.Errorf("status = %+v, want three tasks", one)
	}
	green(t, stage, release.OutcomeUnchanged, "deploy", string(good.Digest), "--apply")
}
