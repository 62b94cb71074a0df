package ecs

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

// census counts the tasks of the service "web" that live and those that are healthy, in one look.
func (w *world) census() (live, healthy int) {
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	for _, s := range w.b.memory.services {
		for _, c := range w.b.count(s) {
			live, healthy = live+c.running+c.pending, healthy+c.healthy
		}
	}
	return live, healthy
}

func TestRollingKeepsWithinBounds(t *testing.T) {
	percents := [][2]int{{100, 200}, {50, 100}, {0, 100}, {50, 200}, {100, 150}}
	for _, desired := range []int{1, 2, 4, 10} {
		for _, p := range percents {
			t.Run(fmt.Sprintf("%d tasks at %d-%d", desired, p[0], p[1]), func(t *testing.T) {
				inWorld(t, func(w *world) { rollWithin(w, desired, p[0], p[1]) })
			})
		}
	}
}

func rollWithin(w *world, desired, minimum, maximum int) {
	w.images.push("v1", simulated.Behaviour{})
	w.register(container("app", "app:latest"))
	w.steady(desired, func(in *awsecs.CreateServiceInput) {
		balanced(in)
		in.DeploymentConfiguration.MinimumHealthyPercent, in.DeploymentConfiguration.MaximumPercent = aws.Int32(int32(minimum)), aws.Int32(int32(maximum))
	})
	low, high := (desired*minimum+99)/100, desired*maximum/100
	var counting sync.Mutex
	fewest, most := desired, 0
	look := func() {
		counting.Lock()
		defer counting.Unlock()
		live, healthy := w.census()
		fewest, most = min(fewest, healthy), max(most, live)
	}
	w.engine.watch(look)
	w.balancer.drain = 50 * time.Millisecond
	w.images.push("v2", simulated.Behaviour{ReadyAfter: 200 * time.Millisecond})
	arn := w.force()
	stuck := low == high && low == desired // no task may go, and none may come
	w.until("the end of the rollout", 2*time.Minute, func() bool {
		look()
		d := w.deployment(arn)
		return d.FinishedAt != nil || stuck && time.Since(*d.CreatedAt) > time.Minute
	})
	want := types.ServiceDeploymentStatusSuccessful
	if stuck {
		want = types.ServiceDeploymentStatusPending
	}
	if d := w.deployment(arn); d.Status != want {
		w.Errorf("deployment %s, want %s: %v", d.Status, want, messages(w.describe()))
	}
	counting.Lock()
	defer counting.Unlock()
	if fewest < low || most > high {
		w.Errorf("%d healthy to %d live tasks, allowed are %d to %d", fewest, most, low, high)
	}
	if !stuck && high > desired && most <= desired {
		w.Errorf("at most %d tasks lived although %d may", most, high)
	}
}
