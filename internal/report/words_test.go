package report

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestBriefly: a stack trace in one line does not hide the cause; what is short enough is left as it is.
func TestBriefly(t *testing.T) {
	fits := strings.Repeat("é", longestQuote)
	got := briefly([]string{"ready", fits, fits + "more"})
	if diff := cmp.Diff([]string{"ready", fits, fits + "… (4 more characters)"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestNoSecretIsCut: of a secret that lies where a line is cut, nothing is left in any face, nor in the job summary.
func TestNoSecretIsCut(t *testing.T) {
	const secret = "s3cr3t-password-of-a-registry"
	mask := &Mask{}
	mask.Add("AWS", secret)
	line := strings.Repeat("x", longestQuote-10) + secret + strings.Repeat("y", longestQuote)
	var out, err, summary strings.Builder
	face := WithActions(New(Plain, Options{Out: &out, Err: &err, Mask: mask}), &summary, nil, mask)
	face.Emit(release.Result{Command: "ship", Outcome: release.OutcomeFailed, Exit: release.ExitBuild, Explanation: &release.Explanation{Cause: "it ended", Log: []string{line}}})
	if closeErr := face.Close(); closeErr != nil {
		t.Fatal(closeErr)
	}
	for name, text := range map[string]string{"summary": summary.String(), "stderr": err.String()} {
		if !strings.Contains(text, "more characters") || strings.Contains(text, secret[:5]) {
			t.Errorf("%s: %s", name, text)
		}
	}
}

// TestFailsOnce: the phase and the command of one name fail in one line; a command of phases has a line of its own, and so
// has one whose phase's line is within a group.
func TestFailsOnce(t *testing.T) {
	for _, c := range []struct {
		kind    Kind
		command string
		lines   int // that say so
	}{
		{Plain, "build", 1}, {Plain, "ship", 2}, {GitHub, "build", 2},
	} {
		var err strings.Builder
		face := New(c.kind, Options{Out: &err, Err: &err})
		face.Emit(release.PhaseStarted{Phase: release.PhaseBuild, About: "commit c0ffee012345"})
		face.Emit(release.PhaseFailed{Phase: release.PhaseBuild, Error: "no space", Seconds: 3})
		face.Emit(release.Result{Command: c.command, Outcome: release.OutcomeFailed, Exit: release.ExitBuild, Error: "no space", Total: 3})
		if closeErr := face.Close(); closeErr != nil {
			t.Fatal(closeErr)
		}
		if text := err.String(); strings.Count(text, "failed after") != c.lines || !strings.Contains(text, "  no space\n") {
			t.Errorf("%s of %s: want %d lines that say that it failed:\n%s", c.kind, c.command, c.lines, text)
		}
	}
}
