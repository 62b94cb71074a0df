package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/spf13/cobra"
)

func newHistory(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "history",
		Short: "what was deployed, newest first",
		Long:  "history lists every service's deployments with their digests and commits, from what ECS and ECR know.",
		Example: `  medusa-deploy history
  medusa-deploy history --target production --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return reading(cmd.Context(), g, func(s *session, p *release.Pipeline) error {
				history, err := p.History(cmd.Context(), s.target)
				if err != nil {
					return err
				}
				return show(g, history, printHistory)
			})
		},
	}
}

func newTrace(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "trace REF",
		Short: "from any of commit, tag, digest, deployment, task to all the others",
		Long:  "trace follows one name to its image, and from there to every other name: commit, tags, digest, deployments,\nrunning tasks. It says so when a name leads nowhere.",
		Example: `  medusa-deploy trace HEAD
  medusa-deploy trace latest
  medusa-deploy trace 1f0c2b7a9d3e4c5f8a6b7c8d9e0f1a2b`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return usage(cmd, err)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return reading(cmd.Context(), g, func(s *session, p *release.Pipeline) error {
				trace, err := p.Trace(cmd.Context(), s.target, s.resolveRef(cmd.Context(), args[0]))
				if err != nil {
					return err
				}
				return show(g, trace, printTrace)
			})
		},
	}
}

func printHistory(w io.Writer, history []release.HistoryEntry) error {
	p := &printer{w: w}
	if len(history) == 0 {
		p.line("nothing was deployed yet")
	}
	for _, e := range history {
		p.line("%s  %s  %-20s  %s%s", e.Started.Local().Format(time.DateTime), e.Service, strings.ToLower(e.Status), imageOf(e), runsNow(e))
	}
	return p.err
}

func imageOf(e release.HistoryEntry) string {
	name := digestAndCommit(e.Digest, e.Commit)
	if e.Gone {
		name += ", no longer in the registry"
	}
	return name
}

func runsNow(e release.HistoryEntry) string {
	if e.Running == 0 || e.Status != "SUCCESSFUL" {
		return ""
	}
	return fmt.Sprintf("  ← %d running", e.Running)
}

func printTrace(w io.Writer, t release.Trace) error {
	p := &printer{w: w}
	commit := t.Commit
	if commit == "" {
		commit = "unknown (the image has no label)"
	}
	p.line("commit      %s", commit)
	p.line("image       %s", t.Image.Ref())
	switch {
	case t.Gone:
		p.line("tags        none: the registry no longer has the image")
	default:
		p.line("tags        %s", strings.Join(t.Image.Tags, ", "))
	}
	for _, e := range t.Deployments {
		p.line("deployment  %s  %s  %s", e.Started.Local().Format(time.DateTime), strings.ToLower(e.Status), e.Deployment)
	}
	for _, task := range t.Tasks {
		p.line("task        %s of %s", task.ID, task.Service)
	}
	if len(t.Tasks) == 0 {
		p.line("task        none runs it")
	}
	return p.err
}
