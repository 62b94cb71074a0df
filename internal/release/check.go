package release

import (
	"context"
	"fmt"
	"strings"
)

// Check reports everything that would break a deploy, and touches nothing.
func (p *Pipeline) Check(ctx context.Context, req CheckRequest) Result {
	r := p.start("check", req.Target)
	r.result.Commit = req.Commit.SHA
	return r.end(ctx, r.preflight(ctx, req))
}

// preflight emits all findings and refuses when one of them is an error.
func (r *run) preflight(ctx context.Context, req CheckRequest) error {
	return r.phase(ctx, PhaseCheck, "what would break the deploy to "+req.Target.Name, nil,
		func(ctx context.Context) (string, bool, error) {
			findings, err := r.Checker.Check(ctx, req)
			if err != nil {
				return "", false, asFailure(ctx, err, OutcomeRefused, ExitCheck)
			}
			first := ""
			for _, f := range findings {
				r.Emit(Found{f})
				if first == "" && f.Severity == SeverityError {
					first = f.Code + ": " + f.Where + ": " + f.Problem
				}
			}
			summary := summarize(findings)
			if first != "" {
				return "", false, failf(OutcomeRefused, ExitCheck, "%s; the first error is %s; nothing was touched", summary, first)
			}
			return summary, false, nil
		})
}

// summarize counts findings by severity, for people.
func summarize(findings []Finding) string {
	count := map[Severity]int{}
	for _, f := range findings {
		count[f.Severity]++
	}
	var parts []string
	for _, s := range []struct {
		severity Severity
		one, all string
	}{
		{SeverityError, "1 error", "errors"},
		{SeverityWarning, "1 warning", "warnings"},
		{SeverityUnknown, "1 thing unknown", "things unknown"},
		{SeverityInfo, "1 remark", "remarks"},
	} {
		switch n := count[s.severity]; n {
		case 0:
		case 1:
			parts = append(parts, s.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, s.all))
		}
	}
	if len(parts) == 0 {
		return "nothing found"
	}
	return strings.Join(parts, ", ")
}
