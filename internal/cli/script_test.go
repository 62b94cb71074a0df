package cli

import (
	"context"
	"log/slog"
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"medusa-deploy": func() { os.Exit(Main(OS(), os.Args[1:])) }})
}

// TestScripts types the commands as a user would, on a local AWS that runs no container (so that no root is needed).
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:  "testdata/script",
		Cmds: scriptCommands(),
		Setup: func(env *testscript.Env) error {
			// Sockets and locks live in it, so it is as short as can be, and each script has its own.
			dir, err := os.MkdirTemp("", "md-cli-")
			if err != nil {
				return err
			}
			env.Defer(func() {
				if err := localaws.Down(context.Background(), dir, slog.New(slog.DiscardHandler)); err != nil {
					t.Errorf("stop the script's local AWS: %v", err)
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Errorf("remove the state directory: %v", err)
				}
			})
			env.Setenv("MEDUSA_DEPLOY_LOCAL_DIR", dir)
			env.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
			env.Setenv("GIT_AUTHOR_NAME", "Ada")
			env.Setenv("GIT_AUTHOR_EMAIL", "ada@example.com")
			env.Setenv("GIT_COMMITTER_NAME", "Ada")
			env.Setenv("GIT_COMMITTER_EMAIL", "ada@example.com")
			return nil
		},
	})
}

// TestEveryCommandHelps: a command says what it does and shows how it is typed.
func TestEveryCommandHelps(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" {
			t.Errorf("%s: it has no summary, or no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(OS()))
}

func TestShellQuote(t *testing.T) {
	for text, want := range map[string]string{"": "''", "a b": "'a b'", "it's": `'it'\''s'`, "$(x)": "'$(x)'"} {
		if got := shellQuote(text); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", text, got, want)
		}
	}
}
