package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/medusa-deploy/medusa-deploy/internal/awshttp"
)

// Cloud is the stage's local AWS as its own APIs show it, to a client that has nothing in common with the program and asks
// where local AWS really listens, whatever stands before it.
type Cloud struct {
	ECS     *ecs.Client
	ECR     *ecr.Client
	Secrets *secretsmanager.Client
	env     map[string]string // of `local env`
	listen  string
}

// Listen is HOST:PORT where local AWS listens, whatever it advertises.
func (c *Cloud) Listen() string { return c.listen }

// Cloud connects to the stage's local AWS.
func (s *Stage) Cloud(ctx context.Context) (*Cloud, error) {
	env, err := s.LocalEnv(ctx)
	if err != nil {
		return nil, err
	}
	endpoint := "http://" + s.listen
	config := aws.Config{
		Region: env["AWS_REGION"], BaseEndpoint: &endpoint, HTTPClient: awshttp.New(),
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
	}
	return &Cloud{ECS: ecs.NewFromConfig(config), ECR: ecr.NewFromConfig(config), Secrets: secretsmanager.NewFromConfig(config), env: env, listen: s.listen}, nil
}

// Tasks gives the tasks of a service that ECS wants in a state, oldest first.
func (c *Cloud) Tasks(ctx context.Context, cluster, service string, desired types.DesiredStatus) ([]types.Task, error) {
	listed, err := c.ECS.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &cluster, ServiceName: &service, DesiredStatus: desired})
	if err != nil {
		return nil, fmt.Errorf("list the tasks of %s: %w", service, err)
	}
	var all []types.Task
	for arns := range slices.Chunk(listed.TaskArns, 100) {
		out, err := c.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: arns})
		if err != nil {
			return nil, fmt.Errorf("describe the tasks of %s: %w", service, err)
		}
		all = append(all, out.Tasks...)
	}
	slices.SortFunc(all, func(a, b types.Task) int {
		return cmp.Or(a.CreatedAt.Compare(*b.CreatedAt), strings.Compare(*a.TaskArn, *b.TaskArn))
	})
	return all, nil
}

// Digests gives what each task of a service that ECS wants to run really runs of a repository, one entry a task; an entry
// says so when its task does not run.
func (c *Cloud) Digests(ctx context.Context, cluster, service, repository string) ([]string, error) {
	tasks, err := c.Tasks(ctx, cluster, service, types.DesiredStatusRunning)
	if err != nil {
		return nil, err
	}
	var digests []string
	for _, t := range tasks {
		if status := aws.ToString(t.LastStatus); status != "RUNNING" {
			digests = append(digests, "a task that is "+status)
			continue
		}
		digests = append(digests, DigestOf(t, repository))
	}
	return digests, nil
}

// DigestOf is the digest of the image from a repository that a task runs, or ran.
func DigestOf(t types.Task, repository string) string {
	for _, one := range t.Containers {
		image := aws.ToString(one.Image)
		if strings.Contains(image, "/"+repository+":") || strings.Contains(image, "/"+repository+"@") {
			return aws.ToString(one.ImageDigest)
		}
	}
	return "a task without a container from " + repository
}

// Tagged gives the digest that a tag names; empty when there is none.
func (c *Cloud) Tagged(ctx context.Context, repository, tag string) (string, error) {
	out, err := c.ECR.DescribeImages(ctx, &ecr.DescribeImagesInput{RepositoryName: &repository, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: &tag}}})
	var missing *ecrtypes.ImageNotFoundException
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up %s:%s: %w", repository, tag, err)
	}
	return aws.ToString(out.ImageDetails[0].ImageDigest), nil
}

// CopyImage copies an image (a reference with the registry's host) to a tag of another repository, which is created.
func (c *Cloud) CopyImage(ctx context.Context, from, repository, tag string) error {
	if _, err := c.ECR.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &repository}); err != nil {
		return fmt.Errorf("create the repository %s: %w", repository, err)
	}
	source, err := name.ParseReference(from, name.Insecure)
	if err != nil {
		return err
	}
	image, err := c.Image(ctx, from)
	if err != nil {
		return err
	}
	auth, err := c.login(ctx)
	if err != nil {
		return err
	}
	target := source.Context().Registry.Repo(repository).Tag(tag)
	if err := remote.Write(target, image, auth, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("push %s: %w", target, err)
	}
	return nil
}

// Image gives an image of one platform by its whole reference, REPOSITORY@DIGEST.
func (c *Cloud) Image(ctx context.Context, ref string) (v1.Image, error) {
	parsed, err := name.ParseReference(ref, name.Insecure)
	if err != nil {
		return nil, err
	}
	login, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	image, err := remote.Image(parsed, remote.WithContext(ctx), login)
	if err != nil {
		return nil, fmt.Errorf("pull %s: %w", ref, err)
	}
	return image, nil
}

// PushImage pushes an image to a repository, which is created when it is missing.
func (c *Cloud) PushImage(ctx context.Context, image v1.Image, repository, tag string) error {
	_, err := c.ECR.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: &repository})
	if there := new(ecrtypes.RepositoryAlreadyExistsException); err != nil && !errors.As(err, &there) {
		return fmt.Errorf("create the repository %s: %w", repository, err)
	}
	auth, err := c.login(ctx)
	if err != nil {
		return err
	}
	target, err := name.NewTag(c.env["ECR_URL"]+"/"+repository+":"+tag, name.Insecure)
	if err != nil {
		return err
	}
	if err := remote.Write(target, image, auth, remote.WithContext(ctx)); err != nil {
		return fmt.Errorf("push %s: %w", target, err)
	}
	return nil
}

// login opens the registry to a client of it.
func (c *Cloud) login(ctx context.Context) (remote.Option, error) {
	user, password, err := c.loginPassword(ctx)
	if err != nil {
		return nil, err
	}
	return remote.WithAuth(&authn.Basic{Username: user, Password: password}), nil
}

// DeleteTag removes an image's tag.
func (c *Cloud) DeleteTag(ctx context.Context, repository, tag string) error {
	out, err := c.ECR.BatchDeleteImage(ctx, &ecr.BatchDeleteImageInput{RepositoryName: &repository, ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: &tag}}})
	if err == nil && len(out.Failures) > 0 {
		err = errors.New(aws.ToString(out.Failures[0].FailureReason))
	}
	if err != nil {
		return fmt.Errorf("delete %s:%s: %w", repository, tag, err)
	}
	return nil
}

// CreateSecret keeps a value in Secrets Manager and gives the secret's ARN.
func (c *Cloud) CreateSecret(ctx context.Context, name, value string) (arn string, err error) {
	out, err := c.Secrets.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
	if err != nil {
		return "", fmt.Errorf("create the secret %s: %w", name, err)
	}
	return aws.ToString(out.ARN), nil
}

// DeleteSecret deletes a secret at once.
func (c *Cloud) DeleteSecret(ctx context.Context, name string) error {
	if _, err := c.Secrets.DeleteSecret(ctx, &secretsmanager.DeleteSecretInput{SecretId: &name, ForceDeleteWithoutRecovery: aws.Bool(true)}); err != nil {
		return fmt.Errorf("delete the secret %s: %w", name, err)
	}
	return nil
}

// DeleteService deletes a service and waits until its tasks have stopped.
func (c *Cloud) DeleteService(ctx context.Context, cluster, service string) error {
	if _, err := c.ECS.DeleteService(ctx, &ecs.DeleteServiceInput{Cluster: &cluster, Service: &service, Force: aws.Bool(true)}); err != nil {
		return fmt.Errorf("delete the service %s: %w", service, err)
	}
	waiter := ecs.NewServicesInactiveWaiter(c.ECS, func(o *ecs.ServicesInactiveWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second
	})
	if err := waiter.Wait(ctx, &ecs.DescribeServicesInput{Cluster: &cluster, Services: []string{service}}, 5*time.Minute); err != nil {
		return fmt.Errorf("wait until the service %s is gone: %w", service, err)
	}
	return nil
}

// AWS prepares a run of the unmodified AWS CLI on the stage's local AWS.
func (c *Cloud) AWS(ctx context.Context, args ...string) *exec.Cmd {
	// The endpoint is said on the command line too: Debian's AWS CLI is older than the variable.
	command := exec.CommandContext(ctx, "aws", append([]string{"--endpoint-url", c.env["AWS_ENDPOINT_URL"]}, args...)...)
	command.Env = c.Environment()
	return command
}

// Environment is this process's, with what points AWS's tools at the stage's local AWS and nowhere else.
func (c *Cloud) Environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool { return strings.HasPrefix(pair, "AWS_") })
	env = append(env, "AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	for name, value := range c.env {
		env = append(env, name+"="+value)
	}
	return env
}
