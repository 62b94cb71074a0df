package ecs

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

// A rollout of load-balanced tasks whose server starts in 100 ms, in real time, with the state on a real disk.
func BenchmarkRollout(b *testing.B) {
	for _, tasks := range []int{2, 100} {
		b.Run(fmt.Sprint(tasks, " tasks"), func(b *testing.B) { rollouts(b, tasks) })
	}
}

func rollouts(b *testing.B, tasks int) {
	w := newWorld(b)
	var err error
	w.b, err = New(Config{Store: w.store, Engine: w.engine, Images: w.images, LoadBalancer: w.balancer, Logs: w.logs})
	w.check(err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.b.Run(ctx) }()
	defer func() {
		cancel()
		w.check(<-done)
	}()
	_, err = w.b.CreateCluster(w.ctx, &awsecs.CreateClusterInput{})
	w.check(err)
	w.images.push("v1", simulated.Behaviour{ReadyAfter: 100 * time.Millisecond})
	w.register(container("app", "app:latest"))
	arn := aws.ToString(w.create(tasks, balanced).CurrentServiceDeployment)
	for b.Loop() {
		for w.deployment(arn).Status != types.ServiceDeploymentStatusSuccessful {
			select {
			case err := <-done:
				b.Fatal(err)
			case <-time.After(time.Millisecond):
			}
		}
		arn = w.force()
	}
}
