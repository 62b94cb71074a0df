package cli

import (
	"context"
	"fmt"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/spf13/cobra"
)

func newCheck(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "check",
		Short:   "find what would break a deploy, before it does",
		Long:    "check only reads. It reports all findings at once; docs/checks.md explains their codes.",
		Example: "  medusa-deploy check --target production",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return reading(cmd.Context(), g, func(s *session, p *release.Pipeline) error { return s.check(cmd.Context(), p) })
		},
	}
}

func (s *session) check(ctx context.Context, p *release.Pipeline) error {
	findings, err := p.Checker.Check(ctx, release.CheckRequest{Target: s.target, Platforms: s.config.Image.Platforms})
	if err != nil {
		return err
	}
	errorCount := 0
	for _, f := range findings {
		s.face.Emit(release.Found{Finding: f})
		if f.Severity == release.SeverityError {
			errorCount++
		}
	}
	if err := s.face.Close(); err != nil {
		return err
	}
	if errorCount > 0 {
		return exit(release.ExitCheck, fmt.Errorf("check found %d of what would break a deploy", errorCount))
	}
	_, err = fmt.Fprintf(s.sys.Stderr, "nothing would break a deploy to %s\n", s.target.Name)
	return err
}
