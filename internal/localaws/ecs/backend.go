package ecs

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Defaults of a Config's fields.
const (
	// DefaultSteadyAfter is how long a task must run to count when it has neither load balancer nor health check.
	DefaultSteadyAfter = 40 * time.Second
	// DefaultTargetPatience is how long a new target may fail its health checks before its task is replaced: what two
	// checks at Elastic Load Balancing's default interval of 30 s take.
	DefaultTargetPatience = 60 * time.Second
)

// Config is what a Backend needs.
type Config struct {
	Store        *store.Store
	Engine       engine.Engine
	Images       Images
	LoadBalancer LoadBalancer
	Logs         LogSink
	Secrets      Secrets
	Log          *slog.Logger
	SteadyAfter  time.Duration
	// HealthyAfter is how long a task must run to count although its checks pass and its targets are healthy; 0: no time.
	HealthyAfter   time.Duration
	TargetPatience time.Duration
}

// Backend is the state of ECS and its API. Run makes it act; without Run it only remembers.
type Backend struct {
	Config
	mu       sync.Mutex // guards all that follows; every change is on disk before the lock is released
	tables   tables
	memory   memory
	unsaved  map[recordKey]func(*store.Batch) error // changes that unlock writes
	running  context.Context                        // of Run; nil before
	workers  sync.WaitGroup
	runners  map[string]*runner       // by task ARN: tasks that are not stopped
	wakes    map[string]chan struct{} // by service key: one word is enough
	pulls    gate
	work     gate     // all else that the engine does to bring tasks up and down
	resolves sync.Map // revision ARN → *sync.Mutex: digests are resolved once
}

// New loads the state.
func New(cfg Config) (*Backend, error) {
	if cfg.Store == nil || cfg.Engine == nil || cfg.Images == nil || cfg.LoadBalancer == nil || cfg.Logs == nil || cfg.Secrets == nil {
		return nil, errors.New("ecs: a part is missing from its configuration")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.SteadyAfter <= 0 {
		cfg.SteadyAfter = DefaultSteadyAfter
	}
	if cfg.TargetPatience <= 0 {
		cfg.TargetPatience = DefaultTargetPatience
	}
	b := &Backend{
		Config: cfg, unsaved: map[recordKey]func(*store.Batch) error{}, runners: map[string]*runner{}, wakes: map[string]chan struct{}{},
		pulls: make(gate, pullsAtOnce), work: make(gate, workAtOnce),
	}
	if err := b.open(); err != nil {
		return nil, err
	}
	return b, nil
}

// Service is the registration of ECS with wire.
func (b *Backend) Service() wire.Service {
	return wire.Service{
		Name:         "ecs",
		TargetPrefix: "AmazonEC2ContainerServiceV20141113",
		Backend:      b,
		Operations:   wire.OperationsOf((*awsecs.Client)(nil)),
	}
}

// Run takes over what an earlier process left running and then acts until ctx ends. Containers keep running after it.
func (b *Backend) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer b.workers.Wait()
	defer cancel()
	if err := b.adopt(ctx); err != nil {
		return err
	}
	b.lock()
	b.running = ctx
	for _, s := range b.memory.services {
		b.control(s)
	}
	b.unlock()
	b.forget(ctx)
	b.lock()
	b.running = nil
	b.unlock()
	return nil
}

// stoppedTaskLife is how long a stopped task can be described.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html
const stoppedTaskLife = time.Hour

// forget removes stopped tasks that are too old, until ctx ends.
func (b *Backend) forget(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		b.lock()
		for arn, t := range b.memory.tasks {
			if t.T.StoppedAt != nil && time.Since(*t.T.StoppedAt) > stoppedTaskLife {
				delete(b.memory.tasks, arn)
				delete(b.unsaved, recordKey{b.tables.tasks, arn})
				b.note(b.tables.tasks.Delete(arn))
			}
		}
		b.unlock()
	}
}

// note logs an error that has no caller to go to. State that cannot be written is said loudly: the disk is full or gone.
func (b *Backend) note(err error) {
	if err != nil {
		b.Log.Error("ecs: write state", "err", err)
	}
}

// control starts the controller of a service. The lock is held.
func (b *Backend) control(s *service) {
	if b.running == nil {
		return
	}
	key := s.key()
	if _, started := b.wakes[key]; started {
		return
	}
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	b.wakes[key] = wake
	ctx := b.running
	b.workers.Go(func() { b.controller(ctx, key, wake) })
}

// wake has a service looked at. The lock is held.
func (b *Backend) wake(key string) {
	select {
	case b.wakes[key] <- struct{}{}:
	default: // nobody controls it, or a word is waiting already
	}
}

// controller looks at one service whenever something changed, until the service or ctx is gone.
func (b *Backend) controller(ctx context.Context, key string, wake chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake:
		case <-timer.C:
		}
		again, drained := b.reconcile(key)
		if drained {
			b.retire(ctx, key)
			return
		}
		timer.Stop()
		if again > 0 {
			timer.Reset(again)
		}
	}
}
