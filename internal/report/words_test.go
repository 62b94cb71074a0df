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
