package orchestrator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// lookAgainAWS and lookAgainLocal are how old a rollout's tasks may be while nothing seems to happen to them.
	lookAgainAWS   = 5 * time.Second
	lookAgainLocal = 250 * time.Millisecond
	// movingFaster is how many times sooner they are looked at while one of them is on its way out: its exit code comes
	// without any other sign.
	movingFaster = 5
)

// sighting is a rollout's tasks as they were last listed.
type sighting struct {
	signs  string // what the service and the deployment said just before
	at     time.Time
	moving bool
	tasks  []release.Task
}

// sight gives the service's tasks. They are listed anew when the deployment has ended, when the service or the
// deployment shows that something happened since, and every so often.
func (o *Orchestrator) sight(ctx context.Context, cluster string, s types.Service, d types.ServiceDeployment, r release.Rollout) ([]release.Task, error) {
	now, signs := time.Now(), signsOf(s, d)
	o.mu.Lock()
	last, ok := o.sightings[r.Deployment]
	o.mu.Unlock()
	if ok && !over(d.Status) && last.signs == signs && now.Sub(last.at) < o.goodFor(last) {
		return slices.Clone(last.tasks), nil
	}
	tasks, err := o.tasks(ctx, cluster, r.Service)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	o.sightings[r.Deployment] = sighting{signs, now, moving(tasks, r), slices.Clone(tasks)}
	o.mu.Unlock()
	return tasks, nil
}

func (o *Orchestrator) goodFor(s sighting) time.Duration {
	if s.moving {
		return o.lookAgain / movingFaster
	}
	return o.lookAgain
}

// signsOf is all that a service and its deployment tell of tasks that start and stop: their statuses, their counts, and
// the newest event, because a task that was replaced between two looks leaves the counts as they were.
func signsOf(s types.Service, d types.ServiceDeployment) string {
	var b strings.Builder
	fmt.Fprint(&b, d.Status, d.LifecycleStage, s.DesiredCount, s.RunningCount, s.PendingCount)
	if breaker := d.DeploymentCircuitBreaker; breaker != nil {
		fmt.Fprint(&b, " breaker ", breaker.FailureCount)
	}
	if target := d.TargetServiceRevision; target != nil {
		fmt.Fprint(&b, " target ", target.RunningTaskCount, target.PendingTaskCount)
	}
	for _, one := range s.Deployments {
		fmt.Fprint(&b, " ", aws.ToString(one.Id), one.RunningCount, one.PendingCount, one.FailedTasks)
	}
	if len(s.Events) > 0 { // the newest comes first
		fmt.Fprint(&b, " ", aws.ToString(s.Events[0].Id), aws.ToTime(s.Events[0].CreatedAt), aws.ToString(s.Events[0].Message))
	}
	return b.String()
}

// moving reports whether a task of the rollout is on its way out.
func moving(tasks []release.Task, r release.Rollout) bool {
	return slices.ContainsFunc(tasks, func(t release.Task) bool {
		return t.StartedBy == r.StartedBy && t.DesiredStatus == statusStopped && t.LastStatus != statusStopped
	})
}
