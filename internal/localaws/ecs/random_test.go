package ecs

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

// Whatever is done to a service, in whatever order: once a good image is deployed and left alone, what runs is what was
// wanted, and nothing else is left in the engine.
func TestRandomSequences(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.v1(balanced)
				r := &randomUser{world: w, Rand: rand.New(rand.NewPCG(seed, 1))}
				for range 25 {
					r.act()
					time.Sleep(time.Duration(r.IntN(8000)) * time.Millisecond)
					r.invariants()
				}
				r.settles()
			})
		})
	}
}

// randomUser does things to the service "web".
type randomUser struct {
	*world
	*rand.Rand
	pushed int
}

func (r *randomUser) act() {
	switch r.IntN(9) {
	case 0, 1:
		r.push(simulated.Behaviour{ReadyAfter: time.Duration(r.IntN(3000)) * time.Millisecond, StopTime: time.Duration(r.IntN(2000)) * time.Millisecond})
		r.force()
	case 2:
		r.push([]simulated.Behaviour{simulated.Exit(1, 0), simulated.Missing(), {NeverHealthy: true}, simulated.CannotStart(), {IgnoresSIGTERM: true}}[r.IntN(5)])
		r.force()
	case 3, 4:
		r.update(&awsecs.UpdateServiceInput{DesiredCount: aws.Int32(int32(r.IntN(5)))})
	case 5:
		if tasks := r.tasks(types.DesiredStatusRunning); len(tasks) > 0 {
			_, err := r.b.StopTask(r.ctx, &awsecs.StopTaskInput{Task: tasks[r.IntN(len(tasks))].TaskArn})
			r.check(err)
		}
	case 6:
		kinds := []types.StopServiceDeploymentStopType{types.StopServiceDeploymentStopTypeRollback, types.StopServiceDeploymentStopTypeAbort}
		// a deployment that has ended cannot be stopped: that is an answer as well
		_, _ = r.b.StopServiceDeployment(r.ctx, &awsecs.StopServiceDeploymentInput{ServiceDeploymentArn: r.describe().CurrentServiceDeployment, StopType: kinds[r.IntN(2)]})
	case 7:
		boxes, err := r.engine.List(r.ctx)
		r.check(err)
		if len(boxes) > 0 {
			r.check(r.engine.RemoveSandbox(r.ctx, boxes[r.IntN(len(boxes))].ID))
		}
	case 8:
		r.restart(nil)
	}
}

func (r *randomUser) push(b simulated.Behaviour) {
	r.pushed++
	r.images.push(fmt.Sprint("r", r.pushed), b)
}

// invariants hold at any moment.
func (r *randomUser) invariants() {
	r.Helper()
	r.wantAllOnDisk()
	s := r.describe()
	if s.CurrentServiceDeployment == nil || *r.deployment(*s.CurrentServiceDeployment).ServiceArn != *s.ServiceArn {
		r.Errorf("current deployment %v", s.CurrentServiceDeployment)
	}
	if len(s.Deployments) == 0 || *s.Deployments[0].Status != "PRIMARY" {
		r.Errorf("deployments %+v", s.Deployments)
	}
	for _, d := range s.Deployments[1:] {
		if *d.Status != "ACTIVE" {
			r.Errorf("deployment %s is %s", *d.Id, *d.Status)
		}
	}
	listed, err := r.b.ListServiceDeployments(r.ctx, &awsecs.ListServiceDeploymentsInput{
		Service: aws.String("web"), Status: []types.ServiceDeploymentStatus{types.ServiceDeploymentStatusPending, types.ServiceDeploymentStatusInProgress, types.ServiceDeploymentStatusRollbackInProgress},
	})
	r.check(err)
	for _, d := range listed.ServiceDeployments {
		if *d.ServiceDeploymentArn != *s.CurrentServiceDeployment {
			r.Errorf("%s is %s and not the current deployment", *d.ServiceDeploymentArn, d.Status)
		}
	}
	for _, t := range r.tasks(types.DesiredStatusStopped) {
		if t.StopCode == "" || t.StoppedReason == nil {
			r.Errorf("task %s stops and does not say why", *t.TaskArn)
		}
	}
}

// settles deploys a good image and wants what runs to become what is wanted.
func (r *randomUser) settles() {
	r.Helper()
	r.push(simulated.Behaviour{})
	arn := r.update(&awsecs.UpdateServiceInput{ForceNewDeployment: true, DesiredCount: aws.Int32(3)})
	r.outcome(arn, types.ServiceDeploymentStatusSuccessful, 10*time.Minute)
	last := fmt.Sprint("r", r.pushed)
	r.wantDigests(last, last, last)
	r.invariants()
	r.wantNoLeak(3)
}

// wantAllOnDisk wants the state file to hold just what is in memory: nothing may be seen that a crash would undo.
func (w *world) wantAllOnDisk() {
	w.Helper()
	w.b.mu.Lock()
	defer w.b.mu.Unlock()
	m, t := w.b.memory, w.b.tables
	onDisk(w, t.services, m.services)
	onDisk(w, t.deployments, m.deployments)
	onDisk(w, t.revisions, m.revisions)
	onDisk(w, t.tasks, m.tasks)
}

func onDisk[T any](w *world, table *store.Table[T], memory map[string]*T) {
	w.Helper()
	seen := 0
	w.check(table.Each("", func(key string, value T) error {
		seen++
		if kept, ok := memory[key]; !ok || deep(*kept) != deep(value) {
			w.Errorf("on disk: %s\nin memory: %s", deep(value), deep(kept))
		}
		return nil
	}))
	if seen != len(memory) {
		w.Errorf("%d records on disk, %d in memory", seen, len(memory))
	}
}
