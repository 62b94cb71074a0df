package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/spf13/cobra"
)

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
