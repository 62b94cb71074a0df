package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestDocumentedCommands: each command line of docs/github-actions.md can be typed, and each flag of init is explained.
func TestDocumentedCommands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "github-actions.md"))
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for line := range strings.Lines(string(text)) {
		typed, ok := strings.CutPrefix(strings.TrimSpace(line), "medusa-deploy ")
		if !ok || !strings.HasPrefix(line, "    ") {
			continue
		}
		count++
		command, rest, err := newRoot(OS()).Find(strings.Fields(typed))
		if err == nil {
			err = command.ParseFlags(rest)
		}
		if err == nil {
			err = command.ValidateArgs(command.Flags().Args())
		}
		if err != nil {
			t.Errorf("medusa-deploy %s: %v", typed, err)
		}
	}
	if count < 8 {
		t.Errorf("%d command lines were found: the test looks at nothing", count)
	}
	commandOf(t, "init").LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !strings.Contains(string(text), "--"+f.Name) {
			t.Errorf("init --%s is not in docs/github-actions.md", f.Name)
		}
	})
}

func commandOf(t *testing.T, name string) *cobra.Command {
	t.Helper()
	command, _, err := newRoot(OS()).Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return command
}
