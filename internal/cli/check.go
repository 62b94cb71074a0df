package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/check"
	"github.com/medusa-deploy/medusa-deploy/internal/check/facts"
	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func newCheck(g *globals) *cobra.Command {
	var noBuild bool
	cmd := &cobra.Command{
		Use:   "check",
		Short: "find what would break a deploy, before it does",
		Long: `check looks at the target, at what runs there, and at what would be built, and reports all findings at once: where,
why, and the cure. It only reads. It exits with 3 when something would break a deploy, with 0 otherwise; docs/checks.md
explains the codes.`,
		Example: `  medusa-deploy check --target production
  medusa-deploy check --no-build
  medusa-deploy check --output json | jq -r 'select(.type=="finding") | .code + " " + .where'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSession(cmd.Context(), g, func(ctx context.Context, s *session) (release.Result, error) {
				p, err := s.pipeline(ctx, noBuilder)
				if err != nil {
					return release.Result{}, err
				}
				req := release.CheckRequest{Target: s.target, Platforms: s.config.Image.Platforms}
				if !noBuild {
					if _, err := s.wish(); err != nil {
						return release.Result{}, err
					}
					s.pushes, s.onlyLooks = true, true // as ship would
					p.Checker = s.withBuild(ctx, &req, s.checker(s.describeBuilder))
				}
				return p.Check(ctx, req), nil
			})
		},
	}
	cmd.Flags().BoolVar(&noBuild, "no-build", false, "leave out what only a build needs: the commit, the Dockerfile, its context, the builder")
	addBuilder(cmd, g)
	return cmd
}

// withBuild adds to a request what a ship from here would build; without a commit, the finding that says so.
func (s *session) withBuild(ctx context.Context, req *release.CheckRequest, c release.Checker) release.Checker {
	image := s.config.Image
	req.ContextDir, req.Dockerfile = image.Context, image.Dockerfile
	commit, err := git.Describe(ctx, s.config.Dir)
	if err != nil {
		return alsoFound{c, check.NoCommit(s.config.Dir, err)}
	}
	req.Commit = commit
	return c
}

// alsoFound is a Checker with one finding of its caller's.
type alsoFound struct {
	release.Checker
	finding release.Finding
}

// Check implements release.Checker.
func (a alsoFound) Check(ctx context.Context, req release.CheckRequest) ([]release.Finding, error) {
	found, err := a.Checker.Check(ctx, req)
	if err != nil {
		return nil, err
	}
	return append(found, a.finding), nil
}

// checker makes the checker of the session's target. builder tells what would build; nil: nobody asks.
func (s *session) checker(builder func(context.Context) (check.Builder, error)) *check.Checker {
	return check.New(check.Ports{
		Registry: s.registry, Orchestrator: s.ecs, Cloud: facts.New(s.aws, s.plain.Registry),
		Dockerfile: func(path string) ([]release.Instruction, error) {
			return build.ReadDockerfile(path, s.config.Image.Args)
		},
		Stage:   s.config.Image.Stage,
		Builder: builder,
		// Other builders than the built-in engine may well download what they need.
		Offline: s.prefersEngine(),
	})
}

// describeBuilder tells what would build, and shows it.
func (s *session) describeBuilder(ctx context.Context) (check.Builder, error) {
	found, err := s.chooseBuilder(ctx, s.face.Emit)
	if err != nil {
		return check.Builder{}, err
	}
	facts, err := found.facts(ctx)
	if err != nil {
		return check.Builder{}, err
	}
	text := "a build would be made with " + found.Name()
	if facts.Version != "" {
		text += ", BuildKit " + facts.Version
	}
	if len(facts.Platforms) > 0 {
		text += "; it runs " + strings.Join(facts.Platforms, ", ")
	}
	s.face.Emit(release.Notice{Level: "info", Text: text})
	return check.Builder{Name: found.Name(), Platforms: facts.Platforms, Several: facts.Several}, nil
}
