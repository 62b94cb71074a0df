package ecs

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

// adopt takes over what an earlier process left: tasks whose containers are there go on, without being started again;
// tasks whose containers are gone have stopped; sandboxes that belong to no task are removed.
func (b *Backend) adopt(ctx context.Context) error {
	boxes, err := b.Engine.List(ctx)
	if err != nil {
		return fmt.Errorf("find the containers that run: %w", err)
	}
	found := map[string]engine.SandboxStatus{}
	for _, box := range boxes {
		found[box.ID] = box
	}
	b.lock()
	b.running = ctx
	for _, s := range b.memory.services {
		if *s.Def.Status == statusInactive {
			continue
		}
		if err := b.ensureTargetGroups(ctx, s); err != nil {
			b.Log.Error("ecs: a target group cannot serve", "service", s.Name, "err", err)
		}
	}
	for _, t := range b.memory.tasks {
		if !t.stopped() {
			box, there := found[t.id()]
			b.take(t, box, there)
			delete(found, t.id())
		}
	}
	b.unlock()
	for id := range found {
		b.Log.Info("ecs: remove a sandbox that belongs to no task", "sandbox", id)
		if err := b.Engine.RemoveSandbox(ctx, id); err != nil {
			return fmt.Errorf("remove sandbox %s: %w", id, err)
		}
	}
	return nil
}

// take goes on with one task's life. The lock is held.
func (b *Backend) take(t *task, box engine.SandboxStatus, there bool) {
	d, err := b.definition(t.Region, t.T.TaskDefinitionArn)
	complete := err == nil && there && len(box.Containers) == len(t.T.Containers)
	switch {
	case complete:
		b.live(t, d, true)
	case err == nil && t.T.StartedAt == nil && !t.leaving():
		b.live(t, d, true) // it was being started: every step of that can be done again
	case err == nil && there:
		b.stopLost(t)
		b.live(t, d, true)
	default:
		b.stopLost(t)
		now := time.Now()
		t.T.LastStatus, t.T.StoppedAt, t.T.ExecutionStoppedAt = aws.String(statusStopped), &now, &now
		for i := range t.T.Containers {
			t.T.Containers[i].LastStatus = aws.String(statusStopped)
		}
		b.saveTask(t)
		for group := range t.Targets {
			if err := b.LoadBalancer.Deregister(b.running, group, t.id()); err != nil {
				b.Log.Error("ecs: deregister target", "task", t.id(), "err", err)
			}
		}
	}
}

// stopLost says why a task whose containers are gone has stopped. The lock is held.
func (b *Backend) stopLost(t *task) {
	b.stop(t, types.TaskStopCodeTerminationNotice, "The machine's container engine was stopped while the task ran.")
}
