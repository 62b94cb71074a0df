package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
	"github.com/spf13/cobra"
)

// historyLimit is how many deployments are shown unless another number is asked for.
const historyLimit = 20

func newHistory(g *globals) *cobra.Command {
	var o release.HistoryOptions
	var service string
	cmd := &cobra.Command{
		Use:   "history",
		Short: "what was deployed, newest first",
		Long: `history lists the deployments of every service, newest first: what each brought, by digest and commit, and what became
of it. All of it comes from what ECS and ECR know; nothing else is recorded.

  runs now      the newest that succeeded, with the tasks that run it
  replaced      it succeeded, and another one did after it
  in flight     it is on its way
  rolled back   it failed, and ECS went back to the image that is named
  superseded    a newer deployment overtook it
  stopped       it was stopped and nothing went back
  (back)        it brought an image back that had run before another one did
  image gone    the registry no longer has the image: it cannot be rolled back to`,
		Example: `  medusa-deploy history
  medusa-deploy history --service medusa-worker --limit 5
  medusa-deploy history --target production --output json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Limit < 0 {
				return usage(cmd, fmt.Errorf("--limit %d: it is a number of deployments, or 0 for all", o.Limit))
			}
			return inspecting(cmd.Context(), g, func(s *session, i *release.Inspector) error {
				if service != "" && !slices.Contains(s.target.Services, service) {
					return usage(cmd, fmt.Errorf("--service %s: target %s has %s", service, s.target.Name, strings.Join(s.target.Services, ", ")))
				}
				if service != "" {
					o.Services = []string{service}
				}
				history, err := i.History(cmd.Context(), s.target, o)
				if err != nil {
					return err
				}
				return show(g, history, report.History)
			})
		},
	}
	cmd.Flags().IntVarP(&o.Limit, "limit", "n", historyLimit, "how many, 0 for all that ECS lists")
	cmd.Flags().StringVar(&service, "service", "", "only this service (default: all of the target)")
	return cmd
}
