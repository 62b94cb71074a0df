package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestDocumentedCommands: each command line of these documents can be typed, and each flag of the commands that they are
// about is explained.
func TestDocumentedCommands(t *testing.T) {
	for _, doc := range []struct {
		file     string
		lines    int // at least
		commands []string
	}{
		{"github-actions.md", 8, []string{"init"}},
		{"build.md", 8, []string{"build", "push", "login", "logout"}},
		{"medusa.md", 6, nil},
	} {
		t.Run(doc.file, func(t *testing.T) {
			raw, err := os.ReadFile(filepath.Join("..", "..", "docs", doc.file))
			if err != nil {
				t.Fatal(err)
			}
			if count := typed(t, string(raw)); count < doc.lines {
				t.Errorf("%d command lines were found: the test looks at nothing", count)
			}
			for _, name := range doc.commands {
				commandOf(t, name).LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
					if f.Name != "help" && !strings.Contains(string(raw), "--"+f.Name) {
						t.Errorf("%s --%s is not in docs/%s", name, f.Name, doc.file)
					}
				})
			}
		})
	}
}

// typed has each command line of a document be understood, and counts them.
func typed(t *testing.T, text string) (count int) {
	t.Helper()
	for line := range strings.Lines(text) {
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
	return count
}

func commandOf(t *testing.T, name string) *cobra.Command {
	t.Helper()
	command, _, err := newRoot(OS()).Find([]string{name})
	if err != nil {
		t.Fatal(err)
	}
	return command
}
