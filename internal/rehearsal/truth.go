package rehearsal

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// The example app's names.
const (
	Cluster    = "medusa-cluster"
	Repository = "medusa"
)

// AWSConfig is an SDK's configuration for the stage's local AWS, where it really listens.
func (s *Stage) AWSConfig(ctx context.Context) (aws.Config, error) {
	env, err := s.LocalEnv(ctx)
	if err != nil {
		return aws.Config{}, err
	}
	return aws.Config{
		Region: env["AWS_REGION"], BaseEndpoint: aws.String("http://" + s.listen),
		Credentials: credentials.NewStaticCredentialsProvider(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], ""),
	}, nil
}

// Latest is the digest that the release tag names; empty when there is no such tag.
func Latest(ctx context.Context, config aws.Config) (release.Digest, error) {
	out, err := ecr.NewFromConfig(config).DescribeImages(ctx, &ecr.DescribeImagesInput{
		RepositoryName: aws.String(Repository), ImageIds: []ecrtypes.ImageIdentifier{{ImageTag: aws.String("latest")}},
	})
	var absent *ecrtypes.ImageNotFoundException
	if errors.As(err, &absent) {
		return "", nil
	}
	if err != nil || len(out.ImageDetails) != 1 {
		return "", fmt.Errorf("look what :latest names: %w", err)
	}
	return release.Digest(aws.ToString(out.ImageDetails[0].ImageDigest)), nil
}

// Serving counts what a service's tasks run that run and are to go on running, by digest.
func Serving(ctx context.Context, config aws.Config, service string) (map[release.Digest]int, error) {
	client, cluster := ecs.NewFromConfig(config), Cluster
	listed, err := client.ListTasks(ctx, &ecs.ListTasksInput{Cluster: &cluster, ServiceName: &service})
	if err != nil {
		return nil, fmt.Errorf("list the tasks of %s: %w", service, err)
	}
	found := map[release.Digest]int{}
	if len(listed.TaskArns) == 0 {
		return found, nil
	}
	out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: listed.TaskArns})
	if err != nil {
		return nil, fmt.Errorf("describe the tasks of %s: %w", service, err)
	}
	for _, t := range out.Tasks {
		if aws.ToString(t.LastStatus) == "RUNNING" && aws.ToString(t.DesiredStatus) == "RUNNING" {
			found[release.Digest(aws.ToString(t.Containers[0].ImageDigest))]++
		}
	}
	return found, nil
}
