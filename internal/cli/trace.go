package cli

import (
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
	"github.com/spf13/cobra"
)

func newTrace(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "trace REF",
		Short: "from any of commit, tag, digest, deployment, task to all the others",
		Long: `trace follows one name to its image, and from there to every other name: commit, tags, digest, platforms, deployments,
revisions, task definitions, running tasks. REF is one of

  a commit            a sha or the beginning of one, or what local git resolves: main, HEAD~1, v1.2
  a tag               latest, or with its repository: medusa:latest
  a digest            sha256:… or twelve digits or more of it, also of one platform's manifest
  a deployment        the id or ARN of a service deployment
  a revision          the id or ARN of a service revision
  a task definition   FAMILY:N or its ARN
  a task              its id, the beginning of it, or its ARN; also one that stopped within about an hour

A name that could be several things names them all and exits 2; one that leads nowhere says what was tried and exits 3.`,
		Example: `  medusa-deploy trace HEAD
  medusa-deploy trace latest
  medusa-deploy trace 1f0c2b7a9d3e4c5f8a6b7c8d9e0f1a2b
  medusa-deploy trace sha256:4f5e6d7c8b9a --output json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return usage(cmd, err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return inspecting(cmd.Context(), g, func(s *session, i *release.Inspector) error {
				trace, err := i.Trace(cmd.Context(), s.target, args[0])
				if err != nil {
					return err
				}
				return show(g, trace, report.Trace)
			})
		},
	}
}
