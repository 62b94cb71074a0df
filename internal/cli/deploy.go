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
	var apply, dryRun bool
	var signature *requiredSignature
	cmd := &cobra.Command{
		Use:   "deploy [COMMIT|TAG|DIGEST]",
		Short: "deploy and verify an image that the registry has",
		Long:  "deploy moves :latest to an image that is in the registry already, starts the rollouts and verifies them.\nWithout an argument it takes the commit you are on.",
		Example: `  medusa-deploy deploy
  medusa-deploy deploy v1.4.0
  medusa-deploy deploy sha256:4f5e…
  medusa-deploy deploy --require-signature`,
		Args: maxArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withSession(cmd.Context(), g, func(ctx context.Context, s *session) (release.Result, error) {
				if err := s.apply(apply); err != nil {
					return release.Result{}, err
				}
				ref := "HEAD"
				if len(args) == 1 {
					ref = args[0]
				}
				p, err := s.pipeline(ctx, noBuilder)
				if err != nil {
					return release.Result{}, err
				}
				if p.Trust.Verifier, err = s.verifier(signature); err != nil {
					return release.Result{}, err
				}
				return p.Deploy(ctx, release.DeployRequest{Target: s.target, Ref: s.resolveRef(ctx, ref), DryRun: dryRun}), nil
			})
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would change, and change nothing")
	addApply(cmd, &apply)
	signature = addRequireSignature(cmd)
	return cmd
}

func addApply(cmd *cobra.Command, apply *bool) {
	cmd.Flags().BoolVar(apply, "apply", false, "bring the services' task definitions and settings in step with the files in ecs/, showing the differences first")
}

// apply has the release bring services in step with their definition files; every service needs them then.
func (s *session) apply(yes bool) error {
	if !yes {
		return nil
	}
	for _, name := range s.target.Services {
		if s.target.Definitions[name].Service == nil {
			files := s.plain.Definitions[name]
			return exit(release.ExitUsage, fmt.Errorf("--apply: service %s has no definition: %s and %s do not both exist\n  write them, or name them under targets.%s.definitions", name, files.TaskDefinition, files.Service, s.target.Name))
		}
	}
	s.target.Apply = true
	return nil
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
				p, err := s.pipeline(ctx, noBuilder)
				if err != nil {
					return release.Result{}, err
				}
				return p.Rollback(ctx, release.RollbackRequest{
					Target: s.target, To: s.resolveRef(ctx, to),
					Confirm: func(image release.Image) error {
						return s.confirm(yes, "roll "+strings.Join(s.target.Services, ", ")+" on "+s.target.Name+" back to "+describeImage(image)+"?")
					},
				}), nil
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "the commit, tag or digest to go back to (default: the newest earlier successful one)")
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// describeImage names an image for a person: its digest, and the commit that it was made from.
func describeImage(image release.Image) string {
	text := image.Digest.Short()
	if sha := image.Labels[release.LabelRevision]; sha != "" {
		text += " (commit " + sha[:min(12, len(sha))] + ")"
	}
	return text
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
