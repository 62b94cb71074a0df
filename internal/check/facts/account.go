package facts

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/check"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Account is one AWS account and region as one caller sees it. It is safe for concurrent use.
type Account struct {
	*awsclient.Session
	ecr      *ecr.Client
	registry *string // the account that owns the registry, when its host names it; nil: the caller's
	logs     *cloudwatchlogs.Client
	secrets  *secretsmanager.Client
	ssm      *ssm.Client
	iam      *iam.Client
}

var _ check.Cloud = (*Account)(nil)

// registryHost is how ECR names the registry of an account.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
var registryHost = regexp.MustCompile(`^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)

// New makes the account of a session. host is the registry's HOST[:PORT] as it is configured; empty: the account's own.
func New(session *awsclient.Session, host string) *Account {
	config := session.AWS()
	a := &Account{
		Session: session, logs: cloudwatchlogs.NewFromConfig(config), secrets: secretsmanager.NewFromConfig(config),
		ssm: ssm.NewFromConfig(config), iam: iam.NewFromConfig(config),
	}
	var options []func(*ecr.Options)
	if m := registryHost.FindStringSubmatch(host); m != nil && !session.Overridden() {
		a.registry = &m[1]
		options = append(options, func(o *ecr.Options) { o.Region = m[2] })
	}
	a.ecr = ecr.NewFromConfig(config, options...)
	return a
}

// Account implements check.Cloud.
func (a *Account) Account(ctx context.Context) (string, error) {
	identity, err := a.Identity(ctx)
	return identity.Account, err
}

// Mutability implements check.Cloud.
func (a *Account) Mutability(ctx context.Context, repository string) (check.Mutability, error) {
	out, err := awsclient.Call(ctx, a.ecr.DescribeRepositories, &ecr.DescribeRepositoriesInput{RegistryId: a.registry, RepositoryNames: []string{repository}})
	if err != nil {
		return check.Mutability{}, missing(err)
	}
	if len(out.Repositories) == 0 {
		return check.Mutability{}, fmt.Errorf("repository %s: %w", repository, release.ErrNotFound)
	}
	r := out.Repositories[0]
	m := check.Mutability{}
	switch r.ImageTagMutability {
	case types.ImageTagMutabilityImmutable:
		m.Immutable = true
	case types.ImageTagMutabilityImmutableWithExclusion:
		m.Immutable = true
		m.Except = filters(r)
	case types.ImageTagMutabilityMutableWithExclusion:
		m.Except = filters(r)
	}
	return m, nil
}

func filters(r types.Repository) []string {
	var all []string
	for _, f := range r.ImageTagMutabilityExclusionFilters {
		all = append(all, aws.ToString(f.Filter))
	}
	return all
}

// LifecyclePolicy implements check.Cloud.
func (a *Account) LifecyclePolicy(ctx context.Context, repository string) (string, error) {
	out, err := awsclient.Call(ctx, a.ecr.GetLifecyclePolicy, &ecr.GetLifecyclePolicyInput{RegistryId: a.registry, RepositoryName: &repository})
	if err != nil {
		return "", missing(err)
	}
	return aws.ToString(out.LifecyclePolicyText), nil
}

// Tags implements check.Cloud.
func (a *Account) Tags(ctx context.Context, repository string, digest release.Digest) ([]string, error) {
	out, err := awsclient.Call(ctx, a.ecr.DescribeImages, &ecr.DescribeImagesInput{
		RegistryId: a.registry, RepositoryName: &repository, ImageIds: []types.ImageIdentifier{{ImageDigest: aws.String(string(digest))}},
	})
	if err != nil {
		return nil, missing(err)
	}
	if len(out.ImageDetails) == 0 {
		return nil, fmt.Errorf("image %s@%s: %w", repository, digest, release.ErrNotFound)
	}
	return out.ImageDetails[0].ImageTags, nil
}

// missing makes release.ErrNotFound of ECR's ways to say that something does not exist.
func missing(err error) error {
	var repository *types.RepositoryNotFoundException
	var policy *types.LifecyclePolicyNotFoundException
	var image *types.ImageNotFoundException
	if errors.As(err, &repository) || errors.As(err, &policy) || errors.As(err, &image) {
		return fmt.Errorf("%s: %w", awsclient.MessageOf(err), release.ErrNotFound)
	}
	return err
}

// LogGroup implements check.Cloud. Groups come by name, so that the one which is its own prefix comes first.
func (a *Account) LogGroup(ctx context.Context, region, name string) error {
	in := &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: &name}
	out, err := awsclient.Call(ctx, a.logs.DescribeLogGroups, in, func(o *cloudwatchlogs.Options) {
		if region != "" {
			o.Region = region
		}
	})
	if err != nil {
		return err
	}
	for _, g := range out.LogGroups {
		if isGroup(g, name) {
			return nil
		}
	}
	return fmt.Errorf("log group %s: %w", name, release.ErrNotFound)
}

func isGroup(g logstypes.LogGroup, name string) bool { return aws.ToString(g.LogGroupName) == name }
