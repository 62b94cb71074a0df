package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// sample is one rollout.
type sample struct {
	fact    time.Time // the moment from which on the verdict could be known
	ended   time.Time // when ECS ended the deployment
	exited  time.Time // ship
	outcome release.Outcome
	exit    int
	waited  time.Time // the exit of the AWS CLI's waiter
	waiter  int       // its exit code
}

// lane is one service.
type lane struct {
	name    string
	app     *rehearsal.Stage
	cloud   *rehearsal.Cloud
	waiting chan error // one word when the AWS CLI has ended; nil: it does not run
}

// await waits for the AWS CLI that still waits for the service, if there is one.
func (l *lane) await() error {
	if l.waiting == nil {
		return nil
	}
	err := <-l.waiting
	l.waiting = nil
	return err
}

// good ships a version that works. ECS takes the last old task away in the very step in which it counts the last new one
// as healthy: its stoppingAt is that moment.
func (l *lane) good(ctx context.Context) (*sample, error) {
	before, err := l.cloud.Tasks(ctx, l.name, l.name, types.DesiredStatusRunning)
	if err != nil {
		return nil, err
	}
	s, result, err := l.ship(ctx, "another good version")
	if err != nil {
		return nil, err
	}
	if result.Outcome != release.OutcomeSucceeded {
		return nil, fmt.Errorf("%s: %s", result.Outcome, result.Error)
	}
	var arns []string
	for _, t := range before {
		arns = append(arns, *t.TaskArn)
	}
	old, err := l.cloud.ECS.DescribeTasks(ctx, &ecs.DescribeTasksInput{Cluster: &l.name, Tasks: arns})
	if err != nil {
		return nil, err
	}
	for _, t := range old.Tasks {
		if at := aws.ToTime(t.StoppingAt); at.After(s.fact) {
			s.fact = at
		}
	}
	deployments, err := l.cloud.ECS.DescribeServiceDeployments(ctx, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{result.Services[0].Deployment}})
	if err != nil {
		return nil, err
	}
	if s.fact.IsZero() || len(deployments.ServiceDeployments) != 1 || deployments.ServiceDeployments[0].FinishedAt == nil {
		return nil, errors.New("ECS does not tell when the old tasks were taken away and the deployment ended")
	}
	s.ended = *deployments.ServiceDeployments[0].FinishedAt
	return s, nil
}

// crash ships a version that exits at once: the second of its tasks that has stopped shows that it will go on like this.
func (l *lane) crash(ctx context.Context) (*sample, error) {
	begin := time.Now()
	s, result, err := l.ship(ctx, "a version that crashes")
	if err != nil {
		return nil, err
	}
	if result.Outcome != release.OutcomeRolledBack || result.Exit != release.ExitRolledBack {
		return nil, fmt.Errorf("%s, exit %d: %s", result.Outcome, result.Exit, result.Error)
	}
	stopped, err := l.cloud.Tasks(ctx, l.name, l.name, types.DesiredStatusStopped)
	if err != nil {
		return nil, err
	}
	var crashes []time.Time
	for _, t := range stopped {
		if t.StopCode == types.TaskStopCodeEssentialContainerExited && t.StoppedAt != nil && t.CreatedAt.After(begin) {
			crashes = append(crashes, *t.StoppedAt)
		}
	}
	if len(crashes) < 2 {
		return nil, fmt.Errorf("%d tasks crashed, want two", len(crashes))
	}
	slices.SortFunc(crashes, time.Time.Compare)
	s.fact = crashes[1]
	return s, nil
}

// ship ships a new commit. The AWS CLI starts to wait for the service the moment that its rollout has begun.
func (l *lane) ship(ctx context.Context, subject string) (*sample, release.Result, error) {
	var result release.Result
	if _, err := l.app.Commit(subject); err != nil {
		return nil, result, err
	}
	command := l.app.Command(ctx, "ship", "--output", "json")
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, result, err
	}
	if err := command.Start(); err != nil {
		return nil, result, err
	}
	s := &sample{}
	last := l.follow(ctx, stdout, s)
	_ = command.Wait() // its exit code is in the result
	s.exited, s.exit = time.Now(), command.ProcessState.ExitCode()
	if err := json.Unmarshal([]byte(last), &result); err != nil {
		return nil, result, fmt.Errorf("ship's last line is no result: %w: %s", err, last)
	}
	s.outcome = result.Outcome
	if l.waiting == nil {
		return nil, result, fmt.Errorf("there was no rollout: %s", last)
	}
	return s, result, nil
}

// longestEvent is how long a line of ship's output may be, in bytes.
const longestEvent = 1 << 20

// follow reads ship's events to their end and gives the last one.
func (l *lane) follow(ctx context.Context, events io.Reader, s *sample) (last string) {
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, longestEvent)
	for lines.Scan() {
		last = lines.Text()
		if l.waiting == nil && strings.Contains(last, `"type":"rollout_started"`) {
			ended := make(chan error, 1)
			l.waiting = ended
			go func() { ended <- l.stable(ctx, s) }()
		}
	}
	return last
}

// stable runs the AWS CLI's waiter.
func (l *lane) stable(ctx context.Context, s *sample) error {
	out, err := l.cloud.AWS(ctx, "ecs", "wait", "services-stable", "--cluster", l.name, "--services", l.name).CombinedOutput()
	s.waited = time.Now()
	var exited *exec.ExitError
	if errors.As(err, &exited) {
		s.waiter = exited.ExitCode()
		return nil
	}
	if err != nil {
		return fmt.Errorf("aws ecs wait services-stable: %w: %s", err, out)
	}
	return nil
}
