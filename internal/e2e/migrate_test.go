package e2e

import (
	"slices"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestMigration ships with a migration that works, one whose release is killed in the middle of it, and one that fails.
func TestMigration(t *testing.T) {
	stage := upStage(t)
	if err := stage.Append("medusa-deploy.yaml", "    migrate: {command: [-migrate], timeout: 2m}\n"); err != nil {
		t.Fatal(err)
	}
	migrates(t, stage, "MIGRATE_FOR=0s")
	good := green(t, stage, release.OutcomeSucceeded, "ship")
	if !strings.Contains(good.Raw, "hello: migrated") {
		t.Errorf("the migration's log is not among the events:\n%s", good.Raw)
	}
	migrated, moved := strings.Index(good.Raw, "hello: migrated"), strings.Index(good.Raw, `"type":"rollout_started"`)
	if migrated > moved {
		t.Errorf("the rollout began before the migration was over:\n%s", good.Raw)
	}

	migrates(t, stage, "MIGRATE_FOR=4s")
	killed := killAtKind(t, stage, "log")
	again := green(t, stage, release.OutcomeSucceeded, "ship")
	if !strings.Contains(again.Raw, "is running already") {
		t.Errorf("killed at %s; shipping again did not join the migration:\n%s", killed.Last(), again.Raw)
	}

	migrates(t, stage, "MIGRATE_EXIT=3")
	bad, report := releaseUnderLoad(t, stage, again.Services[0].URL, 1, "ship")
	if bad.Outcome != release.OutcomeFailed || bad.Exit != release.ExitMigration || !strings.Contains(bad.Error, "no service was touched") {
		t.Errorf("outcome %s, exit %d: %s", bad.Outcome, bad.Exit, bad.Error)
	}
	if e := bad.Explanation; e == nil || e.ExitCode == nil || *e.ExitCode != 3 || !slices.Contains(e.Log, "hello: MIGRATE_EXIT is set, exiting with 3") {
		t.Errorf("explanation = %+v", e)
	}
	if strings.Contains(bad.Raw, `"phase":"deploy"`) {
		t.Errorf("something was deployed:\n%s", bad.Raw)
	}
	expectOldServes(t, stage, again, report)
}

// migrates commits a Dockerfile whose image migrates as the setting says.
func migrates(t *testing.T, stage *rehearsal.Stage, setting string) {
	t.Helper()
	dockerfile, err := stage.Read("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(dockerfile) {
		if !strings.HasPrefix(line, "ENV MIGRATE_") {
			lines = append(lines, line)
		}
	}
	text := strings.Replace(strings.Join(lines, ""), dockerfileAnchor, "ENV "+setting+"\n"+dockerfileAnchor, 1)
	if err := stage.Write("Dockerfile", []byte(text)); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit(setting); err != nil {
		t.Fatal(err)
	}
}

// killAtKind kills a ship at its first event of a kind.
func killAtKind(t *testing.T, stage *rehearsal.Stage, kind string) rehearsal.Killed {
	t.Helper()
	killed, err := stage.KillWhen(t.Context(), func(events []string) bool { return events[len(events)-1] == kind }, "ship")
	if err != nil || killed.Ended {
		t.Fatalf("ship was not killed at an event %q: %v, events %q", kind, err, killed.Events)
	}
	return killed
}
