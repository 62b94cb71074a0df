package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// slowestPoll is how many times longer the pause between two looks grows while nothing moves.
	slowestPoll = 5
	// longestReason is how much of a reason StopTask is told.
	longestReason = 255
)

// AwaitTask implements release.Orchestrator. The log is followed beside the task, so that trouble with the one does not
// hold up the other; a log that cannot be read is a notice, no error.
func (o *Orchestrator) AwaitTask(ctx context.Context, t release.MigrationTask, emit release.Emit) (release.Task, error) {
	log := o.tailOf(ctx, t, emit)
	following, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		log.follow(following)
	}()
	task, err := o.awaitStopped(ctx, t.Cluster, t.Task.ARN)
	stop()
	<-ended
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return taskOf(task), err
	}
	log.finish(ctx, taskOf(task))
	return taskOf(task), nil
}

// awaitStopped waits until a task has stopped. It looks often while the task's status changes, and less often while
// it does not.
func (o *Orchestrator) awaitStopped(ctx context.Context, cluster, arn string) (types.Task, error) {
	var last types.Task
	began, wait := time.Now(), o.logPoll
	for {
		found, err := o.describeTasks(ctx, cluster, []string{arn})
		switch {
		case awsclient.Outage(err):
			// The task goes on without us: it will have ended when AWS is back.
		case err != nil:
			return last, fmt.Errorf("task %s: %w", lastPart(arn), err)
		case len(found) > 0 && aws.ToString(found[0].LastStatus) == statusStopped:
			return found[0], nil
		case len(found) == 0 && (last.TaskArn != nil || time.Since(began) > appearWithin):
			return last, fmt.Errorf("task %s: ECS does not know it, or no longer (it forgets tasks an hour after their end): %w", lastPart(arn), release.ErrNotFound)
		case len(found) == 0:
			// ECS shows a new task a moment after it has started it.
		case aws.ToString(found[0].LastStatus) != aws.ToString(last.LastStatus):
			last, wait = found[0], o.logPoll
		}
		if err := pause(ctx, wait); err != nil {
			return last, err
		}
		wait = min(wait*3/2, slowestPoll*o.logPoll)
	}
}

// StopTask implements release.Orchestrator. Whether a refusal matters is read from the task itself, not from the wording
// of the refusal.
func (o *Orchestrator) StopTask(ctx context.Context, cluster, arn, reason string) error {
	if runes := []rune(reason); len(runes) > longestReason {
		reason = string(runes[:longestReason])
	}
	_, err := awsclient.Call(ctx, o.ecs.StopTask, &ecs.StopTaskInput{Cluster: &cluster, Task: &arn, Reason: &reason})
	if err == nil {
		return nil
	}
	found, lookErr := o.describeTasks(ctx, cluster, []string{arn})
	switch {
	case lookErr != nil:
		return errors.Join(fmt.Errorf("stop task %s: %w", lastPart(arn), missing(err)), lookErr)
	case len(found) == 0 || ending(found[0]):
		return nil
	}
	return fmt.Errorf("stop task %s: %w", lastPart(arn), missing(err))
}
