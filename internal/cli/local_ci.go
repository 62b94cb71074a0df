package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/containerd"
	"github.com/medusa-deploy/medusa-deploy/internal/localci"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/spf13/cobra"
)

// localCIVariable is set for the steps of a workflow that local CI runs. Every target is on local AWS then: there is no
// other AWS that such a workflow could mean.
const localCIVariable = "MEDUSA_DEPLOY_LOCAL_CI"

// shownRuns is how many runs `local status` tells.
const shownRuns = 5

// createCI makes the local CI of a state directory, and the remote of the work tree that the command is called in.
func createCI(ctx context.Context, f *localFlags, dir string) (remote string, added bool, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", false, fmt.Errorf("find this program: %w", err)
	}
	act, err := findAct(f.engineDir, self)
	if err != nil {
		return "", false, err
	}
	ci := localci.In(dir)
	if err := ci.Create(ctx, localci.Setup{Program: self, Act: act, WorkTree: "."}); err != nil {
		return "", false, err
	}
	return ci.AddRemote(ctx, ".")
}

// findAct looks for act where the engine's programs are.
func findAct(named, self string) (string, error) {
	if named == "" {
		named = os.Getenv(containerd.BinariesVariable)
	}
	places := []string{named}
	if named == "" {
		if real, err := filepath.EvalSymlinks(self); err == nil {
			self = real
		}
		here := filepath.Dir(self)
		places = []string{filepath.Join(here, "engine"), filepath.Join(filepath.Dir(here), "libexec", "medusa-deploy")}
	}
	for _, place := range places {
		path, err := filepath.Abs(filepath.Join(place, "act"))
		if err != nil {
			return "", fmt.Errorf("find act: %w", err)
		}
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path, nil
		}
	}
	return "", fmt.Errorf("local CI runs workflows with act, which is not in %s; build it with `make engine`, or name its directory in %s",
		strings.Join(places, " or "), containerd.BinariesVariable)
}

// tellCI says what local CI is there for.
func tellCI(g *globals, dir, remote string, added bool) error {
	repository := localci.In(dir).Repository()
	p := &printer{w: g.sys.Stdout}
	p.line("local CI runs the workflows of what is pushed to %s", repository)
	switch {
	case remote == "":
		p.line("  this is no git work tree: git remote add %s %s", localci.RemoteName, shellQuote(repository))
	case added:
		p.line("  the remote %s was added: git push %s HEAD", localci.RemoteName, localci.RemoteName)
	case remote == repository:
		p.line("  next: git push %s HEAD", localci.RemoteName)
	default:
		p.line("  the remote %s is taken (%s): git push %s HEAD", localci.RemoteName, remote, shellQuote(repository))
	}
	return p.err
}

// surroundings are what a workflow sees of local AWS: the endpoint in every step, the keys as the secrets that a generated
// workflow asks for.
func surroundings(info localaws.Info) localci.Surroundings {
	return localci.Surroundings{
		Variables: map[string]string{
			localCIVariable: "true", localaws.DirVariable: info.Dir, "AWS_ENDPOINT_URL": info.Endpoint,
			"AWS_EC2_METADATA_DISABLED": "true", // a runner is no EC2 instance: looking for one takes seconds
		},
		Secrets: map[string]string{"AWS_ACCESS_KEY_ID": info.AccessKeyID, "AWS_SECRET_ACCESS_KEY": info.SecretAccessKey, "ECR_URL": info.Host},
		Vars:    map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::000000000000:role/local-ci"},
	}
}

func newLocalHook(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "hook " + localci.HookName,
		Short:   "run the workflows of a push to local CI; git calls it",
		Example: "  git push local main",
		Hidden:  true,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] != localci.HookName {
				return usage(cmd, fmt.Errorf("there is no hook %q", args[0]))
			}
			repository, err := os.Getwd() // where git starts its hooks
			if err != nil {
				return fmt.Errorf("find the repository that was pushed to: %w", err)
			}
			g.dir = filepath.Dir(filepath.Dir(repository))
			return runHook(cmd.Context(), g)
		},
	}
}

// runHook runs what a push starts. Whoever pushed may go away, or hang up: that ends the run.
func runHook(ctx context.Context, g *globals) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	defer ignoreBrokenPipes()()
	info, err := g.runningLocal(ctx)
	if err != nil {
		return fmt.Errorf("the push was taken, but no workflow runs: %w", err)
	}
	ok, err := localci.In(g.dir).Push(ctx, surroundings(info), g.sys.Stdin, g.sys.Stderr)
	if err != nil {
		return err
	}
	if !ok {
		return exit(release.ExitInternal, nil) // git pushes all the same: what happened was told
	}
	return nil
}

// ignoreBrokenPipes turns the signal that a vanished reader means into an error of writing. Notify, unlike Ignore, is not
// handed down to the programs that are started.
func ignoreBrokenPipes() (restore func()) {
	pipes := make(chan os.Signal, 1)
	signal.Notify(pipes, syscall.SIGPIPE)
	return func() { signal.Stop(pipes) }
}

// dispatchLocally runs a workflow by hand on local CI, and ends with its outcome.
func dispatchLocally(ctx context.Context, g *globals, workflow, ref string, inputs map[string]string) error {
	dir, err := g.localDir()
	if err != nil {
		return err
	}
	ci := localci.In(dir)
	if err := ci.Problem(); err != nil {
		return exit(release.ExitCheck, err)
	}
	info, err := g.runningLocal(ctx)
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGHUP)
	defer stop()
	defer ignoreBrokenPipes()()
	request := localci.Request{Workflow: workflow, Ref: ref, Inputs: inputs}
	record, err := ci.Dispatch(ctx, surroundings(info), request, g.sys.Stderr)
	if err != nil {
		return exit(release.ExitCheck, err)
	}
	if g.output == "json" {
		if err := json.NewEncoder(g.sys.Stdout).Encode(record); err != nil {
			return fmt.Errorf("write the output: %w", err)
		}
	}
	switch record.Outcome {
	case localci.Success:
		return nil
	case localci.Cancelled:
		return exit(release.ExitInterrupted, nil)
	}
	return exit(release.ExitInternal, nil)
}

// ciStatus is local CI as `local status` tells it.
type ciStatus struct {
	Repository string           `json:"repository"`
	Problem    string           `json:"problem,omitempty"`
	Runs       []localci.Record `json:"runs"`
}

// statusOfCI gives nil when there is no local CI.
func statusOfCI(dir string) (*ciStatus, error) {
	ci := localci.In(dir)
	if !ci.Exists() {
		return nil, nil
	}
	s := &ciStatus{Repository: ci.Repository()}
	if err := ci.Problem(); err != nil {
		s.Problem = err.Error()
	}
	var err error
	s.Runs, err = ci.Runs(shownRuns)
	return s, err
}

func (p *printer) ci(s *ciStatus) {
	if s == nil {
		return
	}
	p.line("local CI: git push to %s", s.Repository)
	if s.Problem != "" {
		p.line("  %s", s.Problem)
	}
	for _, run := range s.Runs {
		outcome := string(run.Outcome)
		if outcome == "" {
			outcome = "in progress"
		}
		p.line("  run %d  %s  %s at %s  %s", run.Number, outcome, run.Workflow, run.SHA[:min(12, len(run.SHA))], run.Title)
		if run.Reason != "" {
			p.line("    %s\n    its log: %s", run.Reason, run.Log)
		}
	}
}

func newLocalStandin(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "standin ACTION",
		Short:   "do what an action would in a workflow that local CI runs; act calls it",
		Example: "  git push local main",
		Hidden:  true,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			do, known := map[string]func(context.Context, *globals) error{
				"checkout": standinCheckout, "credentials": standinCredentials, "buildx": standinBuildx, "qemu": standinQEMU, "action": standinAction,
			}[args[0]]
			if !known {
				return usage(cmd, fmt.Errorf("there is no stand-in for %q", args[0]))
			}
			return do(cmd.Context(), g)
		},
	}
}

func standinCheckout(ctx context.Context, g *globals) error {
	dir, err := g.localDir()
	if err != nil {
		return err
	}
	wanted, err := localci.CheckoutInputs(g.getenv)
	if err != nil {
		return err
	}
	sha, err := localci.In(dir).Checkout(ctx, wanted)
	if err != nil {
		return err
	}
	fmt.Fprintf(g.sys.Stdout, "checked out %s\n", sha)
	return g.appendLines("GITHUB_OUTPUT", "commit="+sha, "ref="+wanted.Ref)
}

// appendLines writes NAME=VALUE lines to one of the files that a step reports in.
func (g *globals) appendLines(variable string, lines ...string) error {
	file := g.appendTo(variable)
	if file == nil {
		return fmt.Errorf("%s is not set: this runs as a step of a workflow", variable)
	}
	for _, line := range lines {
		if strings.ContainsAny(line, "\r\n") {
			name, _, _ := strings.Cut(line, "=")
			return fmt.Errorf("%s holds more than one line", name)
		}
		if _, err := fmt.Fprintln(file, line); err != nil {
			return fmt.Errorf("write to %s: %w", variable, err)
		}
	}
	return nil
}

// standinCredentials leaves behind what aws-actions/configure-aws-credentials does: the region, and keys that work. Any role
// can be assumed, because local AWS has no IAM.
func standinCredentials(ctx context.Context, g *globals) error {
	region := g.getenv("STANDIN_AWS_REGION")
	if region == "" {
		return errors.New("input required and not supplied: aws-region")
	}
	key, secret := g.getenv("STANDIN_AWS_ACCESS_KEY_ID"), g.getenv("STANDIN_AWS_SECRET_ACCESS_KEY")
	who := "the key of the workflow"
	if role := g.getenv("STANDIN_ROLE_TO_ASSUME"); role != "" {
		info, err := g.runningLocal(ctx)
		if err != nil {
			return err
		}
		key, secret, who = info.AccessKeyID, info.SecretAccessKey, "the role "+role
	}
	if key == "" || secret == "" {
		return errors.New("credentials could not be loaded: neither role-to-assume nor aws-access-key-id and aws-secret-access-key are set")
	}
	fmt.Fprintf(g.sys.Stdout, "::add-mask::%s\n::add-mask::%s\n%s is the user of local AWS in %s\n", key, secret, who, region)
	err := g.appendLines("GITHUB_ENV", "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region, "AWS_ACCESS_KEY_ID="+key, "AWS_SECRET_ACCESS_KEY="+secret)
	if err != nil {
		return err
	}
	return g.appendLines("GITHUB_OUTPUT", "aws-account-id=000000000000")
}

func standinBuildx(_ context.Context, g *globals) error {
	fmt.Fprintln(g.sys.Stdout, "the BuildKit of local AWS builds: it runs already")
	return g.appendLines("GITHUB_OUTPUT", "name="+g.getenv("STANDIN_NAME"))
}

func standinQEMU(_ context.Context, g *globals) error {
	_, err := fmt.Fprintln(g.sys.Stdout, "::warning::local CI installs no emulation: a build for another kind of machine fails where it runs a program of that kind")
	return err
}

// actionCommand is what a command of this program looks like. The action takes nothing else: no flag, and no path.
var actionCommand = regexp.MustCompile(`^[a-z][a-z-]*$`)

// standinAction runs the command that this program's own action would: see action/run.sh.
func standinAction(ctx context.Context, g *globals) error {
	command, wanted, ref := g.getenv("STANDIN_COMMAND"), g.getenv("STANDIN_RELEASE"), g.getenv("STANDIN_REF")
	switch {
	case !actionCommand.MatchString(command):
		return exit(release.ExitUsage, fmt.Errorf("input command: %q is not a command of medusa-deploy, such as ship or rollback", command))
	case wanted != "" && command != "rollback":
		return exit(release.ExitUsage, fmt.Errorf("input release goes with the command rollback, not with %s", command))
	case ref != "" && command != "deploy":
		return exit(release.ExitUsage, fmt.Errorf("input ref goes with the command deploy, not with %s: check the commit out before this step", command))
	}
	args := []string{command}
	for flag, value := range map[string]string{"target": g.getenv("STANDIN_TARGET"), "config": g.getenv("STANDIN_CONFIG"), "to": wanted} {
		if value != "" {
			args = append(args, "--"+flag+"="+value)
		}
	}
	if command == "rollback" {
		args = append(args, "--yes")
	}
	args = append(args, strings.Fields(g.getenv("STANDIN_ARGS"))...)
	if ref != "" {
		args = append(args, "--", ref)
	}
	root := newRoot(g.sys)
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// rehearsed says whether a target that is meant for AWS is on local AWS this time.
func (s *session) rehearsed() bool {
	return s.plain.Local && s.plain.Name != config.LocalTarget
}

// rehearse puts the target on local AWS when local CI runs the workflow. Its services, cluster and region are the ones that
// the config names; the keys are the workflow's own, so that one that hands none over fails here as well.
func (s *session) rehearse() {
	if s.plain.Local || s.getenv(localCIVariable) != "true" {
		return
	}
	s.plain.Local = true
	if s.plain.Settle == config.DefaultSettle {
		s.plain.Settle = 0 // what it costs nothing on AWS, it costs here
	}
}
