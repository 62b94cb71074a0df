package ecs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// startContainers starts a task's containers in the order of their dependencies. They are watched on life, not on
// starting: a stop must not end the watching.
func (b *Backend) startContainers(life, starting context.Context, t *task, d *taskDefinition, r *runner, from supplies) error {
	ordered, err := startOrder(d.Def.ContainerDefinitions)
	if err != nil {
		return err
	}
	for _, c := range ordered {
		if err := b.awaitDependencies(starting, t, d, c, r); err != nil {
			return err
		}
		if starting.Err() != nil {
			return nil
		}
		spec := containerSpec(t, d, c, from.images[*c.Name])
		spec.SecretEnv = from.secrets[*c.Name]
		if err := b.work.through(starting, func() error { return b.Engine.Start(starting, spec) }); err != nil {
			if starting.Err() != nil {
				return nil
			}
			reason := startReason(err)
			b.locked(func() { t.container(*c.Name).Reason = &reason })
			return errors.New(reason)
		}
		b.locked(func() {
			one := t.container(*c.Name)
			one.LastStatus, one.RuntimeId = aws.String(statusRunning), aws.String(spec.ID)
			b.saveTask(t)
		})
		b.watchContainer(life, t, c, r)
	}
	return nil
}

// startReason words a failed start as ECS does.
func startReason(err error) string {
	if errors.Is(err, engine.ErrStart) {
		return "CannotStartContainerError: " + err.Error()
	}
	return "CannotCreateContainerError: " + err.Error()
}

// awaitDependencies waits until the conditions of a container's dependsOn hold. One that never can is an error, and so is
// one that does not within the startTimeout of the container depended on.
func (b *Backend) awaitDependencies(ctx context.Context, t *task, d *taskDefinition, c types.ContainerDefinition, r *runner) error {
	for _, dep := range c.DependsOn {
		timeout := startTimeout(d, *dep.ContainerName)
		for {
			var met, never bool
			b.locked(func() { met, never = conditionMet(t.container(*dep.ContainerName), dep.Condition) })
			if never {
				return fmt.Errorf("ResourceInitializationError: container %s depends on %s to be %s, and it is not", *c.Name, *dep.ContainerName, dep.Condition)
			}
			if met {
				break
			}
			select {
			case <-ctx.Done():
				return nil
			case <-timeout:
				return fmt.Errorf("ResourceInitializationError: container %s waited for %s to be %s longer than its startTimeout", *c.Name, *dep.ContainerName, dep.Condition)
			case <-r.moved:
			}
		}
	}
	return nil
}

// startTimeout fires when others have waited long enough for a container; without a startTimeout that is never.
func startTimeout(d *taskDefinition, name string) <-chan time.Time {
	for _, c := range d.Def.ContainerDefinitions {
		if *c.Name == name && c.StartTimeout != nil {
			return time.After(seconds(c.StartTimeout, 0))
		}
	}
	return nil
}

// conditionMet tells whether a dependency's condition holds, or never will.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDependency.html
func conditionMet(c *types.Container, condition types.ContainerCondition) (met, never bool) {
	stopped := *c.LastStatus == statusStopped
	switch condition {
	case types.ContainerConditionHealthy:
		return c.HealthStatus == types.HealthStatusHealthy, stopped || c.HealthStatus == types.HealthStatusUnhealthy
	case types.ContainerConditionComplete:
		return stopped, false
	case types.ContainerConditionSuccess:
		return stopped && aws.ToInt32(c.ExitCode) == 0, stopped && aws.ToInt32(c.ExitCode) != 0
	}
	return *c.LastStatus == statusRunning || stopped, false
}

// containerSpec says how the engine starts a container. What RunTask overrides wins.
func containerSpec(t *task, d *taskDefinition, c types.ContainerDefinition, image pulled) engine.ContainerSpec {
	spec := engine.ContainerSpec{
		ID: containerID(t, *c.Name), Sandbox: t.id(), Name: *c.Name, Image: image.ref,
		Entrypoint: c.EntryPoint, Command: c.Command, WorkingDir: aws.ToString(c.WorkingDirectory), User: aws.ToString(c.User),
		ReadonlyRootfs: aws.ToBool(c.ReadonlyRootFilesystem), Privileged: aws.ToBool(c.Privileged),
		MemoryBytes: memoryBytes(t, d, c), CPUShares: int64(c.Cpu),
		Labels: map[string]string{"ecs.task": t.arn(), "ecs.container": *c.Name},
		Env:    []string{"AWS_REGION=" + t.Region, "AWS_DEFAULT_REGION=" + t.Region},
	}
	for name, value := range c.DockerLabels {
		if _, ours := spec.Labels[name]; !ours {
			spec.Labels[name] = value
		}
	}
	for _, e := range c.Environment {
		spec.Env = append(spec.Env, aws.ToString(e.Name)+"="+aws.ToString(e.Value))
	}
	for _, u := range c.Ulimits {
		spec.Ulimits = append(spec.Ulimits, engine.Ulimit{Name: string(u.Name), Soft: uint64(u.SoftLimit), Hard: uint64(u.HardLimit)})
	}
	applyLinux(&spec, c.LinuxParameters)
	applyOverride(&spec, t.T.Overrides, *c.Name)
	return spec
}

// sandboxSpec says what network a task's containers share: as in the network mode awsvpc one name, one hosts file, and
// every port. The first host name of a container definition is the task's.
func sandboxSpec(t *task, d *taskDefinition) engine.SandboxSpec {
	spec := engine.SandboxSpec{ID: t.id(), ExtraHosts: map[string]string{"host.docker.internal": engine.HostGateway}}
	for _, c := range d.Def.ContainerDefinitions {
		spec.Hostname = cmp.Or(spec.Hostname, aws.ToString(c.Hostname))
		for _, h := range c.ExtraHosts {
			spec.ExtraHosts[aws.ToString(h.Hostname)] = aws.ToString(h.IpAddress)
		}
		for _, p := range c.PortMappings {
			if p.Protocol != types.TransportProtocolUdp && p.ContainerPort != nil {
				spec.Ports = append(spec.Ports, int(*p.ContainerPort))
			}
		}
	}
	slices.Sort(spec.Ports)
	spec.Ports = slices.Compact(spec.Ports)
	return spec
}

// memoryBytes is a container's hard limit: its own, or the task's, which RunTask may override.
func memoryBytes(t *task, d *taskDefinition, c types.ContainerDefinition) int64 {
	const mib = 1 << 20
	if c.Memory != nil {
		return int64(*c.Memory) * mib
	}
	size := d.Def.Memory
	if o := t.T.Overrides; o != nil && o.Memory != nil {
		size = o.Memory
	}
	n, _ := parseSize(size, "gb") // it was checked when it was registered
	return n * mib
}

func applyLinux(spec *engine.ContainerSpec, p *types.LinuxParameters) {
	if p == nil {
		return
	}
	spec.InitProcess = aws.ToBool(p.InitProcessEnabled)
	if p.SharedMemorySize != nil {
		spec.SharedMemorySize = int64(*p.SharedMemorySize) << 20
	}
	if p.Capabilities != nil {
		spec.LinuxAddCaps, spec.LinuxDropCaps = p.Capabilities.Add, p.Capabilities.Drop
	}
	for _, f := range p.Tmpfs {
		if spec.TmpfsSizeByPath == nil {
			spec.TmpfsSizeByPath = map[string]int64{}
		}
		spec.TmpfsSizeByPath[aws.ToString(f.ContainerPath)] = int64(f.Size) << 20
	}
}

func applyOverride(spec *engine.ContainerSpec, o *types.TaskOverride, name string) {
	if o == nil {
		return
	}
	for _, c := range o.ContainerOverrides {
		if aws.ToString(c.Name) != name {
			continue
		}
		if len(c.Command) > 0 {
			spec.Command = c.Command
		}
		for _, e := range c.Environment {
			spec.Env = append(spec.Env, aws.ToString(e.Name)+"="+aws.ToString(e.Value))
		}
		if c.Memory != nil {
			spec.MemoryBytes = int64(*c.Memory) << 20
		}
	}
}

// watch watches every container of a task that runs already.
func (b *Backend) watch(ctx context.Context, t *task, d *taskDefinition, r *runner) {
	for _, c := range d.Def.ContainerDefinitions {
		var ended bool
		b.locked(func() { ended = *t.container(*c.Name).LastStatus == statusStopped })
		if !ended {
			b.watchContainer(ctx, t, c, r)
		}
	}
}

// watchContainer waits for a container's end, runs its health check and forwards its log.
func (b *Backend) watchContainer(ctx context.Context, t *task, c types.ContainerDefinition, r *runner) {
	ended, cancel := context.WithCancel(ctx)
	r.watchers.Go(func() {
		defer cancel()
		b.awaitExit(ctx, t, c, r)
	})
	if checked(c) {
		r.watchers.Go(func() { b.checkHealth(ended, t, c, r) })
	}
	if c.LogConfiguration != nil {
		r.logs.Go(func() { b.forwardLog(ctx, t, c) })
	}
}

// awaitExit notes how a container ended. An essential one takes its task with it.
func (b *Backend) awaitExit(ctx context.Context, t *task, c types.ContainerDefinition, r *runner) {
	exit, err := b.Engine.Wait(ctx, containerID(t, *c.Name))
	if ctx.Err() != nil {
		return
	}
	b.lock()
	defer b.unlock()
	one := t.container(*c.Name)
	one.LastStatus = aws.String(statusStopped)
	switch {
	case err != nil:
		one.Reason = aws.String("the container was lost: " + err.Error())
	case exit.OOMKilled:
		one.ExitCode, one.Reason = aws.Int32(int32(exit.Code)), aws.String("OutOfMemoryError: Container killed due to memory usage")
	default:
		one.ExitCode = aws.Int32(int32(exit.Code))
	}
	b.saveTask(t)
	r.tell()
	if c.Essential == nil || *c.Essential {
		b.stop(t, types.TaskStopCodeEssentialContainerExited, reasonEssential)
	}
}

func (r *runner) tell() {
	select {
	case r.moved <- struct{}{}:
	default:
	}
}

// Defaults and the local pace of container health checks.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_HealthCheck.html
const (
	defaultHealthInterval = 30
	defaultHealthTimeout  = 5
	defaultHealthRetries  = 3
	firstHealthPause      = 50 * time.Millisecond // grows to a second until the first success
)

// checkHealth runs a container's health check until the container ends. Until the first success it is tried at once and
// then at least every second, so that a task counts as soon as it is healthy; failures count as they would on AWS: not
// within the start period, and at most once an interval.
func (b *Backend) checkHealth(ctx context.Context, t *task, c types.ContainerDefinition, r *runner) {
	check := c.HealthCheck
	interval := seconds(check.Interval, defaultHealthInterval)
	graceEnds := time.Now().Add(seconds(check.StartPeriod, 0))
	pause, failures, passed := firstHealthPause, 0, false
	counted := time.Now() // on AWS the first check comes an interval after the start
	for {
		well := b.probe(ctx, t, c)
		if ctx.Err() != nil {
			return
		}
		switch {
		case well:
			failures, passed, pause = 0, true, interval
			b.setHealth(t, *c.Name, types.HealthStatusHealthy, r)
		case passed || time.Now().After(graceEnds):
			if time.Since(counted) >= interval {
				failures, counted = failures+1, time.Now()
			}
			if failures >= int(*orInt32(check.Retries, defaultHealthRetries)) {
				b.setHealth(t, *c.Name, types.HealthStatusUnhealthy, r)
			}
		}
		if !passed {
			pause = min(pause*2, time.Second, interval)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

func seconds(v *int32, fallback int32) time.Duration {
	return time.Duration(*orInt32(v, fallback)) * time.Second
}

// sleep waits, and tells whether ctx is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (b *Backend) probe(ctx context.Context, t *task, c types.ContainerDefinition) bool {
	command := c.HealthCheck.Command[1:]
	if c.HealthCheck.Command[0] == "CMD-SHELL" {
		command = append([]string{"/bin/sh", "-c"}, command...)
	}
	ctx, cancel := context.WithTimeout(ctx, seconds(c.HealthCheck.Timeout, defaultHealthTimeout))
	defer cancel()
	result, err := b.Engine.Exec(ctx, containerID(t, *c.Name), command)
	return err == nil && result.Code == 0
}

// setHealth notes a container's health, and with it the task's: unhealthy when any essential container is, healthy when
// all that have a check are. An unhealthy task is replaced, outside of the service's grace period.
func (b *Backend) setHealth(t *task, container string, health types.HealthStatus, r *runner) {
	b.lock()
	defer b.unlock()
	c := t.container(container)
	if c.HealthStatus != health {
		c.HealthStatus = health
		t.T.HealthStatus = b.taskHealth(t)
		b.saveTask(t)
		r.tell()
		b.wake(t.serviceKey())
	}
	if t.T.HealthStatus == types.HealthStatusUnhealthy && t.Service != "" && !b.inGrace(t) {
		b.stop(t, types.TaskStopCodeServiceSchedulerInitiated, reasonContainerHealth)
	}
}

// taskHealth joins the health of a task's essential containers. The lock is held.
func (b *Backend) taskHealth(t *task) types.HealthStatus {
	d, err := b.definition(t.Region, t.T.TaskDefinitionArn)
	if err != nil {
		return types.HealthStatusUnknown
	}
	joined := types.HealthStatusUnknown
	for _, c := range d.Def.ContainerDefinitions {
		if !*c.Essential || !checked(c) {
			continue
		}
		switch t.container(*c.Name).HealthStatus {
		case types.HealthStatusUnhealthy:
			return types.HealthStatusUnhealthy
		case types.HealthStatusUnknown:
			return types.HealthStatusUnknown
		}
		joined = types.HealthStatusHealthy
	}
	return joined
}

// inGrace reports whether the task is young enough for failed health checks to be overlooked. The lock is held.
func (b *Backend) inGrace(t *task) bool {
	s, ok := b.memory.services[t.serviceKey()]
	if !ok || t.T.StartedAt == nil {
		return false
	}
	return time.Since(*t.T.StartedAt) < seconds(s.Def.HealthCheckGracePeriodSeconds, 0)
}
