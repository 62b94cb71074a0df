package cli

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func newDeploy(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "deploy [COMMIT|TAG|DIGEST]",
		Short: "deploy and verify an image that the registry has",
		Long:  "deploy moves :latest to an image that is in the registry already, starts the rollouts and verifies them.\nWithout an argument it takes the commit you are on.",
		Example: `  medusa-deploy deploy
  medusa-deploy deploy v1.4.0
  medusa-deploy deploy sha256:4f5e…`,
		Args: maxArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSession(cmd.Context(), g, func(ctx context.Context, s *session) (release.Result, error) {
				ref := "HEAD"
				if len(args) == 1 {
					ref = args[0]
				}
				p, err := s.pipeline(ctx, noBuilder)
				if err != nil {
					return release.Result{}, err
				}
				return p.Deploy(ctx, release.DeployRequest{Target: s.target, Ref: s.resolveRef(ctx, ref)}), nil
			})
		},
	}
}

func newRollback(g *globals) *cobra.Command {
	var to string
	var yes bool
	cmd := &cobra.Command{
		Use:   "rollback",
		Short: "bring the version before back",
		Long: `rollback brings back the newest earlier image whose deployment succeeded, or the one that --to names. Nothing is
rebuilt: a tag moves and ECS starts a new deployment, which is then verified as any other.`,
		Example: `  medusa-deploy rollback
  medusa-deploy rollback --to 4f5e6d7 --yes`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSession(cmd.Context(), g, func(ctx context.Context, s *session) (release.Result, error) {
				if err := s.confirm(yes, "roll "+strings.Join(s.target.Services, ", ")+" on "+s.target.Name+" back to "+orPrevious(to)+"?"); err != nil {
					return release.Result{}, err
				}
				p, err := s.pipeline(ctx, noBuilder)
				if err != nil {
					return release.Result{}, err
				}
				return p.Rollback(ctx, release.RollbackRequest{Target: s.target, To: s.resolveRef(ctx, to)}), nil
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the commit, tag or digest to go back to (default: the newest earlier successful one)")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func orPrevious(to string) string {
	if to == "" {
		return "the version before"
	}
	return to
}

// resolveRef turns what git knows (a branch, a short sha, HEAD~1) into a full sha; anything else stays as it is and is
// looked for in the registry.
func (s *session) resolveRef(ctx context.Context, ref string) string {
	if ref == "" || ref == "previous" || release.Digest(ref).Valid() {
		return ref
	}
	if sha, err := git.Resolve(ctx, s.config.Dir, ref); err == nil {
		return sha
	}
	return ref
}

// confirm asks on a terminal. Elsewhere the command was typed into a script, which is an answer.
func (s *session) confirm(yes bool, question string) error {
	stdin, ok := s.sys.Stdin.(interface{ Fd() uintptr })
	if yes || !ok || !term.IsTerminal(int(stdin.Fd())) || !term.IsTerminal(int(s.sys.Stderr.Fd())) {
		return nil
	}
	fmt.Fprintf(s.sys.Stderr, "%s [y/N] ", question)
	answer, err := bufio.NewReader(s.sys.Stdin).ReadString('\n')
	if err == nil && strings.HasPrefix(strings.ToLower(strings.TrimSpace(answer)), "y") {
		return nil
	}
	return exit(release.ExitInterrupted, fmt.Errorf("nothing was touched"))
}
