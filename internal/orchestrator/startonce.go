package orchestrator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
)

const (
	// mostTurns bounds the tokens that are tried: as many runs of one migration can be known at once.
	mostTurns = 200
	// tokenEpoch is how long those share a token who start a task for which there was no room before.
	tokenEpoch = time.Minute
)

// startOnce starts the task, or gives the one that another request with the same token has started: one whose answer got
// lost, or that of another release at the same time. ECS answers a token that it knows with the first request's task,
// until an hour after the task's end (at most a day), also when that task has ended long ago. So tokens are numbered, and
// the first whose task did not end before we came, which is what older tells, is the one to use. All who look at the
// same time find the same number.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
func (o *Orchestrator) startOnce(ctx context.Context, in *ecs.RunTaskInput, older map[string]bool) (task types.Task, joined bool, err error) {
	epoch := ""
	for turn := 0; turn < mostTurns; turn++ {
		in.ClientToken = aws.String(token(aws.ToString(in.StartedBy), epoch, turn))
		task, joined, err = o.runTask(ctx, in)
		var noRoom *placementError
		switch {
		case errors.As(err, &noRoom) && epoch == "":
			// A token gives the failure of its first request again, also when there is room by now: ask anew, with a token that
			// is not older than a minute.
			if task, joined, err = o.underWay(ctx, in); joined || err != nil {
				return task, joined, err
			}
			epoch, turn = fmt.Sprint(time.Now().Truncate(tokenEpoch).Unix()), -1
		case err != nil:
			return types.Task{}, false, err
		case task.TaskArn != nil && !older[*task.TaskArn]:
			return task, joined, nil
		}
	}
	return types.Task{}, false, fmt.Errorf("run its task: it was run %d times in a short time already; wait an hour, or mend what makes it fail", mostTurns)
}

// token is a client token: up to 64 printable characters.
func token(startedBy, epoch string, turn int) string {
	sum := sha256.Sum256([]byte(startedBy + "\n" + epoch))
	return fmt.Sprintf("%s-%d", hex.EncodeToString(sum[:16]), turn)
}

// runTask sends one RunTask. A token that was used with other parameters (say, another revision that says the same)
// gives the task that it started then, as joined; none when ECS has forgotten that.
func (o *Orchestrator) runTask(ctx context.Context, in *ecs.RunTaskInput) (task types.Task, joined bool, err error) {
	out, err := awsclient.Call(ctx, o.ecs.RunTask, in)
	var taken *types.ConflictException
	switch {
	case errors.As(err, &taken):
		found, err := o.describeTasks(ctx, *in.Cluster, taken.ResourceIds)
		if err != nil || len(found) == 0 {
			return types.Task{}, false, err
		}
		return found[0], true, nil
	case err != nil:
		return types.Task{}, false, fmt.Errorf("run its task: %w", missing(err))
	case len(out.Tasks) == 0:
		return types.Task{}, false, newPlacementError(out.Failures)
	case !ending(out.Tasks[0]):
		return out.Tasks[0], false, nil
	}
	// Of a task that has ended this answer has little more than the ARN.
	found, err := o.describeTasks(ctx, *in.Cluster, []string{aws.ToString(out.Tasks[0].TaskArn)})
	if err != nil || len(found) == 0 {
		return types.Task{}, false, err
	}
	return found[0], false, nil
}
