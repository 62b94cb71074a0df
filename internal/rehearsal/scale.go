package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Fleet is many services of one image on a local AWS without containers that enforces AWS's rates.
type Fleet struct {
	*Stage
	Services []string
	cloud    *Cloud
}

// fleetTasks is how many tasks each service of a fleet runs.
const fleetTasks = 2

// NewFleet makes n services on the stage that run the image v1, and then starts such a local AWS with them: nobody has
// drawn on its rates yet. The image v2 is there to be released. The caller closes the stage.
func NewFleet(ctx context.Context, stage *Stage, n int) (*Fleet, error) {
	engine := []string{"--engine", "simulated"}
	if err := stage.Up(ctx, engine...); err != nil {
		return nil, err
	}
	cloud, err := stage.Cloud(ctx)
	if err != nil {
		return nil, err
	}
	f := &Fleet{Stage: stage, cloud: cloud}
	for i := range n {
		f.Services = append(f.Services, fmt.Sprintf("service-%03d", i+1))
	}
	yaml := fmt.Sprintf("app: hello\nimage:\n  repository: %s\n  platforms: [linux/amd64]\ntargets:\n  local:\n    cluster: %s\n    timeout: 10m\n    services: [%s]\n",
		exampleRepository, exampleCluster, strings.Join(f.Services, ", "))
	if err := stage.Write("medusa-deploy.yaml", []byte(yaml)); err != nil {
		return nil, err
	}
	if err := f.pushImages(ctx, "v1", "v2"); err != nil {
		return nil, err
	}
	if err := f.createServices(ctx); err != nil {
		return nil, err
	}
	if _, err := stage.Must(ctx, "local", "down"); err != nil {
		return nil, err
	}
	if err := stage.Up(ctx, append(engine, "--rates", "aws")...); err != nil {
		return nil, err
	}
	return f, f.awaitTasks(ctx)
}

// awaitTasks waits until every service runs all its tasks: those of before have ended with the server that simulated them.
func (f *Fleet) awaitTasks(ctx context.Context) error {
	for {
		status, err := f.LocalStatus(ctx)
		if err != nil {
			return err
		}
		all := 0
		for _, s := range status.Services {
			if s.Running == fleetTasks && s.Pending == 0 {
				all++
			}
		}
		if all == len(f.Services) {
			return nil
		}
		timer := time.NewTimer(200 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// pushImages puts an image for each tag into the registry; latest names the first one.
func (f *Fleet) pushImages(ctx context.Context, tags ...string) error {
	if _, err := f.cloud.ECR.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String(exampleRepository)}); err != nil {
		return fmt.Errorf("make the repository: %w", err)
	}
	auth, err := f.cloud.login(ctx)
	if err != nil {
		return err
	}
	push := func(image v1.Image, tag string) error {
		ref, err := name.NewTag(f.listen+"/"+exampleRepository+":"+tag, name.Insecure)
		if err != nil {
			return err
		}
		if err := remote.Write(ref, image, remote.WithContext(ctx), auth); err != nil {
			return fmt.Errorf("push %s: %w", tag, err)
		}
		return nil
	}
	for i, tag := range tags {
		image, err := random.Image(1000, 1)
		if err != nil {
			return err
		}
		if image, err = mutate.ConfigFile(image, &v1.ConfigFile{Architecture: "amd64", OS: "linux", RootFS: rootFS(image)}); err != nil {
			return err
		}
		if i == 0 {
			err = push(image, "latest")
		}
		if err = errors.Join(err, push(image, tag)); err != nil {
			return err
		}
	}
	return nil
}

// rootFS keeps what the image's config says of its layers.
func rootFS(image v1.Image) v1.RootFS {
	config, err := image.ConfigFile()
	if err != nil {
		return v1.RootFS{}
	}
	return config.RootFS
}

func (f *Fleet) createServices(ctx context.Context) error {
	client := f.cloud.ECS
	if _, err := client.CreateCluster(ctx, &ecs.CreateClusterInput{ClusterName: aws.String(exampleCluster)}); err != nil {
		return fmt.Errorf("make the cluster: %w", err)
	}
	_, err := client.RegisterTaskDefinition(ctx, &ecs.RegisterTaskDefinitionInput{
		Family: aws.String("hello"), NetworkMode: types.NetworkModeAwsvpc, Cpu: aws.String("256"), Memory: aws.String("512"),
		RequiresCompatibilities: []types.Compatibility{types.CompatibilityFargate}, ExecutionRoleArn: aws.String("arn:aws:iam::000000000000:role/execution"),
		ContainerDefinitions: []types.ContainerDefinition{{
			Name: aws.String("hello"), Image: aws.String("000000000000.dkr.ecr.us-east-1.amazonaws.com/" + exampleRepository + ":latest"), Essential: aws.Bool(true),
			HealthCheck: &types.HealthCheck{Command: []string{"CMD", "/hello", "-check"}},
		}},
	})
	if err != nil {
		return fmt.Errorf("register the task definition: %w", err)
	}
	for _, service := range f.Services {
		_, err := client.CreateService(ctx, &ecs.CreateServiceInput{
			Cluster: aws.String(exampleCluster), ServiceName: &service, TaskDefinition: aws.String("hello"), DesiredCount: aws.Int32(fleetTasks), LaunchType: types.LaunchTypeFargate,
			DeploymentConfiguration: &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}},
			NetworkConfiguration:    &types.NetworkConfiguration{AwsvpcConfiguration: &types.AwsVpcConfiguration{Subnets: []string{"subnet-00000000000000000"}}},
		})
		if err != nil {
			return fmt.Errorf("create %s: %w", service, err)
		}
	}
	return nil
}

// FleetRelease is how a release of a whole fleet went.
type FleetRelease struct {
	Result Result
	Calls  []LocalCalls // that the release made
}

// Throttled is how many of the calls were refused for their rate.
func (r FleetRelease) Throttled() (throttled, calls int) {
	for _, c := range r.Calls {
		throttled += c.Throttled
		calls += c.Calls
	}
	return throttled, calls
}

// Release releases v2 to all services, and checks that every task of every service runs it.
func (f *Fleet) Release(ctx context.Context) (FleetRelease, error) {
	before, err := f.LocalStatus(ctx)
	if err != nil {
		return FleetRelease{}, err
	}
	result, err := f.Green(ctx, release.OutcomeSucceeded, "deploy", "v2")
	if err != nil {
		return FleetRelease{Result: result}, err
	}
	after, err := f.LocalStatus(ctx)
	if err != nil {
		return FleetRelease{}, err
	}
	made := FleetRelease{Result: result, Calls: since(before.Calls, after.Calls)}
	return made, f.verify(ctx, result.Digest)
}

// since gives the calls that came on top of earlier ones.
func since(before, after []LocalCalls) []LocalCalls {
	earlier := map[string]LocalCalls{}
	for _, c := range before {
		earlier[c.Service+c.Operation] = c
	}
	var made []LocalCalls
	for _, c := range after {
		was := earlier[c.Service+c.Operation]
		c.Calls, c.Throttled = c.Calls-was.Calls, c.Throttled-was.Throttled
		if c.Calls > 0 {
			made = append(made, c)
		}
	}
	return made
}

// verify looks itself what the services run.
func (f *Fleet) verify(ctx context.Context, want release.Digest) error {
	runs, err := f.cloud.allDigests(ctx, exampleCluster, exampleRepository)
	if err != nil {
		return err
	}
	var wrong []error
	for _, service := range f.Services {
		if expected := slices.Repeat([]string{string(want)}, fleetTasks); !slices.Equal(runs[service], expected) {
			wrong = append(wrong, fmt.Errorf("%s runs %v, want %v", service, runs[service], expected))
		}
	}
	return errors.Join(wrong...)
}

// allDigests gives what the tasks of a cluster that ECS wants to run run of a repository, by service, in few calls.
func (c *Cloud) allDigests(ctx context.Context, cluster, repository string) (map[string][]string, error) {
	found := map[string][]string{}
	for pages := ecs.NewListTasksPaginator(c.ECS, &ecs.ListTasksInput{Cluster: &cluster}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list tasks: %w", err)
		}
		if len(page.TaskArns) == 0 {
			continue
		}
		out, err := c.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: page.TaskArns})
		if err != nil {
			return nil, fmt.Errorf("describe tasks: %w", err)
		}
		for _, t := range out.Tasks {
			service := strings.TrimPrefix(aws.ToString(t.Group), "service:")
			found[service] = append(found[service], DigestOf(t, repository))
		}
	}
	return found, nil
}
