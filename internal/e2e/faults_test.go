package e2e

import (
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// TestFaults ships good and bad versions while every fifth call to AWS, the registry's included, goes wrong: throttled,
// failed, broken off, stalled, refused for expired credentials. Each time the program must say what is true in the end.
// `make faults` ships fifty.
func TestFaults(t *testing.T) {
	stage := newStage(t)
	ordeal, err := rehearsal.NewOrdeal(t.Context(), stage, rehearsal.ProxyConfig{Share: 0.2, Seed: 1, Stall: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ordeal.Close() }) // before the stage is closed
	for range 4 {
		trial, err := ordeal.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Log(trial.Cells())
		if len(trial.Wrong) > 0 {
			t.Fatalf("%v\n%s", trial.Wrong, trial.Result.Raw)
		}
		if trial.Calls < 20 || trial.Faults == 0 {
			t.Errorf("%d calls, %d of them went wrong: the program does not go through the proxy", trial.Calls, trial.Faults)
		}
	}
}

// TestAHundredServices are released at once within AWS's documented rates, which local AWS enforces.
func TestAHundredServices(t *testing.T) {
	fleet, err := rehearsal.NewFleet(t.Context(), newStage(t), 100)
	if err != nil {
		t.Fatal(err)
	}
	made, err := fleet.Release(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	throttled, calls := made.Throttled()
	t.Logf("%d calls in %s, %d throttled: %+v", calls, made.Result.Took, throttled, made.Calls)
	if throttled > 0 || calls < 300 {
		t.Errorf("%d calls, %d throttled: %+v", calls, throttled, made.Calls)
	}
}
