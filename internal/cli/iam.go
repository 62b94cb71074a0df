package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/git"
	"github.com/medusa-deploy/medusa-deploy/internal/iam"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func newIAM(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "iam COMMAND",
		Short: "what AWS must allow: the least policy, and the trust of a GitHub workflow",
		Long: `iam prints the IAM documents for exactly this config: the least policy of the role that deploys a target, and the trust
policy with which a GitHub workflow takes that role without any stored key. It changes nothing.`,
		Example: `  medusa-deploy iam policy --target production > policy.json
  medusa-deploy iam trust --target production --environment production > trust.json
  medusa-deploy iam policy --apply --explain`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newIAMPolicy(g), newIAMTrust(g))
	return cmd
}

func newIAMPolicy(g *globals) *cobra.Command {
	var account string
	var apply bool
	cmd := &cobra.Command{
		Use:     "policy",
		Short:   "the least policy of the role that deploys the target",
		Long:    "policy prints the least policy with which every command works on the target. --explain says what each statement is for.",
		Example: "  medusa-deploy iam policy --target production --account 123456789012",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			needs, err := g.iamNeeds(cmd.Context(), account, apply)
			if err != nil {
				return err
			}
			policy := iam.PolicyFor(needs)
			if g.explain {
				for _, s := range policy.Statement {
					fmt.Fprintf(g.sys.Stderr, "%s: to %s\n", s.Sid, s.Why)
				}
				fmt.Fprintln(g.sys.Stderr, "by hand: aws iam put-role-policy --role-name ROLE --policy-name medusa-deploy --policy-document file://policy.json")
			}
			return g.document(policy)
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "the AWS account (default: the one of the credentials)")
	cmd.Flags().BoolVar(&apply, "apply", false, "allow for what --apply does, too: register definitions, change and create services")
	return cmd
}

func newIAMTrust(g *globals) *cobra.Command {
	var account string
	var w iam.Workflow
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "the trust policy that lets the GitHub workflow take the role",
		Long: `trust prints the trust policy of the role: only tokens of GitHub's OIDC issuer, for this repository and this environment
or branch, compared as a whole. Repositories made or renamed since 2026-07-15 have ids in their tokens: give both.`,
		Example: `  medusa-deploy iam trust --environment production
  medusa-deploy iam trust --repo acme/shop --branch main --owner-id 12 --repo-id 345`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			needs, err := g.iamNeeds(cmd.Context(), account, false)
			if err != nil {
				return err
			}
			if w.Repository == "" {
				w.Repository = g.githubRepository(cmd.Context())
			}
			trust, err := iam.TrustFor(needs, w)
			if err != nil {
				return exit(release.ExitUsage, err)
			}
			if g.explain {
				fmt.Fprintf(g.sys.Stderr, "by hand: aws iam create-open-id-connect-provider --url https://%s --client-id-list sts.amazonaws.com\n", iam.Provider)
				fmt.Fprintln(g.sys.Stderr, "by hand: aws iam create-role --role-name ROLE --assume-role-policy-document file://trust.json")
			}
			return g.document(trust)
		},
	}
	cmd.Flags().StringVar(&account, "account", "", "the AWS account (default: the one of the credentials)")
	cmd.Flags().StringVar(&w.Repository, "repo", "", "OWNER/NAME on GitHub (default: where the git remote leads)")
	cmd.Flags().StringVar(&w.Environment, "environment", "", "the environment that the workflow's job names")
	cmd.Flags().StringVar(&w.Branch, "branch", "", "the branch that may deploy, when the job names no environment")
	cmd.Flags().StringVar(&w.OwnerID, "owner-id", "", "the owner's numeric id: gh api repos/OWNER/NAME --jq .owner.id")
	cmd.Flags().StringVar(&w.RepoID, "repo-id", "", "the repository's numeric id: gh api repos/OWNER/NAME --jq .id")
	return cmd
}

// document prints a policy as IAM takes it.
func (g *globals) document(d any) error {
	encoder := json.NewEncoder(g.sys.Stdout)
	encoder.SetIndent("", "  ")
	return encoder.Encode(d)
}

// githubRepository is OWNER/NAME of the git remote; empty where it leads elsewhere.
func (g *globals) githubRepository(ctx context.Context) string {
	commit, err := git.Describe(ctx, ".")
	if err != nil {
		return ""
	}
	m := githubRemote.FindStringSubmatch(commit.Remote)
	if m == nil {
		return ""
	}
	return m[1]
}

var (
	githubRemote   = regexp.MustCompile(`^[^\s]*[:/]([^/:\s]+/[^/:\s]+?)(?:\.git)?/?$`)
	accountPattern = regexp.MustCompile(`^[0-9]{12}$`)
	registryHost   = regexp.MustCompile(`^([0-9]{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)
)

// iamNeeds gathers what a release of the target does, from the config and its definition files.
func (g *globals) iamNeeds(ctx context.Context, account string, apply bool) (iam.Needs, error) {
	c, err := g.loadConfig()
	if err != nil {
		return iam.Needs{}, err
	}
	t, err := c.Target(g.target)
	if err != nil {
		return iam.Needs{}, exit(release.ExitUsage, err)
	}
	if account == "" {
		if account, err = g.account(ctx, t); err != nil {
			return iam.Needs{}, err
		}
	}
	if !accountPattern.MatchString(account) {
		return iam.Needs{}, exit(release.ExitUsage, fmt.Errorf("--account %q: an AWS account has twelve digits", account))
	}
	n := iam.Needs{
		Partition: partition(t.Region), Account: account, Region: t.Region, RegistryAccount: account, RegistryRegion: t.Region,
		Repository: c.Image.Repository, Cluster: t.Cluster, Services: t.Services,
		Pinned: t.Strategy == config.StrategyPinned, Migrate: t.Migrate != nil, Apply: apply,
		Attest: c.Image.Provenance || c.Image.SBOM || c.Image.Sign != nil || t.RequireSignature != nil,
	}
	if m := registryHost.FindStringSubmatch(t.Registry); m != nil {
		n.RegistryAccount, n.RegistryRegion = m[1], m[2]
	}
	for _, service := range t.Services {
		if err := addDefinition(&n, t.Definitions[service]); err != nil {
			return n, exit(release.ExitUsage, err)
		}
	}
	return n, nil
}

// account asks AWS whose credentials these are.
func (g *globals) account(ctx context.Context, t config.Target) (string, error) {
	s := &session{globals: g, plain: t, log: g.logger()}
	if t.Local {
		var err error
		if s.local, err = g.runningLocal(ctx); err != nil {
			return "", err
		}
	}
	aws, err := awsclient.Load(ctx, s.awsConfig())
	if err == nil {
		var identity awsclient.Identity
		if identity, err = aws.Identity(ctx); err == nil {
			return identity.Account, nil
		}
	}
	return "", exit(release.ExitUsage, fmt.Errorf("which account? AWS does not say: %w\n  or name it: --account 123456789012", err))
}

func partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// taskFile is what matters here of a task definition's file.
type taskFile struct {
	Family, TaskRoleArn, ExecutionRoleArn string
	ContainerDefinitions                  []struct {
		Secrets          []struct{ ValueFrom string }
		LogConfiguration struct{ Options map[string]string }
	}
}

// addDefinition adds what a service's task definition names; a service without a file may use anything.
func addDefinition(n *iam.Needs, files config.Definition) error {
	raw, _, err := files.Read()
	if err != nil {
		return nil //nolint:nilerr // there is no file: the policy is not narrowed to what it would name
	}
	var task taskFile
	if err := json.Unmarshal(raw, &task); err != nil {
		return fmt.Errorf("%s: %w", files.TaskDefinition, err)
	}
	if task.Family == "" {
		return errors.New(files.TaskDefinition + `: "family" is missing`)
	}
	n.Families = addOnce(n.Families, task.Family)
	for _, role := range []string{task.TaskRoleArn, task.ExecutionRoleArn} {
		if role != "" && !strings.HasPrefix(role, "arn:") {
			role = fmt.Sprintf("arn:%s:iam::%s:role/%s", n.Partition, n.Account, role)
		}
		n.Roles = addOnce(n.Roles, role)
	}
	for _, c := range task.ContainerDefinitions {
		log := c.LogConfiguration.Options
		n.LogGroups = addOnce(n.LogGroups, log["awslogs-group"])
		n.CheckLogGroups = n.CheckLogGroups || log["awslogs-group"] != "" && log["awslogs-create-group"] != "true"
		for _, s := range c.Secrets {
			if strings.Contains(s.ValueFrom, ":secretsmanager:") {
				n.Secrets = addOnce(n.Secrets, secretARN(s.ValueFrom))
			} else {
				n.Parameters = true
			}
		}
	}
	return nil
}

func addOnce(all []string, one string) []string {
	if one == "" || slices.Contains(all, one) {
		return all
	}
	return append(all, one)
}

// secretARN is the secret of ARN[:json-key:version-stage:version-id]: an ARN of Secrets Manager has seven parts.
func secretARN(from string) string {
	const arnParts = 7
	parts := strings.Split(from, ":")
	return strings.Join(parts[:min(arnParts, len(parts))], ":")
}
