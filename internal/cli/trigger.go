package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
	"github.com/spf13/cobra"
)

// triggerFlags are what `trigger` is asked for.
type triggerFlags struct {
	workflow, ref, repo     string
	action, release, follow string
	inputs                  []string
	noFollow                bool
}

func newTrigger(g *globals) *cobra.Command {
	var f triggerFlags
	cmd := &cobra.Command{
		Use:   "trigger",
		Short: "start the deploy workflow on GitHub and follow it to its end",
		Long: `trigger dispatches a workflow (workflow_dispatch), follows its run, shows each job and step as it happens, the log of
what fails, and ends with the run's outcome as its exit code.

Before it dispatches it looks whether GitHub would refuse: the token, the repository, the workflow, its trigger and its
inputs at that very ref. Each refusal says what to change, and where. It uses GH_TOKEN, GITHUB_TOKEN or gh's login, and on
GitHub Enterprise (GH_HOST) GH_ENTERPRISE_TOKEN. No AWS credentials and no config file are needed here: the workflow has
its own.

--target local asks no GitHub: local CI (medusa-deploy local up --ci) runs the workflow of what was pushed to it.`,
		Example: `  medusa-deploy trigger --target production
  medusa-deploy trigger --target production --action rollback --release v41
  medusa-deploy trigger --ref main --input debug=true --no-follow
  medusa-deploy trigger --follow 9876543210
  medusa-deploy trigger --target local --action rollback`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd); err != nil {
				return usage(cmd, err)
			}
			target := cmp.Or(g.target, g.getenv(config.TargetVariable))
			locally := target == config.LocalTarget && f.follow == ""
			for _, name := range []string{"repo", "no-follow"} {
				if locally && cmd.Flags().Changed(name) {
					return usage(cmd, fmt.Errorf("--target local is run by local CI, as a part of this command: --%s has no meaning with it", name))
				}
			}
			if locally {
				target = "" // where it runs, not what it deploys: the workflow's own default is meant
			}
			inputs, err := f.values(target)
			if err != nil {
				return usage(cmd, err)
			}
			if locally {
				return dispatchLocally(cmd.Context(), g, f.workflow, f.ref, inputs)
			}
			return runTrigger(cmd.Context(), g, f, inputs)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.workflow, "workflow", "w", "deploy.yml", "the workflow's file name")
	flags.StringVarP(&f.ref, "ref", "r", "", "the branch or tag to run it on (default: the repository's default branch)")
	flags.StringVarP(&f.repo, "repo", "R", "", "[HOST/]OWNER/NAME (default: $GH_REPO, or the git remote origin)")
	flags.StringVar(&f.action, "action", "", "the input action: ship or rollback")
	flags.StringVar(&f.release, "release", "", "the input release: the commit, tag or digest to roll back to")
	flags.StringArrayVarP(&f.inputs, "input", "i", nil, "another input, NAME=VALUE; may be repeated")
	flags.BoolVar(&f.noFollow, "no-follow", false, "only start it, and print where it runs")
	flags.StringVar(&f.follow, "follow", "", "follow this run (its number or URL) and start none")
	return cmd
}

// check refuses flags that contradict each other.
func (f *triggerFlags) check(cmd *cobra.Command) error {
	if f.follow == "" {
		return nil
	}
	for _, name := range []string{"workflow", "ref", "action", "release", "input", "no-follow"} {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("--follow starts nothing: --%s has no meaning with it", name)
		}
	}
	_, err := f.runID()
	return err
}

// runID reads --follow: a run's number, or the URL of its page.
func (f *triggerFlags) runID() (int64, error) {
	text := f.follow
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		_, after, _ := strings.Cut(u.Path, "/actions/runs/")
		text, _, _ = strings.Cut(after, "/")
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, fmt.Errorf("--follow %q: it is the number of a run, or the URL of its page", f.follow)
	}
	return id, nil
}

// values are the workflow's inputs as the flags have them.
func (f *triggerFlags) values(target string) (map[string]string, error) {
	values := map[string]string{}
	for name, value := range map[string]string{"target": target, "action": f.action, "release": f.release} {
		if value != "" {
			values[name] = value
		}
	}
	for _, pair := range f.inputs {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--input %q: it is written NAME=VALUE", pair)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("--input %s: the input is given twice", name)
		}
		values[name] = value
	}
	return values, nil
}

// triggering is one run of the command.
type triggering struct {
	*globals
	flags  triggerFlags
	face   report.Face
	json   bool
	client *dispatch.Client
	repo   dispatch.Repository
	run    dispatch.Run
	asked  bool // GitHub was asked to start it
	begun  time.Time
}

func runTrigger(ctx context.Context, g *globals, f triggerFlags, inputs map[string]string) error {
	mask := &report.Mask{}
	face, err := g.newFace(mask)
	if err != nil {
		return err
	}
	t := &triggering{globals: g, flags: f, face: face, json: g.output == string(report.JSON), begun: time.Now()}
	result, err := t.do(ctx, mask, inputs)
	if err != nil {
		result = t.failed(ctx, err)
	}
	return t.conclude(result)
}

// do connects, starts the run or finds it, and follows it.
func (t *triggering) do(ctx context.Context, mask *report.Mask, inputs map[string]string) (dispatch.Result, error) {
	var err error
	if t.repo, err = t.repository(ctx); err != nil {
		return dispatch.Result{}, exit(release.ExitUsage, err)
	}
	token, err := dispatch.Finder{Getenv: t.getenv}.Find(ctx, t.repo.Host)
	if err != nil {
		return dispatch.Result{}, err
	}
	mask.Add("", token.Secret())
	t.client = dispatch.NewClient(dispatch.Config{
		Repository: t.repo, Token: token, UserAgent: "medusa-deploy/" + Version, Emit: t.emit,
	})
	if t.flags.follow != "" {
		err = t.attach(ctx)
	} else {
		err = t.start(ctx, inputs)
	}
	if err != nil || t.flags.noFollow {
		return t.result(release.OutcomeSucceeded, release.ExitDone), err
	}
	run, result, err := t.client.Follow(ctx, t.run.ID, dispatch.UsualPace(), t.verbose)
	if run.URL != "" {
		t.run = run
	}
	return result, err
}

// repository is the one that --repo, GH_REPO, the git remote or the workflow around us names.
func (t *triggering) repository(ctx context.Context) (dispatch.Repository, error) {
	host := t.getenv("GH_HOST")
	if host == "" {
		host = dispatch.PublicHost
	}
	for _, named := range []string{t.flags.repo, t.getenv("GH_REPO")} {
		if named != "" {
			return dispatch.ParseRepository(named, host)
		}
	}
	remote, err := git.Remote(ctx, ".")
	if err == nil && remote != "" {
		return repositoryOfRemote(remote, host, t.getenv("GH_HOST") != "")
	}
	if named := t.getenv("GITHUB_REPOSITORY"); named != "" { // in a workflow that has not checked anything out
		if server, err := url.Parse(t.getenv("GITHUB_SERVER_URL")); err == nil && server.Host != "" {
			host = server.Host
		}
		return dispatch.ParseRepository(named, host)
	}
	return dispatch.Repository{}, errors.New("which repository? There is no git remote here that names one on GitHub\n  name it: --repo OWNER/NAME, or git remote add origin URL")
}

// repositoryOfRemote reads a git remote. A name without a dot is an alias of SSH's: host is meant.
func repositoryOfRemote(remote, host string, named bool) (dispatch.Repository, error) {
	r, err := dispatch.RepositoryOfRemote(remote)
	switch {
	case err != nil:
		return r, fmt.Errorf("%w\n  name the repository: --repo OWNER/NAME", err)
	case !strings.Contains(r.Host, "."):
		r.Host = host
	case named && r.Host != host:
		return r, fmt.Errorf("the git remote is on %s, and GH_HOST says %s\n  say which is meant: --repo %s/%s/%s", r.Host, host, host, r.Owner, r.Name)
	}
	return r, nil
}

// start dispatches the workflow.
func (t *triggering) start(ctx context.Context, inputs map[string]string) error {
	plan, err := t.client.Prepare(ctx, dispatch.Request{Workflow: t.flags.workflow, Ref: t.flags.ref, Inputs: inputs})
	if err != nil {
		return err
	}
	if t.explain {
		t.emit(release.Notice{Level: "info", Text: "by hand: " + byHand(plan)})
	}
	t.asked = true
	if t.run, err = t.client.Dispatch(ctx, plan); err != nil {
		return err
	}
	t.emit(dispatch.Dispatched{
		Repository: t.repo.String(), Workflow: plan.Workflow, Ref: plan.Ref, Inputs: plan.Inputs, Run: t.run.ID, URL: t.run.URL,
	})
	return nil
}

// byHand is the command of gh's that does the same.
func byHand(p dispatch.Plan) string {
	command := fmt.Sprintf("gh workflow run %s --repo %s --ref %s", shellQuote(p.Workflow), p.Repository, shellQuote(p.Ref))
	for _, pair := range p.Pairs() {
		command += " -f " + shellQuote(pair)
	}
	return command
}

// attach finds the run to follow.
func (t *triggering) attach(ctx context.Context) error {
	id, err := t.flags.runID()
	if err != nil {
		return err
	}
	if t.run, err = t.client.Run(ctx, id); err != nil {
		return err
	}
	t.emit(dispatch.Dispatched{Repository: t.repo.String(), Run: t.run.ID, URL: t.run.URL})
	return nil
}

// emit gives an event to the face: as it is to JSON's, in words to those for people.
func (t *triggering) emit(e release.Event) {
	if _, plain := e.(release.Notice); plain || t.json {
		t.face.Emit(e)
		return
	}
	if text := dispatch.Words(e, t.verbose); text != "" {
		t.face.Emit(release.Notice{Level: "info", Text: text})
	}
}

func (t *triggering) result(outcome release.Outcome, code int) dispatch.Result {
	return dispatch.Result{
		Outcome: outcome, Exit: code, Command: "trigger", Repository: t.repo.String(), Run: t.run.ID, URL: t.run.URL,
		Seconds: time.Since(t.begun).Seconds(),
	}
}

// failed is the result when the run was not started, or not followed to its end.
func (t *triggering) failed(ctx context.Context, err error) dispatch.Result {
	r := t.result(release.OutcomeFailed, release.ExitInternal)
	r.Error = err.Error()
	var refusal *dispatch.Refusal
	var coded *exitError
	switch {
	case ctx.Err() != nil:
		r.Outcome, r.Exit = release.OutcomeInterrupted, release.ExitInterrupted
		r.Error = "interrupted before it was started"
		switch {
		case t.run.ID != 0:
			r.Error = "interrupted: it is no longer followed"
		case t.asked:
			r.Error = fmt.Sprintf("interrupted while it was being started: see %s/actions whether it runs", t.repo.Web())
		}
	case errors.As(err, &refusal):
		r.Outcome, r.Exit, r.Reason = release.OutcomeRefused, release.ExitCheck, refusal.Reason
	case errors.As(err, &coded):
		r.Outcome, r.Exit = release.OutcomeRefused, coded.code
	}
	if t.run.ID != 0 {
		r.Error += fmt.Sprintf("\n  the run goes on: %s\n  follow it again: medusa-deploy trigger --repo %s --follow %d\n  cancel it: gh run cancel %d --repo %s",
			t.run.URL, t.repo, t.run.ID, t.run.ID, t.repo)
	}
	return r
}

// conclude shows the result and turns it into the exit code.
func (t *triggering) conclude(r dispatch.Result) error {
	switch {
	case t.json:
		t.face.Emit(r)
	case r.Exit != release.ExitDone:
		t.face.Emit(release.Result{Command: r.Command, Outcome: r.Outcome, Exit: r.Exit, Error: r.Error, Total: r.Seconds})
	}
	if err := t.face.Close(); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	if r.Exit != release.ExitDone {
		return exit(r.Exit, nil)
	}
	if t.json {
		return nil
	}
	_, err := fmt.Fprintln(t.sys.Stdout, lastLine(r))
	return err
}

// lastLine is what a script reads: the run's page, and how it ended.
func lastLine(r dispatch.Result) string {
	if r.Conclusion == "" {
		return r.URL
	}
	return fmt.Sprintf("trigger: %s after %s: %s", r.Outcome, time.Duration(r.Seconds*float64(time.Second)).Round(time.Second), r.URL)
}
