package e2e

import (
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// releaseUnderLoad runs a release command while clients ask for a page, and gives what became of both.
func releaseUnderLoad(t *testing.T, stage *rehearsal.Stage, url string, clients int, args ...string) (rehearsal.Result, rehearsal.LoadReport) {
	t.Helper()
	load := rehearsal.StartLoad(t.Context(), url, clients)
	result, err := stage.Release(t.Context(), args...)
	report := load.Stop()
	if err != nil {
		t.Fatal(err)
	}
	return result, report
}

// rolledBack runs a release command that must go back to what runs, under load.
func rolledBack(t *testing.T, stage *rehearsal.Stage, url string, args ...string) (rehearsal.Result, rehearsal.LoadReport) {
	t.Helper()
	bad, report := releaseUnderLoad(t, stage, url, 2, args...)
	if bad.Outcome != release.OutcomeRolledBack || bad.Exit != release.ExitRolledBack {
		t.Fatalf("outcome %s exit %d: %s\n%s", bad.Outcome, bad.Exit, bad.Error, bad.Raw)
	}
	return bad, report
}

// expectServed checks that requests were sent and that none failed.
func expectServed(t *testing.T, report rehearsal.LoadReport) {
	t.Helper()
	if report.Failed > 0 || report.Sent == 0 {
		t.Errorf("sent %d, failed %d: %v", report.Sent, report.Failed, report.Failures)
	}
}
