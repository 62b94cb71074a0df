package dispatch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
)

const (
	docsBegin = "<!-- blocked dispatches: made from internal/github/dispatch/reasons.go by `go test ./internal/github/dispatch -update` -->\n"
	docsEnd   = "<!-- end of blocked dispatches -->\n"
)

// TestTheDocumentationSaysWhatTheMessagesSay keeps docs/trigger.md in step with the reasons.
func TestTheDocumentationSaysWhatTheMessagesSay(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "trigger.md")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, begins := strings.Cut(string(content), docsBegin)
	_, after, ends := strings.Cut(rest, docsEnd)
	if !begins || !ends {
		t.Fatalf("%s has lost its marks", path)
	}
	want := before + docsBegin + documented() + docsEnd + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(content) != want {
		t.Errorf("%s is not in step: go test ./internal/github/dispatch -update", path)
	}
}

// documented are all reasons in Markdown.
func documented() string {
	names := strings.NewReplacer(
		"{host}", "HOST", "{web}", "https://HOST/OWNER/NAME", "{repository}", "OWNER/NAME", "{workflow}", "WORKFLOW", "{ref}", "REF",
		"{token}", "the token", "{detail}", "…", "\n", "\n- ")
	var b strings.Builder
	for _, e := range dispatch.Reasons() {
		fmt.Fprintf(&b, "\n### `%s`\n\n", e.Reason)
		if e.Answer != "" {
			fmt.Fprintf(&b, "GitHub answers: %s\n\n", e.Answer)
		}
		fmt.Fprintf(&b, "%s.\n\n- %s\n", sentence(names.Replace(e.Cause)), names.Replace(e.Cure))
	}
	return b.String() + "\n"
}

func sentence(text string) string { return strings.ToUpper(text[:1]) + text[1:] }
