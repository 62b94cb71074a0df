package check

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// far is a world in which every answer takes its time.
type far struct {
	*world
	took time.Duration
}

func (f far) Host(ctx context.Context) (string, error) {
	time.Sleep(f.took)
	return f.world.Host(ctx)
}

func (f far) Image(ctx context.Context, repository, reference string) (release.Image, error) {
	time.Sleep(f.took)
	return f.world.Image(ctx, repository, reference)
}

func (f far) Service(ctx context.Context, cluster, name string) (release.Service, error) {
	time.Sleep(2 * f.took) // the service, then its task definition
	return f.world.Service(ctx, cluster, name)
}

func (f far) Running(ctx context.Context, cluster, name string) ([]release.Task, error) {
	time.Sleep(2 * f.took) // the list, then the tasks
	return f.world.Running(ctx, cluster, name)
}

func (f far) Account(ctx context.Context) (string, error) {
	time.Sleep(f.took)
	return f.world.Account(ctx)
}

func (f far) Mutability(ctx context.Context, repository string) (Mutability, error) {
	time.Sleep(f.took)
	return f.world.Mutability(ctx, repository)
}

func (f far) LifecyclePolicy(ctx context.Context, repository string) (string, error) {
	time.Sleep(f.took)
	return f.world.LifecyclePolicy(ctx, repository)
}

func (f far) Tags(ctx context.Context, repository string, d release.Digest) ([]string, error) {
	time.Sleep(f.took)
	return f.world.Tags(ctx, repository, d)
}

func (f far) Secrets(ctx context.Context, references []string) map[string]error {
	time.Sleep(f.took)
	return f.world.Secrets(ctx, references)
}

func (f far) LogGroup(ctx context.Context, region, name string) error {
	time.Sleep(f.took)
	return f.world.LogGroup(ctx, region, name)
}

func (f far) Denied(ctx context.Context, role string, wanted []Permission) ([]Permission, error) {
	time.Sleep(f.took)
	return f.world.Denied(ctx, role, wanted)
}

// TestAllAtOnce: with 20 services check waits for no more answers one after the other than with one: three.
func TestAllAtOnce(t *testing.T) {
	for _, services := range []int{1, 20} {
		synctest.Test(t, func(t *testing.T) {
			w, req := soundWorld(), request()
			withRole(w)
			req.Target.Services = nil
			for i := range services {
				name := fmt.Sprintf("s%d", i)
				s := w.services["web"]
				s.TaskDefinition.Family = name
				s.TaskDefinition.ExecutionRole += name
				w.services[name] = s
				w.run(name, digest(string(rune('a'+i%6))), "latest")
				req.Target.Services = append(req.Target.Services, name)
			}
			f := far{w, 200 * time.Millisecond}
			began := time.Now()
			findings, err := New(Ports{Registry: f, Orchestrator: f, Cloud: f}).Check(t.Context(), req)
			if err != nil || len(findings) > 0 {
				t.Errorf("findings = %+v, %v", findings, err)
			}
			if took := time.Since(began); took > 3*f.took {
				t.Errorf("%d services took %s", services, took)
			}
		})
	}
}
