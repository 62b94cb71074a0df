package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/github/workflow"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/scaffold"
)

// Action is where generated workflows fetch this program's action from, OWNER/REPO@SHA#VERSION. It is set at build time; a
// build without it has to be told.
var Action = ""

// ownEnvironments is what --environment is without a value: each target has an environment of its own name.
const ownEnvironments = "\x00"

// initFlags are init's answers.
type initFlags struct {
	*globals
	name, app, region, cluster, account, platform string
	services                                      []string
	worker                                        bool
	auth, environment, branch, action             string
	plain, force, dryRun, yes                     bool
}

func newInit(g *globals) *cobra.Command {
	f := &initFlags{globals: g}
	cmd := &cobra.Command{
		Use:   "init",
		Short: "write the config, the ECS definitions, a Dockerfile and the GitHub workflow",
		Long: `init looks at the app in this directory and writes what a first deploy needs: medusa-deploy.yaml, ecs/*.json, for a
Medusa app a Dockerfile with its .dockerignore where they are missing, and .github/workflows/deploy.yml.

It overwrites nothing without --force: of a file that differs it shows how. A medusa-deploy.yaml that is there says what
the rest is made from, unless flags say otherwise. It asks on a terminal only, and every answer has a flag. docs/github-actions.md explains the workflow.`,
		Example: `  medusa-deploy init
  medusa-deploy init --region eu-central-1 --cluster shop --services shop-server --environment
  medusa-deploy init --auth keys --plain --dry-run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "the app's name, and its ECR repository's (default: from package.json, the remote or the directory)")
	flags.StringVar(&f.app, "app", "", "the Medusa app of a monorepo that has several, by its path: apps/backend")
	flags.StringVar(&f.region, "region", scaffold.DefaultRegion, "the AWS region")
	flags.StringVar(&f.cluster, "cluster", scaffold.DefaultCluster, "the ECS cluster")
	flags.StringSliceVar(&f.services, "services", nil, "the ECS services that are released together (default: "+scaffold.DefaultService+")")
	flags.BoolVar(&f.worker, "worker", false, "a Medusa server and a Medusa worker, each a service of its own")
	flags.StringVar(&f.account, "account", "", "the AWS account id, for ecs/*.json (default: "+scaffold.LocalAccount+", local AWS's)")
	flags.StringVar(&f.platform, "platform", "linux/amd64", "what the tasks run on: linux/amd64 or linux/arm64")
	flags.StringVar(&f.auth, "auth", "oidc", "how the workflow signs in to AWS: oidc (a role, no secret) or keys (three secrets)")
	flags.StringVar(&f.environment, "environment", "", "the GitHub environment of the job; without a value: one of each target's name")
	flags.Lookup("environment").NoOptDefVal = ownEnvironments
	flags.StringVar(&f.branch, "branch", "", "the branch whose pushes are shipped (default: the repository's default branch)")
	flags.StringVar(&f.action, "action", "", "this program's GitHub action, OWNER/REPO@SHA#VERSION (default: the one of this build)")
	flags.BoolVar(&f.plain, "plain", false, "a workflow of docker buildx and the AWS CLI alone")
	flags.BoolVar(&f.force, "force", false, "replace files that differ, showing how; never your Dockerfile or .dockerignore")
	flags.BoolVar(&f.dryRun, "dry-run", false, "say what would be written, and write nothing")
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	return cmd
}

// run gathers what is known, asks for the rest, and writes.
func (f *initFlags) run(cmd *cobra.Command) error {
	if f.config != "" {
		return usage(cmd, errors.New("--config: init writes "+scaffold.ConfigName+" in this directory"))
	}
	place, err := git.Locate(cmd.Context(), ".")
	if err != nil {
		return exit(release.ExitUsage, err)
	}
	app, err := scaffold.Detect(".", f.app)
	if err != nil {
		return exit(release.ExitUsage, err)
	}
	p := &plan{initFlags: f, place: place, app: app}
	if err := p.reference(cmd); err != nil {
		return err
	}
	if err := p.answers(cmd); err != nil {
		return err
	}
	if err := p.compare(); err != nil {
		return err
	}
	if !f.dryRun {
		if err := p.write(); err != nil {
			return err
		}
	}
	if f.output == "json" {
		return p.tellJSON(cmd.OutOrStdout())
	}
	return p.tell(cmd.OutOrStdout())
}

// plan is one run of init.
type plan struct {
	*initFlags
	place   git.Place
	app     scaffold.App
	action  workflow.Action // zero for a plain workflow
	options scaffold.Options
	targets []workflow.Target
	needed  needs
	changes []fileChange

	keepConfig bool // the config that is there says everything
	found      bool // the services exist on AWS already
}

// fileChange is a file and what becomes of it.
type fileChange struct {
	scaffold.Change
	from  string // the directory that Path starts from, as the user sees it
	yours bool   // never replaced: it is written only where it is missing
}

// shown is the path from here.
func (c fileChange) shown() string { return filepath.ToSlash(filepath.Join(c.from, c.Path)) }

// fate is what becomes of a file, in one word.
func (p *plan) fate(c fileChange) string {
	switch {
	case c.State == scaffold.Unchanged:
		return "unchanged"
	case c.State == scaffold.New:
		return "new"
	case p.force && !c.yours:
		return "replaced"
	}
	return "kept"
}

// reference finds this program's action: a workflow without it could not run, and so is not written.
func (p *plan) reference(cmd *cobra.Command) error {
	if p.plain {
		if p.initFlags.action != "" {
			return usage(cmd, errors.New("--plain uses no action of this program: leave out --action"))
		}
		return nil
	}
	reference := p.initFlags.action
	if reference == "" {
		reference = Action
	}
	if reference == "" {
		return exit(release.ExitUsage, errors.New(`this build of medusa-deploy does not know where its GitHub action lies, so that a workflow with it could not run
  name it:    medusa-deploy init --action OWNER/REPO@SHA#VERSION
  without it: medusa-deploy init --plain    docker buildx and the AWS CLI alone`))
	}
	action, err := workflow.ParseAction(reference)
	if err != nil {
		return usage(cmd, err)
	}
	p.action = action
	return nil
}

// compare makes all files, and looks at what is there.
func (p *plan) compare() error {
	config, err := scaffold.Config(p.options)
	if p.keepConfig {
		config.Content, err = os.ReadFile(scaffold.ConfigName)
	}
	if err != nil {
		return fmt.Errorf("make the config: %w", err)
	}
	if err := p.add(".", false, config); err != nil {
		return err
	}
	project, err := p.project(p.changes[0])
	if err != nil {
		return err
	}
	p.targets = project.targets
	definitions, err := scaffold.Definitions(p.options)
	if err != nil {
		return err
	}
	definitions = slices.DeleteFunc(definitions, func(f scaffold.File) bool { return !project.definitions[f.Path] })
	if err := p.add(".", false, definitions...); err != nil {
		return err
	}
	if p.app.Medusa != "" {
		image, err := scaffold.Image(p.options)
		if err != nil {
			return err
		}
		if err := p.add(".", true, image...); err != nil {
			return err
		}
	}
	o := project.workflow(p)
	p.needed = needsOf(o)
	content, err := workflow.Render(o)
	if err != nil {
		return exit(release.ExitUsage, err)
	}
	return p.add(p.up(), false, scaffold.File{Path: workflow.Path, Content: content})
}

// up leads from here to the repository's root.
func (p *plan) up() string {
	if p.place.Prefix == "" {
		return "."
	}
	return strings.TrimSuffix(strings.Repeat("../", strings.Count(p.place.Prefix, "/")+1), "/")
}

func (p *plan) add(from string, yours bool, files ...scaffold.File) error {
	changes, err := scaffold.Compare(from, files)
	if err != nil {
		return exit(release.ExitUsage, err)
	}
	for _, c := range changes {
		p.changes = append(p.changes, fileChange{Change: c, from: from, yours: yours})
	}
	return nil
}

func (p *plan) write() error {
	for _, c := range p.changes {
		if fate := p.fate(c); fate == "new" || fate == "replaced" {
			if err := c.Write(); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell says what became of each file, and what to do next.
func (p *plan) tell(out io.Writer) error {
	var b strings.Builder
	if p.found {
		fmt.Fprintf(&b, "found      cluster %s with %s (--cluster and --services say otherwise)\n", p.cluster, strings.Join(p.services, ", "))
	}
	for _, c := range p.changes {
		fate := p.fate(c)
		fmt.Fprintf(&b, "%-9s  %s\n", fate, c.shown())
		switch {
		case fate == "kept" && c.yours:
			fmt.Fprintf(&b, "           it is yours: delete it to have one written\n")
		case fate == "kept":
			fmt.Fprintf(&b, "           it differs from what init would write; --force replaces it:\n%s", indent(c.Diff))
		case fate == "replaced":
			b.WriteString(indent(c.Diff))
		}
	}
	if p.dryRun {
		b.WriteString("\ndry run: nothing was written\n")
	} else {
		p.next(&b)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func indent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString("    " + line)
	}
	return b.String()
}

// tellJSON is the same for programs.
func (p *plan) tellJSON(out io.Writer) error {
	type file struct {
		Path  string `json:"path"`
		State string `json:"state"` // new, unchanged, kept, replaced
		Diff  string `json:"diff,omitempty"`
	}
	result := struct {
		Type   string `json:"type"`
		DryRun bool   `json:"dry_run"`
		Files  []file `json:"files"`
		needs
	}{Type: "init", DryRun: p.dryRun, needs: p.needed}
	for _, c := range p.changes {
		result.Files = append(result.Files, file{Path: c.shown(), State: p.fate(c), Diff: c.Diff})
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(result)
}

// isInteractive tells whether somebody can be asked.
func (g *globals) isInteractive() bool {
	stdin, ok := g.sys.Stdin.(*os.File)
	return ok && isTerminal(stdin) && isTerminal(g.sys.Stderr)
}
