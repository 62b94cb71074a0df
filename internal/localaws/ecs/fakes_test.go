package ecs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
)

// auditedEngine has a look at the state taken whenever the engine is used, and counts starts by container.
type auditedEngine struct {
	*simulated.Engine
	mu     sync.Mutex
	look   func()
	starts map[string]int
	calls  []string // KIND CONTAINER, in order
	specs  map[string]engine.ContainerSpec
}

// spec is what a container was started with.
func (e *auditedEngine) spec(id string) engine.ContainerSpec {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.specs[id]
}

// watch has look called whenever the engine is used, on the goroutine that uses it.
func (e *auditedEngine) watch(look func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.look = look
}

func (e *auditedEngine) note(kind, id string) {
	e.mu.Lock()
	e.calls = append(e.calls, kind+" "+id)
	if kind == "start" {
		e.starts[id]++
	}
	look := e.look
	e.mu.Unlock()
	if look != nil {
		look()
	}
}

func (e *auditedEngine) CreateSandbox(ctx context.Context, spec engine.SandboxSpec) (engine.Sandbox, error) {
	e.note("sandbox", spec.ID)
	return e.Engine.CreateSandbox(ctx, spec)
}

func (e *auditedEngine) Start(ctx context.Context, spec engine.ContainerSpec) error {
	e.note("start", spec.ID)
	e.mu.Lock()
	e.specs[spec.ID] = spec
	e.mu.Unlock()
	return e.Engine.Start(ctx, spec)
}

func (e *auditedEngine) Signal(ctx context.Context, id, signal string) error {
	e.note(signal, id)
	return e.Engine.Signal(ctx, id, signal)
}

// fakeImages is a registry of one repository, whose digests say how their containers behave.
type fakeImages struct {
	mu         sync.Mutex
	tags       map[string]string // NAME:TAG → digest
	gone       map[string]bool   // digests
	behaviours map[string]simulated.Behaviour
}

// push makes app:latest name a digest.
func (f *fakeImages) push(digest string, b simulated.Behaviour) { f.pushAs("app:latest", digest, b) }

func (f *fakeImages) pushAs(name, digest string, b simulated.Behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tags[name], f.behaviours[digest] = digest, b
}

func (f *fakeImages) remove(digest string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone[digest] = true
}

func (f *fakeImages) Resolve(_ context.Context, _, image string) (ResolvedImage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, digest, pinned := strings.Cut(image, "@")
	if !pinned {
		digest = f.tags[name]
	}
	if digest == "" || f.gone[digest] {
		return ResolvedImage{}, fmt.Errorf("%s: %w", image, engine.ErrImageNotFound)
	}
	name, _, _ = strings.Cut(name, ":")
	return ResolvedImage{Ref: name + "@" + digest, Digest: digest}, nil
}

func (f *fakeImages) script(ref string) simulated.Behaviour {
	_, digest, _ := strings.Cut(ref, "@")
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.behaviours[digest]
}

// fakeBalancer finds a target healthy after a while, unless told that new ones fail.
type fakeBalancer struct {
	mu      sync.Mutex
	groups  map[string]map[string]time.Time // group → target → registered
	failing func(id string) bool
	warmup  time.Duration
	drain   time.Duration
	drained []string // targets, with the instant at which their requests were done
	removed []string
}

func (f *fakeBalancer) EnsureTargetGroup(_ context.Context, g TargetGroup) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.groups[g.ARN] == nil {
		f.groups[g.ARN] = map[string]time.Time{}
	}
	return nil
}

func (f *fakeBalancer) Register(ctx context.Context, arn string, t Target) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.groups[arn] == nil || t.IP == "" || t.Port == 0 {
		return fmt.Errorf("register %+v with %s", t, arn)
	}
	if _, known := f.groups[arn][t.ID]; !known {
		f.groups[arn][t.ID] = time.Now()
	}
	return ctx.Err()
}

func (f *fakeBalancer) Deregister(ctx context.Context, arn, id string) error {
	f.mu.Lock()
	delete(f.groups[arn], id)
	drain := f.drain
	f.mu.Unlock()
	if !sleep(ctx, drain) {
		return ctx.Err()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drained = append(f.drained, id)
	return nil
}

func (f *fakeBalancer) Health(arn, id string) (state, reason string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	registered, ok := f.groups[arn][id]
	switch {
	case !ok:
		return "unused", "Target.NotRegistered"
	case f.failing != nil && f.failing(id):
		return "unhealthy", "Target.FailedHealthChecks"
	case time.Since(registered) < f.warmup:
		return "initial", "Elb.InitialHealthChecking"
	}
	return "healthy", ""
}

func (f *fakeBalancer) Remove(_ context.Context, arn string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.groups, arn)
	f.removed = append(f.removed, arn)
	return nil
}

// fails makes the targets that match unhealthy; nil heals all.
func (f *fakeBalancer) fails(match func(id string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = match
}

// fakeLogs keeps lines by GROUP/STREAM.
type fakeLogs struct {
	mu     sync.Mutex
	groups map[string]bool
	lines  map[string][]string
	broken int // how many times more Put fails
}

func (f *fakeLogs) GroupExists(_ context.Context, _, group string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.groups[group], nil
}

func (f *fakeLogs) CreateGroup(_ context.Context, _, group string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.groups[group] = true
	return nil
}

func (f *fakeLogs) Put(_ context.Context, _, group, stream string, lines []LogLine) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken > 0 {
		f.broken--
		return errors.New("no space left on device")
	}
	for _, l := range lines {
		f.lines[group+"/"+stream] = append(f.lines[group+"/"+stream], l.Text)
	}
	return nil
}

func (f *fakeLogs) all() map[string][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	clone := map[string][]string{}
	for k, v := range f.lines {
		clone[k] = slices.Clone(v)
	}
	return clone
}

// fakeSecrets has secrets by ID, stage and version, and parameters by name or ARN; both by region.
type fakeSecrets struct {
	mu         sync.Mutex
	secrets    map[string]map[SecretQuery]string
	parameters map[string]map[string]string
	refuse     error // of every call
}

func (f *fakeSecrets) Secret(_ context.Context, region string, q SecretQuery) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return "", f.refuse
	}
	value, ok := f.secrets[region][q]
	if !ok {
		return "", errors.New("ResourceNotFoundException: Secrets Manager can't find the specified secret.")
	}
	return value, nil
}

func (f *fakeSecrets) Parameters(_ context.Context, region string, names []string) (map[string]string, []string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return nil, nil, f.refuse
	}
	if len(names) > 10 {
		return nil, nil, fmt.Errorf("ValidationException: %d names", len(names))
	}
	values := map[string]string{}
	var missing []string
	for _, name := range names {
		if value, ok := f.parameters[region][name]; ok {
			values[name] = value
		} else {
			missing = append(missing, name)
		}
	}
	return values, missing, nil
}
