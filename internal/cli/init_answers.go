package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/github/workflow"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
	"github.com/medusa-deploy/medusa-deploy/internal/scaffold"
)

// registryVariable is the secret that names the registry where the workflow signs in with keys.
const registryVariable = "${ECR_URL}"

// configFlags are the flags that say something about the config. Without any of them, a config that is there stays.
var configFlags = []string{"name", "region", "cluster", "services", "platform"}

// answers are the flags; else what the config says that is there; else what somebody answers on a terminal; else defaults.
func (p *plan) answers(cmd *cobra.Command) error {
	if p.account != "" && !accountPattern.MatchString(p.account) {
		return usage(cmd, fmt.Errorf("--account %q: an AWS account id has 12 digits", p.account))
	}
	if p.auth != string(workflow.AuthOIDC) && p.auth != string(workflow.AuthKeys) {
		return usage(cmd, fmt.Errorf("--auth %q: expected oidc or keys", p.auth))
	}
	if p.worker && len(p.services) > 0 {
		return usage(cmd, errors.New("--worker names two services itself, medusa-server and medusa-worker: give --worker or --services"))
	}
	found, err := p.fromConfig(cmd)
	if err != nil {
		return err
	}
	if !found {
		p.findServices(cmd)
	}
	if !found && !p.yes && p.isInteractive() {
		if err := p.ask(cmd, bufio.NewReader(p.sys.Stdin), p.sys.Stderr); err != nil {
			return err
		}
	}
	p.settle()
	p.options = scaffold.Options{
		App: p.app, Name: p.name, Target: p.target, Region: p.region, Cluster: p.cluster, Services: p.services,
		Platform: p.platform, Account: p.account,
	}
	if p.auth == string(workflow.AuthKeys) {
		p.options.Registry = registryVariable
	}
	return nil
}

// fromConfig takes what is not given from the config that is there. With --force a config that cannot be read is no
// obstacle: it is replaced.
func (p *plan) fromConfig(cmd *cobra.Command) (bool, error) {
	c, err := existing()
	if err != nil && !p.force {
		return false, exit(release.ExitUsage, err)
	}
	if c == nil || err != nil {
		return false, nil
	}
	p.keepConfig = !p.worker && p.target == "" && !slices.ContainsFunc(configFlags, cmd.Flags().Changed)
	if p.name == "" {
		p.name = c.App
	}
	names := slices.DeleteFunc(c.TargetNames(), func(name string) bool {
		t, err := c.Target(name)
		return err != nil || t.Local
	})
	if p.target == "" && len(names) > 0 {
		p.target = names[0]
	}
	t, err := c.Target(p.target)
	if err != nil || t.Local {
		return true, nil
	}
	keep := func(flag string, to *string, value string) {
		if !cmd.Flags().Changed(flag) {
			*to = value
		}
	}
	keep("region", &p.region, t.Region)
	keep("cluster", &p.cluster, t.Cluster)
	if len(c.Image.Platforms) > 0 {
		keep("platform", &p.platform, c.Image.Platforms[0])
	}
	if len(p.services) == 0 && !p.worker {
		p.services = t.Services
	}
	return true, nil
}

// settle fills in what nobody has said.
func (p *plan) settle() {
	if p.target == "" {
		p.target = "production"
	}
	if p.branch == "" {
		if p.branch = p.place.Branch; p.branch == "" {
			p.branch = "main"
		}
	}
	if p.worker {
		p.services = pair
	}
	if len(p.services) == 0 {
		p.services = p.usualServices()
	}
	remote := strings.TrimSuffix(p.place.Remote, ".git")
	for _, candidate := range []string{p.app.Name, path.Base(strings.ReplaceAll(remote, ":", "/")), path.Base(p.place.Root), "app"} {
		if p.name == "" {
			p.name = scaffold.AppName(candidate)
		}
	}
}

// pair are a Medusa server and a Medusa worker.
var pair = []string{"medusa-server", "medusa-worker"}

// usualServices are the services where nobody says which ones: two where the app is made for it.
func (p *plan) usualServices() []string {
	if p.app.Pair() {
		return pair
	}
	return []string{scaffold.DefaultService}
}

// ask asks for what was not given by a flag. An empty answer takes what stands in brackets.
func (p *plan) ask(cmd *cobra.Command, in *bufio.Reader, out io.Writer) error {
	services := strings.Join(p.services, ",")
	if services == "" {
		services = strings.Join(p.usualServices(), ",")
	}
	for _, q := range []struct {
		flag, question string
		answer         *string
	}{
		{"region", "AWS region", &p.region},
		{"cluster", "ECS cluster", &p.cluster},
		{"services", "ECS services, separated by commas", &services},
		{"auth", "sign in to AWS by oidc (a role, no secret kept) or keys", &p.auth},
	} {
		if cmd.Flags().Changed(q.flag) || q.flag == "services" && p.worker {
			continue
		}
		fmt.Fprintf(out, "%s [%s]: ", q.question, *q.answer)
		line, err := in.ReadString('\n')
		if err != nil {
			return exit(release.ExitInterrupted, errors.New("nothing was written"))
		}
		if line = strings.TrimSpace(line); line != "" {
			*q.answer = line
		}
	}
	if !p.worker {
		p.services = strings.FieldsFunc(services, func(r rune) bool { return r == ',' || r == ' ' })
	}
	if p.auth != string(workflow.AuthOIDC) && p.auth != string(workflow.AuthKeys) {
		return exit(release.ExitUsage, fmt.Errorf("%q is no way to sign in: expected oidc or keys", p.auth))
	}
	return nil
}
