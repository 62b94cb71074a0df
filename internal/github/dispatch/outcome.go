package dispatch

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// verdict is what a run's conclusion means for the program that waited for it. inner is the exit code of the release in
// it, where one was seen.
func verdict(conclusion string, inner int) (release.Outcome, int) {
	switch conclusion {
	case "success", "neutral":
		return release.OutcomeSucceeded, release.ExitDone
	case "cancelled":
		return release.OutcomeInterrupted, release.ExitInterrupted
	case "timed_out":
		return release.OutcomeTimedOut, release.ExitTimedOut
	case "startup_failure":
		return release.OutcomeFailed, release.ExitUsage // the workflow file cannot be run
	}
	if outcome, known := innerOutcomes()[inner]; known {
		return outcome, inner
	}
	return release.OutcomeFailed, release.ExitInternal
}

// innerOutcomes are the exit codes of a release that failed.
func innerOutcomes() map[int]release.Outcome {
	return map[int]release.Outcome{
		release.ExitUsage: release.OutcomeRefused, release.ExitCheck: release.OutcomeRefused,
		release.ExitBuild: release.OutcomeFailed, release.ExitMigration: release.OutcomeFailed,
		release.ExitRolledBack: release.OutcomeRolledBack, release.ExitNotRolledBack: release.OutcomeFailed,
		release.ExitSuperseded: release.OutcomeSuperseded, release.ExitTimedOut: release.OutcomeTimedOut,
		release.ExitInterrupted: release.OutcomeInterrupted,
	}
}

var exitLine = regexp.MustCompile(`^##\[error\]Process completed with exit code (\d+)\.`)

// overTime is what the runner writes into the log of a job that ran for longer than its timeout-minutes.
const overTime = "has exceeded the maximum execution time"

// innerExit finds the exit code of the release in the lines of a failed step: in the program's own result, or else in
// what the runner says of a step that ran the program. 0 when there is none: other programs use the same numbers for other
// things.
func innerExit(stepName string, lines []logLine) int {
	ours := strings.Contains(stepName, "medusa-deploy")
	code := 0
	for _, line := range slices.Backward(lines) {
		text := strings.TrimSpace(line.text)
		if exit, ok := resultExit(text); ok {
			return exit
		}
		if m := exitLine.FindStringSubmatch(text); m != nil && code == 0 {
			code, _ = strconv.Atoi(m[1]) // digits, or too many of them for any exit code: 0 then means unknown
		}
		ours = ours || strings.HasPrefix(text, "##[group]Run ") && strings.Contains(text, "medusa-deploy")
	}
	if _, known := innerOutcomes()[code]; !ours || !known {
		return 0
	}
	return code
}

// resultExit reads the last line of the program's --output json.
func resultExit(text string) (int, bool) {
	if !strings.HasPrefix(text, "{") || !strings.Contains(text, `"result"`) {
		return 0, false
	}
	var result struct {
		Type    string          `json:"type"`
		Outcome release.Outcome `json:"outcome"`
		Exit    int             `json:"exit"`
	}
	if json.Unmarshal([]byte(text), &result) != nil || result.Type != "result" || result.Outcome == "" {
		return 0, false
	}
	return result.Exit, true
}
