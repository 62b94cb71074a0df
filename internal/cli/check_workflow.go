package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/github/lint"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/report"
)

// workflowFlags are the flags of check that are about workflows.
type workflowFlags struct {
	*globals
	workflow   bool
	fix        bool
	diff       bool
	secrets    []string
	shellcheck string
	noGitHub   bool

	mask    report.Mask
	notices []release.Notice // are shown before the problems
	notes   []release.Notice // likewise, with --verbose
}

const workflowExample = `
  medusa-deploy check --workflow                    what is wrong with .github/workflows
  medusa-deploy check --workflow --fix deploy.yml   correct what is safe to correct`

// withWorkflow gives the check command its other half: looking at workflows, for which no config and no AWS is needed.
func withWorkflow(g *globals, check *cobra.Command) *cobra.Command {
	f := &workflowFlags{globals: g}
	flags := check.Flags()
	flags.BoolVar(&f.workflow, "workflow", false, "check GitHub workflows: those of .github/workflows, or the files named")
	flags.BoolVar(&f.fix, "fix", false, "with --workflow: show what can be corrected safely, and correct it")
	flags.BoolVar(&f.diff, "diff", false, "with --workflow: show what --fix would correct, and write nothing")
	flags.StringSliceVar(&f.secrets, "secrets", nil, "with --workflow: the names of the secrets that the repository has (default: GitHub is asked when there is a token)")
	flags.BoolVar(&f.noGitHub, "no-github", false, "with --workflow: do not ask GitHub which secrets and variables there are")
	flags.StringVar(&f.shellcheck, "shellcheck", "shellcheck", "with --workflow: the shellcheck to use where it is installed; empty: none")
	check.Example += workflowExample
	check.Long += " With --workflow it reads GitHub workflows in place of a target; docs/workflow-checks.md explains those codes."
	check.Use += " [--workflow [FILE...]]"
	target, targetArgs := check.RunE, check.Args
	check.Args = func(cmd *cobra.Command, args []string) error {
		if f.workflow {
			return f.validate(cmd)
		}
		for _, name := range []string{"fix", "diff", "secrets", "shellcheck", "no-github"} {
			if cmd.Flags().Changed(name) {
				return usage(cmd, fmt.Errorf("--%s is for workflows: add --workflow", name))
			}
		}
		return targetArgs(cmd, args)
	}
	check.RunE = func(cmd *cobra.Command, args []string) error {
		if !f.workflow {
			return target(cmd, args)
		}
		return f.run(cmd.Context(), args)
	}
	return check
}

func (f *workflowFlags) validate(cmd *cobra.Command) error {
	if f.fix && f.diff {
		return usage(cmd, errors.New("--fix writes and --diff does not: choose one"))
	}
	return nil
}

// run looks at the files, corrects them if asked to, and reports what is left.
func (f *workflowFlags) run(ctx context.Context, files []string) error {
	options, files, err := f.options(files)
	if err != nil {
		return err
	}
	if err := f.addNames(ctx, &options, files); err != nil {
		return err
	}
	if f.fix || f.diff {
		for _, file := range files {
			if err := f.correct(ctx, file, options); err != nil {
				return err
			}
		}
	}
	problems, err := lint.Files(ctx, files, options)
	if err != nil {
		return err
	}
	return f.report(problems, len(files))
}

// options finds the repository and, when none are named, its workflows.
func (f *workflowFlags) options(files []string) (lint.Options, []string, error) {
	root, found, err := lint.Find(".")
	switch {
	case err != nil && len(files) == 0:
		return lint.Options{}, nil, exit(release.ExitUsage, fmt.Errorf("%w\n  name the files: medusa-deploy check --workflow FILE", err))
	case len(files) == 0 && len(found) == 0:
		return lint.Options{}, nil, exit(release.ExitUsage, fmt.Errorf("there is no workflow in %s", filepath.Join(root, ".github", "workflows")))
	case len(files) == 0:
		files = found
	}
	for i, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return lint.Options{}, nil, exit(release.ExitUsage, fmt.Errorf("read the workflow: %w", err))
		}
		if info.IsDir() {
			return lint.Options{}, nil, exit(release.ExitUsage, fmt.Errorf("%s is a directory: name the files in it", file))
		}
		files[i] = fromHere(file)
	}
	o := lint.Options{Root: root, Secrets: f.secrets}
	if f.shellcheck != "" {
		program, err := exec.LookPath(f.shellcheck)
		switch {
		case err == nil:
			o.Shellcheck = program
		case f.shellcheck != "shellcheck":
			return o, nil, exit(release.ExitUsage, fmt.Errorf("--shellcheck: %w", err))
		}
	}
	return o, files, nil
}

// fromHere names a file from the working directory, when it is below it.
func fromHere(file string) string {
	dir, err := os.Getwd()
	if err != nil || !filepath.IsAbs(file) {
		return file
	}
	if short, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(short) {
		return short
	}
	return file
}

// correct shows what can be corrected in a file, and writes it unless only the difference is asked for.
func (f *workflowFlags) correct(ctx context.Context, file string, options lint.Options) error {
	before, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the workflow: %w", err)
	}
	after, titles, err := lint.Correct(ctx, file, before, options)
	if err != nil || len(titles) == 0 {
		return err
	}
	var out io.Writer = f.sys.Stdout
	if f.output == string(report.JSON) {
		out = f.sys.Stderr // the events have the output to themselves
	}
	if _, err := out.Write(diff.Diff(file, before, file, after)); err != nil {
		return fmt.Errorf("write the difference: %w", err)
	}
	if f.diff {
		return nil
	}
	return replaceFile(file, after)
}

// replaceFile puts new content in a file's place, whole or not at all, and keeps its mode.
func replaceFile(file string, content []byte) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return fmt.Errorf("correct the workflow: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("correct the workflow: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), ".medusa-deploy-*")
	if err != nil {
		return fmt.Errorf("correct the workflow: %w", err)
	}
	defer os.Remove(temporary.Name()) //nolint:errcheck // it is gone when all went well
	_, err = temporary.Write(content)
	err = errors.Join(err, temporary.Chmod(info.Mode().Perm()), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("correct the workflow: %w", err)
	}
	return nil
}

// report shows the problems and gives the exit code. Notes are for those who ask, and for programs.
func (f *workflowFlags) report(problems []lint.Problem, files int) error {
	face, err := f.newFace(&f.mask)
	if err != nil {
		return err
	}
	if f.verbose {
		f.notices = append(f.notices, f.notes...)
	}
	for _, n := range f.notices {
		face.Emit(n)
	}
	count := map[release.Severity]int{}
	fixable, all := 0, f.verbose || f.output == string(report.JSON)
	for _, p := range problems {
		count[p.Severity]++
		if p.Fix != nil {
			fixable++
		}
		if all || p.Severity != release.SeverityInfo {
			face.Emit(release.Found{Finding: p.Finding()})
		}
	}
	if err := face.Close(); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	summary := summarise(count, files, fixable, all)
	if count[release.SeverityError] > 0 {
		return exit(release.ExitCheck, errors.New(summary))
	}
	_, err = fmt.Fprintln(f.sys.Stderr, summary)
	return err
}

// summarise says in a line how much is wrong.
func summarise(count map[release.Severity]int, files, fixable int, all bool) string {
	var parts []string
	add := func(n int, one, many string) {
		if n == 1 {
			parts = append(parts, "1 "+one)
		} else if n > 1 {
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	add(count[release.SeverityError], "error", "errors")
	add(count[release.SeverityWarning], "warning", "warnings")
	add(count[release.SeverityUnknown], "failure to look", "failures to look")
	if len(parts) == 0 {
		parts = append(parts, "nothing wrong")
	}
	where := fmt.Sprintf("%d workflows", files)
	if files == 1 {
		where = "1 workflow"
	}
	text := strings.Join(parts, " and ") + " in " + where
	if n := count[release.SeverityInfo]; n > 0 && !all {
		text += fmt.Sprintf("\n  %d that could be better: --verbose shows them", n)
	}
	if fixable > 0 {
		text += fmt.Sprintf("\n  %d can be corrected: medusa-deploy check --workflow --fix", fixable)
	}
	return text
}
