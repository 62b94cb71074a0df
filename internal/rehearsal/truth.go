package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"strings"

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

// Serving counts what the tasks of the cluster's services run that run and are to go on running: by service and digest.
func Serving(ctx context.Context, config aws.Config) (map[string]map[release.Digest]int, error) {
	client, cluster := ecs.NewFromConfig(config), Cluster
	found := map[string]map[release.Digest]int{}
	for pages := ecs.NewListTasksPaginator(client, &ecs.ListTasksInput{Cluster: &cluster}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list tasks: %w", err)
		}
		if len(page.TaskArns) == 0 {
			continue
		}
		out, err := client.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &cluster, Tasks: page.TaskArns})
		if err != nil {
			return nil, fmt.Errorf("describe tasks: %w", err)
		}
		for _, t := range out.Tasks {
			if aws.ToString(t.LastStatus) != "RUNNING" || aws.ToString(t.DesiredStatus) != "RUNNING" {
				continue
			}
			service := strings.TrimPrefix(aws.ToString(t.Group), "service:")
			if found[service] == nil {
				found[service] = map[release.Digest]int{}
			}
			found[service][release.Digest(aws.ToString(t.Containers[0].ImageDigest))]++
		}
	}
	return found, nil
}
