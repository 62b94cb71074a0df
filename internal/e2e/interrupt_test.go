package e2e

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestInterrupted interrupts the release of an image that never becomes healthy, in the middle of its rollout. Shipping
// again joins that rollout and ends as it would have; rolling back instead ends it at once. Either way :latest is on what
// runs, and what ran before never stops answering.
func TestInterrupted(t *testing.T) {
	stage := upStage(t)
	good := green(t, stage, release.OutcomeSucceeded, "ship")
	breakImage(t, stage, "ENV UNHEALTHY=1")
	load := rehearsal.StartLoad(t.Context(), good.Services[0].URL, 1)

	interrupt(t, stage)
	again, err := stage.Release(t.Context(), "ship")
	if err != nil {
		t.Fatal(err)
	}
	if again.Exit != release.ExitRolledBack || !strings.Contains(again.Raw, `"attached":true`) {
		t.Errorf("shipping again: %s, exit %d, want it to join the rollout and go back:\n%s", again.Outcome, again.Exit, again.Raw)
	}
	expectRuns(t, stage, good.Digest)

	interrupt(t, stage)
	back := green(t, stage, release.OutcomeSucceeded, "rollback", "--yes")
	if back.Digest != good.Digest {
		t.Errorf("rolled back to %s, want %s", back.Digest, good.Digest)
	}
	expectRuns(t, stage, good.Digest)
	expectServed(t, load.Stop())
}

// interrupt ships and interrupts it once the rollout is under way.
func interrupt(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	command := stage.Command(t.Context(), "ship", "--output", "json")
	stdout, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	last, sent := "", false
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		last = lines.Text()
		if !sent && strings.Contains(last, `"type":"rollout_progress"`) {
			sent = true // a second one would end the program at once
			if err := command.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = command.Wait() // its exit code is what is checked
	if code := command.ProcessState.ExitCode(); code != release.ExitInterrupted || !strings.Contains(last, `"outcome":"interrupted"`) {
		t.Fatalf("an interrupted ship: exit %d: %s", code, last)
	}
}

func expectRuns(t *testing.T, stage *rehearsal.Stage, digest release.Digest) {
	t.Helper()
	status := statusOf(t, stage)
	one := status.Services[0]
	if status.Tagged != digest || one.Digests[digest] != 2 || len(one.Digests) != 1 || len(one.Drift) > 0 {
		t.Errorf("status = %+v, want two tasks of %s and :latest on it", status, digest)
	}
}
