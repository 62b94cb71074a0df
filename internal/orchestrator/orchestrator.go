package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Orchestrator is Amazon ECS in one account and region. It is safe for concurrent use.
type Orchestrator struct {
	ecs    *ecs.Client
	logs   *cloudwatchlogs.Client
	region string
	// logPoll is the time between two looks for new log lines.
	logPoll time.Duration
	// lookAgain is how old tasks may be that nothing is known to have happened to.
	lookAgain time.Duration
	gathering *gathering

	mu          sync.Mutex
	definitions map[string]release.TaskDefinition // by ARN of a revision: it never changes
	resolved    map[string]resolved               // by ARN of a service revision: its digests never change once they are there
	back        map[string]string                 // service deployment → service revision that it was rolled back to
	sightings   map[string]sighting               // by ARN of a service deployment: the tasks as they were last listed
}

var _ release.Orchestrator = (*Orchestrator)(nil)

const (
	// logPollAWS keeps well below the five FilterLogEvents a second that an account has.
	logPollAWS   = time.Second
	logPollLocal = 150 * time.Millisecond
)

// New makes the orchestrator of a session.
func New(session *awsclient.Session) *Orchestrator {
	config := session.AWS()
	o := &Orchestrator{
		ecs: ecs.NewFromConfig(config), logs: cloudwatchlogs.NewFromConfig(config), region: session.Region(), logPoll: logPollAWS,
		lookAgain: lookAgainAWS, definitions: map[string]release.TaskDefinition{}, resolved: map[string]resolved{}, sightings: map[string]sighting{},
		back: map[string]string{},
	}
	if session.OnThisMachine() {
		o.logPoll, o.lookAgain = logPollLocal, lookAgainLocal
	}
	o.gathering = newGathering(o.ecs)
	return o
}

// missing makes release.ErrNotFound of ECS's ways to say that a cluster or a service does not exist.
func missing(err error) error {
	var cluster *types.ClusterNotFoundException
	var service *types.ServiceNotFoundException
	var inactive *types.ServiceNotActiveException
	var deployment *types.ServiceDeploymentNotFoundException
	if errors.As(err, &cluster) || errors.As(err, &service) || errors.As(err, &inactive) || errors.As(err, &deployment) {
		return fmt.Errorf("%s: %w", awsclient.MessageOf(err), release.ErrNotFound)
	}
	return err
}

// pause waits for d or until ctx ends, and then tells why it ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
