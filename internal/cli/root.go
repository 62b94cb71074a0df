package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/report"
)

// globals are the flags that every command takes.
type globals struct {
	sys     System
	target  string
	output  string
	config  string
	dir     string // state directory of local AWS
	builder string // which one is asked for; of the commands that build
	explain bool
	verbose bool
}

const rootLong = `medusa-deploy takes a containerised app from a commit to verified running on Amazon ECS:
build, push to Amazon ECR, force a new deployment, and prove by digest that every task runs it.

The same commands work on AWS and on local AWS, an ECR and ECS on this machine that run real containers.`

const rootExample = `  medusa-deploy local up                    start local AWS
  medusa-deploy ship --target local         build, push, deploy and verify the commit you are on
  medusa-deploy status --target local       what runs
  medusa-deploy rollback --target local     bring the version before back`

func newRoot(sys System) *cobra.Command {
	g := &globals{sys: sys}
	root := &cobra.Command{
		Use:           "medusa-deploy COMMAND",
		Short:         "from git push to verified running on Amazon ECS",
		Long:          rootLong,
		Example:       rootExample,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usage(cmd, unknownCommand(cmd, args[0]))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := report.Choose(g.output, false, g.getenv); err != nil {
				return usage(cmd, err)
			}
			return nil
		},
		SuggestionsMinimumDistance: 2,
	}
	root.SetIn(sys.Stdin)
	root.SetOut(sys.Stdout)
	root.SetErr(sys.Stderr)
	root.SetFlagErrorFunc(usage)
	flags := root.PersistentFlags()
	flags.StringVarP(&g.target, "target", "t", "", "where to deploy (default: $MEDUSA_DEPLOY_TARGET, or the only target of the config)")
	flags.StringVarP(&g.output, "output", "o", "", "text, plain, json or github (default: what fits)")
	flags.StringVarP(&g.config, "config", "c", "", "the config file (default: medusa-deploy.yaml here or in a directory above)")
	flags.StringVar(&g.dir, "local-dir", "", "state directory of local AWS (default: $MEDUSA_DEPLOY_LOCAL_DIR, or below ~/.local/state)")
	flags.BoolVar(&g.explain, "explain", false, "show how to do each step by hand")
	flags.BoolVarP(&g.verbose, "verbose", "v", false, "show more")
	root.AddCommand(
		newShip(g), newBuild(g), newPush(g), newDeploy(g), newRollback(g),
		newInit(g), newStatus(g), newHistory(g), newTrace(g), newLogs(g), withWorkflow(g, newCheck(g)), newIAM(g), newLocal(g), newVersion(g),
	)
	root.AddCommand(newTrigger(g), newKeygen(g), newLogin(g), newLogout(g))
	return root
}

func unknownCommand(cmd *cobra.Command, name string) error {
	message := fmt.Sprintf("unknown command %q", name)
	if near := cmd.SuggestionsFor(name); len(near) > 0 {
		message += fmt.Sprintf("\n  did you mean %q?", near[0])
	}
	return fmt.Errorf("%s", message)
}

// noArgs refuses arguments with the usage exit code.
func noArgs(cmd *cobra.Command, args []string) error {
	if err := cobra.NoArgs(cmd, args); err != nil {
		return usage(cmd, err)
	}
	return nil
}

// maxArgs allows at most n arguments.
func maxArgs(n int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := cobra.MaximumNArgs(n)(cmd, args); err != nil {
			return usage(cmd, err)
		}
		return nil
	}
}
