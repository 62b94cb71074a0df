package ecs

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

// A rollout of load-balanced tasks whose server starts in 100 ms, in real time, with the state on a real disk.
func BenchmarkRollout(b *testing.B) {
	for _, tasks := range []int{2, 100} {
		b.Run(fmt.Sprint(tasks, " tasks"), func(b *testing.B) { rollouts(b, tasks) })
	}
}

func rollouts(b *testing.B, tasks int) {
	w := inRealTime(b, tasks)
	for b.Loop() {
		arn := w.force()
		for w.deployment(arn).FinishedAt == nil {
			<-time.After(time.Millisecond)
		}
	}
}

// inRealTime is a Backend that acts in real time, and has a service "web" that is steady.
func inRealTime(tb testing.TB, tasks int) *world {
	tb.Helper()
	w := newWorld(tb)
	var err error
	w.b, err = New(Config{Store: w.store, Engine: w.engine, Images: w.images, LoadBalancer: w.balancer, Logs: w.logs, Secrets: w.secrets})
	w.check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.b.Run(ctx) }()
	tb.Cleanup(func() {
		cancel()
		w.check(errors.Join(<-done, w.engine.Close(), w.store.Close()))
	})
	_, err = w.b.CreateCluster(w.ctx, &awsecs.CreateClusterInput{})
	w.check(err)
	w.images.push("v1", simulated.Behaviour{ReadyAfter: 100 * time.Millisecond})
	w.register(container("app", "app:latest"))
	arn := *w.create(tasks, balanced).CurrentServiceDeployment
	for w.deployment(arn).FinishedAt == nil {
		<-time.After(time.Millisecond)
	}
	return w
}
