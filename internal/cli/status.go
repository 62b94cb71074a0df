package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
	"github.com/spf13/cobra"
)

// statusFlags are how status was asked for.
type statusFlags struct {
	watch    bool
	every    time.Duration // 0: what suits the target
	exitCode bool
}

func newStatus(g *globals) *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status",
		Short: "what runs, and what does not fit together",
		Long: `status tells what every service of the target runs, by digest and commit, how far a rollout in flight is, what does not
fit together (drift), and what shipping the commit that is checked out would change. It only reads.

Drift is: :latest does not name what runs; tasks of a service, or services of the target, run different images; a task
runs another image than its deployment resolved; the image that runs is gone from ECR; not as many tasks run as are
wanted; the task definition was changed by hand; the newest rollout failed and nothing went back. Docs: docs/trace.md.`,
		Example: `  medusa-deploy status
  medusa-deploy status --watch
  medusa-deploy status --target production --exit-code
  medusa-deploy status --output json | jq '.services[].drift'`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			const least = 100 * time.Millisecond
			if cmd.Flags().Changed("interval") && (f.every < least || !f.watch) {
				return usage(cmd, fmt.Errorf("--interval %s: it goes with --watch and is %s or more", f.every, least))
			}
			return inspecting(cmd.Context(), g, func(s *session, i *release.Inspector) error { return runStatus(cmd.Context(), s, i, f) })
		},
	}
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "look again and again and show what changes, until interrupted")
	cmd.Flags().DurationVar(&f.every, "interval", 0, "with --watch, the time between two looks (default: what AWS's rates leave room for)")
	cmd.Flags().BoolVar(&f.exitCode, "exit-code", false, "exit 3 when there is drift, or a service does not exist")
	return cmd
}

func runStatus(ctx context.Context, s *session, i *release.Inspector, f statusFlags) error {
	look := func(ctx context.Context) (release.Status, error) { return i.Status(ctx, s.target) }
	var last release.Status
	var err error
	if f.watch {
		last, err = s.watchStatus(ctx, look, f)
	} else if last, err = look(ctx); err == nil {
		if last.Next, err = i.NextChanges(ctx, s.target, last); err == nil {
			err = show(s.globals, last, report.Status)
		}
	}
	if err == nil && f.exitCode && last.Drifted() {
		return exit(release.ExitCheck, nil) // what drifted was shown
	}
	return err
}

// watchStatus shows the status until it is interrupted, which is how watching ends well.
func (s *session) watchStatus(ctx context.Context, look func(context.Context) (release.Status, error), f statusFlags) (release.Status, error) {
	every := f.every
	if every == 0 {
		every = watchEvery(s.plain.Local, len(s.target.Services))
	}
	w := report.NewWatch(s.resultKind(), report.WatchOptions{
		Page: s.page(), Err: s.sys.Stderr, Every: every, Screen: func() (int, int) { return terminalSize(s.sys.Stdout) },
	})
	return watch(ctx, look, w, every)
}

// watch looks, shows and waits until ctx ends. A first look that fails ends it: what is wrong then will stay wrong. Later
// ones may fail and work again.
func watch(ctx context.Context, look func(context.Context) (release.Status, error), w report.Watch, every time.Duration) (release.Status, error) {
	var last release.Status
	for first := true; ; first = false {
		now, err := look(ctx)
		var writing error
		switch {
		case ctx.Err() != nil:
			return last, nil
		case err != nil && first:
			return last, err
		case err != nil:
			writing = w.Trouble(err)
		default:
			last = now
			writing = w.Show(now)
		}
		if writing != nil {
			return last, fmt.Errorf("write the output: %w", writing)
		}
		select {
		case <-ctx.Done():
			return last, nil
		case <-time.After(every):
		}
	}
}

// watchEvery is the time between two looks. On AWS a look takes three task reads of each service and about as many of
// the others, of which a whole account has twenty a second: at this pace a quarter of them are used.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/request-throttling.html
func watchEvery(local bool, services int) time.Duration {
	const onThisMachine, least, perService = 250 * time.Millisecond, 2 * time.Second, 600 * time.Millisecond
	if local {
		return onThisMachine
	}
	return max(least, time.Duration(services)*perService)
}
