package cli

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/github/workflow"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/scaffold"
)

// anyRegistry stands for environment variables that only a deploy needs.
func anyRegistry(name string) (string, bool) {
	if name == config.TargetVariable {
		return "", false
	}
	return scaffold.LocalAccount + ".dkr.ecr.us-east-1.amazonaws.com", true
}

// existing is the config that is there already; nil when there is none.
func existing() (*config.Config, error) {
	c, err := config.Load(scaffold.ConfigName, anyRegistry)
	if _, statErr := os.Stat(scaffold.ConfigName); errors.Is(statErr, os.ErrNotExist) {
		return nil, nil
	}
	return c, err
}

// project is what the config that holds in the end says: the one that is there and stays, or the one that is written.
type project struct {
	config      *config.Config
	targets     []workflow.Target
	takesRole   bool            // every target that is not local names the role that the program takes
	definitions map[string]bool // the files that it names, from the config's directory
}

// project reads the config that holds once the change is made, or not made.
func (p *plan) project(c fileChange) (project, error) {
	var out project
	var err error
	if p.fate(c) == "kept" || c.State == scaffold.Unchanged {
		out.config, err = config.Load(scaffold.ConfigName, anyRegistry)
	} else {
		out.config, err = loadContent(c.Content)
	}
	if err != nil {
		return out, exit(release.ExitUsage, err)
	}
	out.definitions, out.takesRole = map[string]bool{}, true
	for _, name := range out.config.TargetNames() {
		t, err := out.config.Target(name)
		if err != nil {
			return out, exit(release.ExitUsage, err)
		}
		for _, d := range t.Definitions {
			for _, file := range []string{d.TaskDefinition, d.Service} {
				if rel, err := filepath.Rel(out.config.Dir, file); err == nil {
					out.definitions[filepath.ToSlash(rel)] = true
				}
			}
		}
		if !t.Local {
			out.takesRole = out.takesRole && t.Role != ""
			out.targets = append(out.targets, workflow.Target{
				Name: t.Name, Region: t.Region, Cluster: t.Cluster, Services: t.Services, Environment: p.environmentOf(t.Name),
			})
		}
	}
	if len(out.targets) == 0 {
		return out, exit(release.ExitUsage, fmt.Errorf("%s has no target but local, so that there is nothing for a workflow to deploy to\n  add one under targets:, or start over: medusa-deploy init --force", scaffold.ConfigName))
	}
	return out, nil
}

// loadContent reads a config that is not written yet, so that none is written that the program would refuse.
func loadContent(content []byte) (*config.Config, error) {
	dir, err := os.MkdirTemp("", "medusa-deploy-init-")
	if err != nil {
		return nil, fmt.Errorf("check the new config: %w", err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary copy
	file := filepath.Join(dir, scaffold.ConfigName)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return nil, fmt.Errorf("check the new config: %w", err)
	}
	c, err := config.Load(file, anyRegistry)
	var faults config.Errors
	if errors.As(err, &faults) {
		for i := range faults {
			faults[i].File = scaffold.ConfigName
		}
		return nil, faults
	}
	return c, err
}

func (p *plan) environmentOf(target string) string {
	if p.environment == ownEnvironments {
		return target
	}
	return p.environment
}

// workflow are the options of the workflow for this config.
func (j project) workflow(p *plan) workflow.Options {
	image := j.config.Image
	fromRoot := func(file string) string {
		rel, err := filepath.Rel(j.config.Dir, file)
		if err != nil {
			return file
		}
		return path.Join(p.place.Prefix, filepath.ToSlash(rel))
	}
	o := workflow.Options{
		App: j.config.App, DefaultBranch: p.branch, Targets: slices.Clone(j.targets), Auth: workflow.Auth(p.auth), Plain: p.plain,
		Action: p.action, Repository: image.Repository, Context: fromRoot(image.Context), Dockerfile: fromRoot(image.Dockerfile),
		Platforms: image.Platforms, Stage: image.Stage, Args: image.Args,
	}
	o.TakesRole = j.takesRole
	if image.Sign != nil {
		o.Keyless = image.Sign.Key == ""
		o.Secrets = signingSecrets(image.Sign.Key)
	}
	if image.Prepare != nil {
		o.Prepare, o.PrepareEnv = image.Prepare.Command, image.Prepare.Env
	}
	if p.place.Prefix != "" {
		o.Config = path.Join(p.place.Prefix, scaffold.ConfigName)
	}
	return o
}

// signingSecrets are the secrets that a signing key needs: its password, and itself where it is no file.
func signingSecrets(key string) []string {
	if key == "" {
		return nil
	}
	names := []string{"COSIGN_PASSWORD"}
	if name, ok := strings.CutPrefix(key, "env://"); ok {
		names = append(names, name)
	}
	return names
}
