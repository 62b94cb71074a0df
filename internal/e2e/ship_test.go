package e2e

import (
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestShip walks the whole line: first version, the same again, a change under load, back.
func TestShip(t *testing.T) {
	stage := upStage(t)
	first := green(t, stage, release.OutcomeSucceeded, "ship")
	service := first.Services[0]
	if service.URL == "" || service.Running != 2 || service.To != first.Digest || !first.Digest.Valid() {
		t.Fatalf("result = %+v, want two tasks that run a valid digest behind an address", first)
	}
	if got := page(t, service.URL); !strings.Contains(got, first.Commit) {
		t.Errorf("the page does not name commit %s:\n%s", first.Commit, got)
	}

	t.Run("nothing changed", func(t *testing.T) { shipAgain(t, stage) })
	t.Run("changed under load", func(t *testing.T) { shipUnderLoad(t, stage, first) })
	t.Run("rolled back", func(t *testing.T) { rollBack(t, stage, first) })
	t.Run("dirty work tree", func(t *testing.T) { shipDirty(t, stage) })
}

func shipAgain(t *testing.T, stage *rehearsal.Stage) {
	again := green(t, stage, release.OutcomeUnchanged, "ship")
	for _, want := range []string{"nothing to build", "nothing to push", "nothing to deploy"} {
		if !strings.Contains(again.Raw, want) {
			t.Errorf("ship with nothing changed does not say %q:\n%s", want, again.Raw)
		}
	}
	for _, never := range []string{`"type":"build_step"`, `"type":"transfer"`, `"type":"rollout_started"`} {
		if strings.Contains(again.Raw, never) {
			t.Errorf("ship with nothing changed did something: %s", never)
		}
	}
}

func shipUnderLoad(t *testing.T, stage *rehearsal.Stage, first rehearsal.Result) {
	sha := edit(t, stage, "Hello from", "Hello again from")
	load := rehearsal.StartLoad(t.Context(), first.Services[0].URL, 4)
	second := green(t, stage, release.OutcomeSucceeded, "ship")
	report := load.Stop()
	t.Logf("requests sent %d, failed %d, p99 %s, slowest %s", report.Sent, report.Failed, report.P99, report.Slowest)
	if report.Failed > 0 || report.Sent < 10 {
		t.Errorf("sent %d, failed %d: %v", report.Sent, report.Failed, report.Failures)
	}
	if second.Commit != sha || second.Services[0].From != first.Digest {
		t.Errorf("result = %+v, want commit %s from %s", second, sha, first.Digest)
	}
	if got := page(t, first.Services[0].URL); !strings.Contains(got, "Hello again") || !strings.Contains(got, sha) {
		t.Errorf("the page is not the second version's:\n%s", got)
	}
}

func rollBack(t *testing.T, stage *rehearsal.Stage, first rehearsal.Result) {
	back := green(t, stage, release.OutcomeSucceeded, "rollback", "--yes")
	if back.Digest != first.Digest {
		t.Errorf("rolled back to %s, want %s", back.Digest, first.Digest)
	}
	if strings.Contains(back.Raw, `"type":"build_step"`) {
		t.Error("a rollback built something")
	}
	if got := page(t, first.Services[0].URL); !strings.Contains(got, first.Commit) {
		t.Errorf("the page is not the first version's:\n%s", got)
	}
	status := statusOf(t, stage)
	if status.Tagged != first.Digest || len(status.Services[0].Drift) > 0 {
		t.Errorf("status = %+v, want :latest on the first digest and no drift", status)
	}
}

func shipDirty(t *testing.T, stage *rehearsal.Stage) {
	if err := stage.Edit("main.go", "Hello again from", "Hello, uncommitted, from"); err != nil {
		t.Fatal(err)
	}
	dirty := green(t, stage, release.OutcomeSucceeded, "ship")
	if got := page(t, dirty.Services[0].URL); !strings.Contains(got, "uncommitted") || !strings.Contains(got, "-dirty") {
		t.Errorf("the page is not the dirty version's:\n%s", got)
	}
}

// TestPhasesAlone drives build, push and deploy one by one.
func TestPhasesAlone(t *testing.T) {
	stage := upStage(t)
	built := green(t, stage, release.OutcomeSucceeded, "build")
	pushed := green(t, stage, release.OutcomeSucceeded, "push")
	if built.Digest != pushed.Digest {
		t.Errorf("built %s, pushed %s", built.Digest, pushed.Digest)
	}
	deployed := green(t, stage, release.OutcomeSucceeded, "deploy")
	if deployed.Digest != built.Digest {
		t.Errorf("deployed %s, built %s", deployed.Digest, built.Digest)
	}
	eventually(t, "the log shows what the app wrote", func() bool {
		return strings.Contains(must(t, stage, "logs", "--since", "1h"), "is listening on")
	})
	refused, err := stage.Release(t.Context(), "deploy", "no-such-tag")
	if err != nil {
		t.Fatal(err)
	}
	if refused.Outcome != release.OutcomeRefused || refused.Exit != release.ExitCheck {
		t.Errorf("deploy of an unknown tag: %s exit %d", refused.Outcome, refused.Exit)
	}
}
