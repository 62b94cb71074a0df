package shop

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// taskLimit is how long a command in a task of its own may take.
const taskLimit = 5 * time.Minute

// Exec runs a command in a task of its own, in the server's task definition and network, as `aws ecs run-task` does. It must
// end with exit code 0.
func (s *Shop) Exec(ctx context.Context, command ...string) error {
	task, err := s.runTask(ctx, command)
	if err != nil {
		return fmt.Errorf("run a task for %s: %w", command[0], err)
	}
	in := &ecs.DescribeTasksInput{Cluster: aws.String(Cluster), Tasks: []string{task}}
	waiter := ecs.NewTasksStoppedWaiter(s.Cloud.ECS, func(o *ecs.TasksStoppedWaiterOptions) { o.MinDelay, o.MaxDelay = 100*time.Millisecond, time.Second })
	out, err := waiter.WaitForOutput(ctx, in, taskLimit)
	if err != nil {
		return fmt.Errorf("wait for the task of %s: %w", command[0], err)
	}
	for _, one := range out.Tasks[0].Containers {
		if one.ExitCode == nil || *one.ExitCode != 0 {
			log, _ := s.Run(ctx, "logs", "--service", Server)
			return fmt.Errorf("%s ended with %v (%s)\n%s", command[0], aws.ToInt32(one.ExitCode), aws.ToString(out.Tasks[0].StoppedReason), log.Stdout)
		}
	}
	return nil
}

func (s *Shop) runTask(ctx context.Context, command []string) (arn string, err error) {
	found, err := s.Cloud.ECS.DescribeServices(ctx, &ecs.DescribeServicesInput{Cluster: aws.String(Cluster), Services: []string{Server}})
	if err != nil {
		return "", err
	}
	if len(found.Services) != 1 {
		return "", fmt.Errorf("there is no service %s", Server)
	}
	service := found.Services[0]
	out, err := s.Cloud.ECS.RunTask(ctx, &ecs.RunTaskInput{
		Cluster: aws.String(Cluster), TaskDefinition: service.TaskDefinition, LaunchType: service.LaunchType, NetworkConfiguration: service.NetworkConfiguration,
		Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{{Name: aws.String(container), Command: command}}},
	})
	if err != nil {
		return "", err
	}
	if len(out.Tasks) != 1 {
		return "", errors.New(strings.Join(failures(out.Failures), "; "))
	}
	return aws.ToString(out.Tasks[0].TaskArn), nil
}

func failures(all []types.Failure) (reasons []string) {
	for _, one := range all {
		reasons = append(reasons, aws.ToString(one.Reason)+" "+aws.ToString(one.Detail))
	}
	return reasons
}

// AddUser makes a user of the admin.
func (s *Shop) AddUser(ctx context.Context, email, password string) error {
	return s.Exec(ctx, "node_modules/.bin/medusa", "user", "--email", email, "--password", password)
}
