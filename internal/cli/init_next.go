package cli

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/github/workflow"
	"github.com/medusa-deploy/medusa-deploy/internal/iam"
	"github.com/medusa-deploy/medusa-deploy/internal/scaffold"
)

// needs are what the repository has to have for the workflow to run.
type needs struct {
	Secrets   []string `json:"secrets"`
	Variables []string `json:"variables"`
}

func needsOf(o workflow.Options) needs {
	n := needs{Secrets: []string{}, Variables: []string{}}
	if o.Auth == workflow.AuthKeys {
		n.Secrets = append(n.Secrets, "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ECR_URL")
	} else if o.Plain || !o.TakesRole {
		n.Variables = append(n.Variables, workflow.DefaultRoleVariable)
	}
	if !o.Plain {
		n.Secrets = append(n.Secrets, o.Secrets...)
	}
	return n
}

// next says what is left to do, in order, and where.
func (p *plan) next(b *strings.Builder) {
	b.WriteString("\nnext:\n")
	step := func(format string, args ...any) { fmt.Fprintf(b, "  - "+format+"\n", args...) }
	more := func(format string, args ...any) { fmt.Fprintf(b, "    "+format+"\n", args...) }
	if p.app.Medusa == "" && !p.app.Dockerfile {
		step("write a Dockerfile: there is none, and init knows only how Medusa apps are built")
	}
	p.nextMedusa(step, more)
	if p.account == "" {
		step("rehearse it on this machine: medusa-deploy local up && medusa-deploy ship --target local")
		step("AWS has other ids than ecs/*.json, where account, roles, subnets and target group are local AWS's:")
		more("put yours in before medusa-deploy ship --apply, which keeps the services in step with these files")
	}
	p.nextGitHub(step, more)
	step("commit and push: git add -A && git commit -m \"Deploy with medusa-deploy\" && git push origin %s", p.branch)
}

type say func(format string, args ...any)

func (p *plan) nextMedusa(step, more say) {
	if p.app.Medusa == "" {
		return
	}
	if p.app.Lockfile == "" {
		step("commit the package manager's lockfile: without one, each build may install other versions")
	}
	if !p.app.Pinned() && (p.app.Manager == scaffold.PNPM || p.app.Manager == scaffold.Yarn) {
		step("name the package manager's version in package.json (packageManager): without it, each build takes the newest")
	}
	step("put the app's secrets where the task definition reads them, also on local AWS (Systems Manager, Parameter Store):")
	for _, name := range p.app.Secrets() {
		more("aws ssm put-parameter --type SecureString --name /%s/%s --value file:///dev/stdin", p.name, name)
	}
	step("put your addresses in place of example.com's in ecs/*.json: STORE_CORS, ADMIN_CORS, AUTH_CORS")
	switch {
	case !p.app.Redis:
		step("stay with one task until sessions, events, workflows, cache and locks are in Redis: docs/medusa.md says how")
	case len(p.services) == 1:
		step("think of a worker for the background jobs, apart from the server: medusa-deploy init --worker --force")
	}
	if len(p.services) > 1 && !p.app.WorkerMode {
		step("have medusa-config read the mode: workerMode: process.env.MEDUSA_WORKER_MODE (server or worker)")
	}
	if p.plain {
		step("run migrations yourself before a release: the plain workflow does not (aws ecs run-task)")
	}
}

func (p *plan) nextGitHub(step, more say) {
	page, repository := repositoryPage(p.place.Remote)
	if page == "" {
		page, repository = "https://github.com/OWNER/REPO", "OWNER/REPO"
		step("make a repository on GitHub, and name it: git remote add origin git@github.com:OWNER/REPO.git")
	}
	first := p.targets[0]
	from := iam.Workflow{Repository: repository, Branch: p.branch, Environment: first.Environment}
	flag := "--branch " + p.branch
	if first.Environment != "" {
		flag = "--environment " + first.Environment
		environments := []string{}
		for _, t := range p.targets {
			if !slices.Contains(environments, t.Environment) {
				environments = append(environments, t.Environment)
			}
		}
		step("make the environment %s: %s/settings/environments", strings.Join(environments, " and "), page)
	}
	if p.auth == string(workflow.AuthOIDC) {
		step("make a role for GitHub's runs, with these two policies:")
		more("medusa-deploy iam policy --target %s", first.Name)
		more("medusa-deploy iam trust --target %s --repo %s %s", first.Name, repository, flag)
		if subject, err := from.Subject(); err == nil {
			more("it trusts %s", subject)
		}
	}
	if names := p.needed.Variables; len(names) > 0 {
		step("add the role's ARN as the variable %s: %s/settings/variables/actions", strings.Join(names, ", "), page)
	}
	if names := p.needed.Secrets; len(names) > 0 {
		step("add the secrets %s:", strings.Join(names, ", "))
		more("%s/settings/secrets/actions", page)
	}
	if p.auth == string(workflow.AuthKeys) {
		more("ECR_URL is the registry's host: ACCOUNT.dkr.ecr.%s.amazonaws.com", first.Region)
	}
}

// repositoryPage is the web page of a remote, and OWNER/REPO; empty when that cannot be told.
func repositoryPage(remote string) (page, repository string) {
	host, rest := "", ""
	if u, err := url.Parse(remote); err == nil && u.Host != "" {
		host, rest = u.Host, strings.TrimPrefix(u.Path, "/")
		if u.Scheme == "ssh" {
			host = u.Hostname() // the web has another port
		}
	} else if before, after, ok := strings.Cut(remote, ":"); ok { // [USER@]HOST:PATH
		host, rest = before[strings.LastIndex(before, "@")+1:], strings.TrimPrefix(after, "/")
	}
	repository = strings.TrimSuffix(strings.TrimSuffix(rest, "/"), ".git")
	if host == "" || strings.Count(repository, "/") != 1 {
		return "", ""
	}
	return "https://" + host + "/" + repository, repository
}
