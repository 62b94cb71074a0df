package ecs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// runner is the life of one task: it brings the task up, watches it, and takes it down.
type runner struct {
	stop     chan struct{} // closed once the task shall stop
	stopOnce sync.Once
	moved    chan struct{}  // one word when a container's state changed
	watchers sync.WaitGroup // of its containers
	logs     sync.WaitGroup
}

// newTask makes a task that does not run yet.
func newTask(region, cluster string, d *taskDefinition) *task {
	now := time.Now()
	id := newTaskID()
	taskARN := arn(region, "task/"+cluster+"/"+id)
	t := &task{Region: region, Cluster: cluster, Offsets: map[string]int64{}, Targets: map[string]bool{}}
	t.T = types.Task{
		TaskArn: &taskARN, ClusterArn: aws.String(arn(region, "cluster/"+cluster)), TaskDefinitionArn: d.Def.TaskDefinitionArn,
		LastStatus: aws.String(statusProvisioning), DesiredStatus: aws.String(statusRunning), HealthStatus: types.HealthStatusUnknown,
		CreatedAt: &now, Cpu: d.Def.Cpu, Memory: d.Def.Memory, Connectivity: types.ConnectivityConnected, ConnectivityAt: &now,
		AvailabilityZone: aws.String(region + "a"), Overrides: &types.TaskOverride{ContainerOverrides: []types.ContainerOverride{}},
		Attachments: []types.Attachment{}, Tags: []types.Tag{}, Version: 1,
	}
	for _, c := range d.Def.ContainerDefinitions {
		t.T.Containers = append(t.T.Containers, types.Container{
			ContainerArn: aws.String(arn(region, "container/"+cluster+"/"+id+"/"+newUUID())), TaskArn: &taskARN, Name: c.Name, Image: c.Image,
			LastStatus: aws.String(statusPending), HealthStatus: types.HealthStatusUnknown, NetworkInterfaces: []types.NetworkInterface{},
		})
	}
	return t
}

// containerID is a container's name in the engine.
func containerID(t *task, name string) string { return t.id() + "." + safeName(name) }

// safeName keeps to what engines take in an id.
func safeName(name string) string {
	const longest = 40
	clean := strings.Trim(strings.ReplaceAll(strings.ReplaceAll(name, "--", "-"), "__", "_"), "-_")
	return clean[:min(len(clean), longest)]
}

// launch records a task and starts its life. The lock is held.
func (b *Backend) launch(t *task, d *taskDefinition) {
	b.memory.tasks[t.arn()] = t
	b.saveTask(t)
	b.live(t, d, false)
}

// live starts the goroutine that lives a task's life. The lock is held, and Run is under way.
func (b *Backend) live(t *task, d *taskDefinition, adopted bool) {
	r := &runner{stop: make(chan struct{}), moved: make(chan struct{}, 1)}
	b.runners[t.arn()] = r
	if t.leaving() {
		r.stopOnce.Do(func() { close(r.stop) })
	}
	ctx := b.running
	b.workers.Go(func() { b.life(ctx, t, d, r, adopted) })
}

// life is a task from PROVISIONING to STOPPED. When ctx ends it lets go: the containers run on.
func (b *Backend) life(ctx context.Context, t *task, d *taskDefinition, r *runner, adopted bool) {
	defer r.logs.Wait()
	defer r.watchers.Wait()
	if err := b.raise(ctx, t, d, r, adopted); err != nil && ctx.Err() == nil {
		b.locked(func() { b.stop(t, types.TaskStopCodeTaskFailedToStart, err.Error()) })
	}
	select {
	case <-ctx.Done():
		return
	case <-r.stop:
	}
	b.takeDown(ctx, t, d, r)
}

func (b *Backend) locked(f func()) {
	b.lock()
	defer b.unlock()
	f()
}

// enter notes that a task reached a status. The task's service is looked at again.
func (b *Backend) enter(t *task, status string, change func(now time.Time)) {
	b.lock()
	defer b.unlock()
	now := time.Now()
	t.T.LastStatus = &status
	t.T.Version++
	if change != nil {
		change(now)
	}
	b.saveTask(t)
	b.wake(t.serviceKey())
	if s, ok := b.memory.services[t.serviceKey()]; ok && status == statusStopped {
		b.advance(s) // with the last old task the deployment ends: no one shall see the one without the other
	}
}

// stop asks a task to stop, and says why; the first reason counts. The lock is held.
func (b *Backend) stop(t *task, code types.TaskStopCode, reason string) {
	if t.leaving() {
		return
	}
	now := time.Now()
	t.T.DesiredStatus, t.T.StopCode, t.T.StoppedReason, t.T.StoppingAt = aws.String(statusStopped), code, &reason, &now
	b.saveTask(t)
	if r, ok := b.runners[t.arn()]; ok {
		r.stopOnce.Do(func() { close(r.stop) })
	}
	b.wake(t.serviceKey())
}

// raise brings a task up to RUNNING and starts watching it. An error is what ECS would give as the stopped reason.
func (b *Backend) raise(ctx context.Context, t *task, d *taskDefinition, r *runner, adopted bool) error {
	starting, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a stop ends a start that is under way
		select {
		case <-r.stop:
			cancel()
		case <-starting.Done():
		}
	}()
	if adopted && t.T.StartedAt != nil {
		return b.resume(ctx, starting, t, d, r)
	}
	supplies, err := b.prepare(starting, t, d)
	if err != nil {
		return err
	}
	if err := b.startContainers(ctx, starting, t, d, r, supplies); err != nil {
		return err
	}
	b.enter(t, statusActivating, nil)
	if err := b.join(starting, t); err != nil {
		return err
	}
	if starting.Err() != nil {
		return nil // it was stopped meanwhile, with a reason of its own
	}
	b.enter(t, statusRunning, func(now time.Time) {
		t.T.StartedAt = &now
		for i := range t.T.Containers {
			if c := &t.T.Containers[i]; *c.LastStatus != statusStopped {
				c.LastStatus = aws.String(statusRunning)
			}
		}
	})
	b.watchTargets(ctx, t, r)
	return nil
}

// resume goes on watching a task that runs already. One that is stopping stays out of its load balancers.
func (b *Backend) resume(life, starting context.Context, t *task, d *taskDefinition, r *runner) error {
	b.watch(life, t, d, r)
	var leaving bool
	b.locked(func() { leaving = t.leaving() })
	if leaving {
		return nil
	}
	if err := b.join(starting, t); err != nil {
		return err
	}
	b.watchTargets(life, t, r) // only now: a target that is not registered is not healthy
	return nil
}

// supplies are what a task's containers are started with, by container.
type supplies struct {
	images  map[string]pulled
	secrets map[string][]string // NAME=value
}

// prepare resolves the secrets, and then makes the sandbox and pulls the images, both at once.
func (b *Backend) prepare(ctx context.Context, t *task, d *taskDefinition) (got supplies, err error) {
	if err := b.checkLogGroups(ctx, t, d); err != nil {
		return got, err
	}
	if got.secrets, err = b.secretEnv(ctx, t, d); err != nil {
		return got, err
	}
	type netResult struct {
		box engine.Sandbox
		err error
	}
	network := make(chan netResult, 1)
	go func() {
		var made netResult
		made.err = b.work.through(ctx, func() (err error) {
			made.box, err = b.Engine.CreateSandbox(ctx, sandboxSpec(t, d))
			return err
		})
		network <- made
	}()
	b.enter(t, statusPending, func(now time.Time) { t.T.PullStartedAt = &now })
	got.images, err = b.pullAll(ctx, t, d)
	made := <-network
	if err != nil {
		return got, err
	}
	if made.err != nil {
		return got, fmt.Errorf("ResourceInitializationError: failed to configure the task's network: %w", made.err)
	}
	b.enter(t, statusPending, func(now time.Time) {
		t.T.PullStoppedAt = &now
		attach(t, made.box)
	})
	return got, nil
}

// attach notes the task's network interface where ECS shows it.
func attach(t *task, box engine.Sandbox) {
	id := newUUID()
	t.IP, t.Published = box.IP, box.Published
	t.T.Attachments = []types.Attachment{{
		Id: &id, Type: aws.String("ElasticNetworkInterface"), Status: aws.String("ATTACHED"),
		Details: []types.KeyValuePair{{Name: aws.String("privateIPv4Address"), Value: aws.String(box.IP)}},
	}}
	for i := range t.T.Containers {
		t.T.Containers[i].NetworkInterfaces = []types.NetworkInterface{{AttachmentId: &id, PrivateIpv4Address: aws.String(box.IP)}}
	}
}

// takeDown stops a task: out of the load balancers, which drain; the containers asked and then made to end; the network
// removed.
func (b *Backend) takeDown(ctx context.Context, t *task, d *taskDefinition, r *runner) {
	b.enter(t, statusDeactivating, nil)
	b.leave(ctx, t)
	if ctx.Err() != nil {
		return
	}
	b.enter(t, statusStopping, nil)
	b.endContainers(ctx, t, d)
	r.watchers.Wait()
	r.logs.Wait()
	if ctx.Err() != nil {
		return
	}
	b.enter(t, statusDeprovisioning, func(now time.Time) { t.T.ExecutionStoppedAt = &now })
	if err := b.work.through(ctx, func() error { return b.Engine.RemoveSandbox(ctx, t.id()) }); err != nil && !errors.Is(err, engine.ErrNotFound) {
		if ctx.Err() != nil {
			return
		}
		b.Log.Error("ecs: remove sandbox", "task", t.id(), "err", err)
	}
	b.enter(t, statusStopped, func(now time.Time) {
		t.T.StoppedAt = &now
		for i := range t.T.Containers {
			t.T.Containers[i].LastStatus = aws.String(statusStopped)
		}
		for i := range t.T.Attachments {
			t.T.Attachments[i].Status = aws.String("DELETED")
		}
		delete(b.runners, t.arn())
	})
}

// endContainers asks every container that runs to stop, and kills what has not after its stop timeout. A container ends
// after those that depend on it: the order of the start reversed.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
func (b *Backend) endContainers(ctx context.Context, t *task, d *taskDefinition) {
	dependants := map[string]*sync.WaitGroup{}
	for _, c := range d.Def.ContainerDefinitions {
		dependants[*c.Name] = &sync.WaitGroup{}
	}
	for _, c := range d.Def.ContainerDefinitions {
		for _, dep := range c.DependsOn {
			dependants[*dep.ContainerName].Add(1)
		}
	}
	var all sync.WaitGroup
	for _, c := range d.Def.ContainerDefinitions {
		all.Go(func() {
			dependants[*c.Name].Wait()
			b.endContainer(ctx, t, c)
			for _, dep := range c.DependsOn {
				dependants[*dep.ContainerName].Done()
			}
		})
	}
	all.Wait()
}

// defaultStopTimeout is what a container gets between SIGTERM and SIGKILL.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
const defaultStopTimeout = 30

func (b *Backend) endContainer(ctx context.Context, t *task, c types.ContainerDefinition) {
	id := containerID(t, *c.Name)
	if err := b.Engine.Signal(ctx, id, "SIGTERM"); err != nil {
		b.unlessGone(err, "ask container to stop", id)
		return
	}
	polite, cancel := context.WithTimeout(ctx, time.Duration(*orInt32(c.StopTimeout, defaultStopTimeout))*time.Second)
	defer cancel()
	if _, err := b.Engine.Wait(polite, id); err == nil || ctx.Err() != nil || errors.Is(err, engine.ErrNotFound) {
		return
	}
	if err := b.Engine.Signal(ctx, id, "SIGKILL"); err != nil {
		b.unlessGone(err, "kill container", id)
		return
	}
	if _, err := b.Engine.Wait(ctx, id); err != nil && ctx.Err() == nil {
		b.unlessGone(err, "wait for container", id)
	}
}

func (b *Backend) unlessGone(err error, what, id string) {
	if !errors.Is(err, engine.ErrNotFound) && !errors.Is(err, context.Canceled) {
		b.Log.Error("ecs: "+what, "container", id, "err", err)
	}
}
