package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/childenv"
	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/provenance"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/spf13/cobra"
)

func newShip(g *globals) *cobra.Command {
	var rebuild, dryRun, apply bool
	var signature *requiredSignature
	cmd := &cobra.Command{
		Use:   "ship",
		Short: "build, push, deploy and verify the commit you are on",
		Long: `ship takes the commit you are on to verified running: check, build, authenticate, push, deploy, verify.

It ends green only when ECS calls our own deployment successful and every running task has our image's digest. When
the rollout fails, what ran before still runs, :latest is back on it, and one block says why and what to type next.
Running it again is always safe: what is done already is not done twice.`,
		Example: `  medusa-deploy ship
  medusa-deploy ship --target production --dry-run
  medusa-deploy ship --output json | jq -r 'select(.type=="result").digest'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withSession(cmd.Context(), g, func(ctx context.Context, s *session) (release.Result, error) {
				if err := s.apply(apply); err != nil {
					return release.Result{}, err
				}
				req, err := s.shipRequest(ctx, rebuild, dryRun)
				if err != nil {
					return release.Result{}, err
				}
				s.pushes = true
				p, err := s.pipeline(ctx, needsBuilder)
				if err != nil {
					return release.Result{}, err
				}
				if p.Trust.Verifier, err = s.verifier(signature); err != nil {
					return release.Result{}, err
				}
				return p.Ship(ctx, req), nil
			})
		},
	}
	cmd.Flags().BoolVar(&rebuild, "rebuild", false, "build although the registry has the commit's image")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would change, and change nothing")
	addBuilder(cmd, g)
	addApply(cmd, &apply)
	signature = addRequireSignature(cmd)
	return cmd
}

func newBuild(g *globals) *cobra.Command {
	var to release.Destinations
	cmd := &cobra.Command{
		Use:   "build",
		Short: "build the image of the commit you are on",
		Long: `build makes the commit's image and keeps it with the builder.

--load leaves it in the local engine as well, under the name that it has in the registry (REPOSITORY:git-<sha>) and as
APP:latest, and makes sure that the engine has it. --push sends it to the registry as git-<sha>. Both may be given.`,
		Example: `  medusa-deploy build
  medusa-deploy build --load && docker run --rm medusa
  medusa-deploy build --push --builder buildx:ci`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBuild(cmd.Context(), g, to) },
	}
	cmd.Flags().BoolVar(&to.Load, "load", false, "leave it in the local engine as well")
	cmd.Flags().BoolVar(&to.Push, "push", false, "push it to the registry as well")
	addBuilder(cmd, g)
	return cmd
}

func newPush(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "push",
		Short:   "push the image of the commit you are on, building it where needed",
		Long:    "push sends the commit's image to the registry as git-<sha>. Only missing layers move; it touches no service.",
		Example: "  medusa-deploy push --target production",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runBuild(cmd.Context(), g, release.Destinations{Push: true})
		},
	}
	addBuilder(cmd, g)
	return cmd
}

func runBuild(ctx context.Context, g *globals, to release.Destinations) error {
	return withSession(ctx, g, func(ctx context.Context, s *session) (release.Result, error) {
		req, err := s.shipRequest(ctx, false, false)
		if err != nil {
			return release.Result{}, err
		}
		s.pushes = to.Push
		p, err := s.pipeline(ctx, needsBuilder)
		if err != nil {
			return release.Result{}, err
		}
		return p.Build(ctx, req, to), nil
	})
}

// shipRequest gathers what a ship or a build is about: the commit and the build.
func (s *session) shipRequest(ctx context.Context, rebuild, dryRun bool) (release.ShipRequest, error) {
	go func() { _, _ = s.root() }() // the attester asks for it soon
	commit, err := git.Describe(ctx, s.config.Dir)
	if err != nil {
		return release.ShipRequest{}, exit(release.ExitUsage, err)
	}
	image := s.config.Image
	req := release.ShipRequest{
		Target: s.target, Commit: commit, Rebuild: rebuild, DryRun: dryRun,
		Build: s.buildRequest(),
	}
	if image.Prepare != nil {
		req.Prepare = func(ctx context.Context, emit release.Emit) error {
			return prepare(ctx, image.Context, image.Prepare, image.Sign, emit)
		}
	}
	return req, nil
}

// withoutKey takes the variable that holds the signing key out of an environment.
func withoutKey(environment []string, sign *config.Sign) []string {
	if sign == nil {
		return environment
	}
	name, inVariable := strings.CutPrefix(sign.Key, provenance.InVariable)
	return slices.DeleteFunc(environment, func(pair string) bool { return inVariable && strings.HasPrefix(pair, name+"=") })
}

// prepare runs the config's image.prepare command in the build context.
func prepare(ctx context.Context, dir string, p *config.Prepare, sign *config.Sign, emit release.Emit) error {
	step := release.BuildStep{ID: "prepare", Name: "prepare: " + strings.Join(p.Command, " "), State: "started"}
	emit(step)
	command := exec.CommandContext(ctx, p.Command[0], p.Command[1:]...)
	command.Dir = dir
	command.Env = withoutKey(childenv.ForBuild(os.Environ()), sign)
	for name, value := range p.Env {
		command.Env = append(command.Env, name+"="+value)
	}
	begin := time.Now()
	output, err := command.CombinedOutput()
	step.Seconds = time.Since(begin).Seconds()
	lines := strings.Split(strings.TrimRight(string(output), "\n"), "\n")
	for _, line := range lines {
		if line != "" {
			emit(release.BuildLog{ID: step.ID, Line: line})
		}
	}
	if err != nil {
		step.State, step.Error = "failed", err.Error()
		emit(step)
		return &release.BuildError{Step: step.Name, Log: lines, Err: fmt.Errorf("image.prepare in %s: %w", dir, err)}
	}
	step.State = "done"
	emit(step)
	return nil
}
