package release

import (
	"context"
	"errors"
	"testing"
)

// findingsOf is a checker that has found what it is told to.
type findingsOf struct {
	found []Finding
	err   error
}

func (c findingsOf) Check(context.Context, CheckRequest) ([]Finding, error) { return c.found, c.err }

func TestCheck(t *testing.T) {
	of := func(severities ...Severity) []Finding {
		var all []Finding
		for _, s := range severities {
			all = append(all, Finding{Code: "MD001", Severity: s, Where: "here", Problem: "it is " + string(s)})
		}
		return all
	}
	for name, tc := range map[string]struct {
		checker findingsOf
		exit    int
		outcome Outcome
		says    string // the phase's summary, or the error
	}{
		"nothing":     {findingsOf{}, ExitDone, OutcomeSucceeded, "nothing found"},
		"no error":    {findingsOf{found: of(SeverityWarning, SeverityInfo, SeverityUnknown, SeverityWarning)}, ExitDone, OutcomeSucceeded, "2 warnings, 1 thing unknown, 1 remark"},
		"an error":    {findingsOf{found: of(SeverityInfo, SeverityError)}, ExitCheck, OutcomeRefused, "1 error, 1 remark; the first error is MD001: here: it is error; nothing was touched"},
		"two errors":  {findingsOf{found: of(SeverityError, SeverityError)}, ExitCheck, OutcomeRefused, "2 errors; the first error is MD001: here: it is error; nothing was touched"},
		"interrupted": {findingsOf{err: errors.New("broken")}, ExitCheck, OutcomeRefused, "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			shown, said := 0, ""
			p := &Pipeline{Checker: tc.checker, Emit: func(e Event) {
				switch e := e.(type) {
				case Found:
					shown++
				case PhaseDone:
					said = e.Summary
				case PhaseFailed:
					said = e.Error
				}
			}}
			r := p.Check(t.Context(), CheckRequest{Target: Target{Name: "production"}, Commit: Commit{SHA: "abc"}})
			if r.Exit != tc.exit || r.Outcome != tc.outcome || said != tc.says || shown != len(tc.checker.found) {
				t.Errorf("exit %d, %s, %d shown: %s", r.Exit, r.Outcome, shown, said)
			}
			if r.Command != "check" || r.Target != "production" || r.Commit != "abc" {
				t.Errorf("result = %+v", r)
			}
		})
	}
}
