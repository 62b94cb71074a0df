package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/spf13/cobra"
)

func newStatus(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "what runs",
		Long:  "status tells what every service of the target runs, by digest and commit, and what does not fit together.",
		Example: `  medusa-deploy status
  medusa-deploy status --target production --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return reading(cmd.Context(), g, func(s *session, p *release.Pipeline) error {
				status, err := p.Status(cmd.Context(), s.target)
				if err != nil {
					return err
				}
				return show(g, status, printStatus)
			})
		},
	}
}

func printStatus(w io.Writer, s release.Status) error {
	p := &printer{w: w}
	p.line("%s on %s: :%s → %s", s.Cluster, s.Target, s.Tag, digestAndCommit(s.Tagged, s.Commit))
	for _, one := range s.Services {
		if one.Missing {
			p.line("%s  does not exist yet: the first `medusa-deploy ship` creates it on local AWS", one.Name)
			continue
		}
		state := "settled"
		if one.InFlight {
			state = "being deployed"
		}
		p.line("%s  %s, %d of %d running, %s", one.Name, one.Status, one.Running, one.Desired, state)
		for digest, n := range one.Digests {
			commit := ""
			if len(one.Digests) == 1 {
				commit = one.Commit
			}
			p.line("  %d × %s", n, digestAndCommit(digest, commit))
		}
		if one.URL != "" {
			p.line("  %s", one.URL)
		}
		for _, d := range one.Drift {
			p.line("  drift: %s", d)
		}
	}
	return p.err
}

func digestAndCommit(d release.Digest, commit string) string {
	switch {
	case d == "":
		return "nothing"
	case commit == "":
		return d.Short()
	}
	return d.Short() + " (commit " + commit[:min(12, len(commit))] + ")"
}

// printer writes lines and keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func newLogs(g *globals) *cobra.Command {
	var since time.Duration
	var follow bool
	var service string
	cmd := &cobra.Command{
		Use:   "logs",
		Short: "what the containers wrote",
		Long:  "logs prints the log lines of a service's containers from CloudWatch Logs, oldest first.",
		Example: `  medusa-deploy logs --since 10m
  medusa-deploy logs --service medusa-worker --follow`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if since <= 0 {
				return exit(release.ExitUsage, fmt.Errorf("--since %s: must be more than 0", since))
			}
			return runLogs(cmd.Context(), g, service, since, follow)
		},
	}
	cmd.Flags().DurationVar(&since, "since", time.Hour, "how far back")
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().StringVar(&service, "service", "", "only this service (default: all of the target)")
	return cmd
}

func runLogs(ctx context.Context, g *globals, service string, since time.Duration, follow bool) error {
	s, err := openSession(ctx, g)
	if err != nil {
		return err
	}
	services := s.target.Services
	if service != "" {
		services = []string{service}
	}
	if err := s.followLogs(ctx, services, time.Now().Add(-since), follow); err != nil {
		return err
	}
	return s.face.Close()
}

// followLogs sends the log lines of several services to the face; with follow, all of them at once.
func (s *session) followLogs(ctx context.Context, services []string, since time.Time, follow bool) error {
	failures := make(chan error, len(services))
	for _, name := range services {
		one := func() {
			err := s.ecs.Logs(ctx, s.target.Cluster, name, since, follow, s.face.Emit)
			if follow && ctx.Err() != nil {
				err = nil // an interrupt is how following ends
			}
			failures <- err
		}
		if follow {
			go one()
		} else {
			one()
		}
	}
	var first error
	for range services {
		if err := <-failures; err != nil && first == nil {
			first = err
		}
	}
	return first
}
