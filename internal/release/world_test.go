package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// world is a registry and an orchestrator in memory whose rollouts end as a script says.
type world struct {
	Orchestrator // for what no script needs yet: calling it panics
	mu           sync.Mutex
	tags         map[string]Digest
	images       map[Digest]Image
	runs         map[string]Digest // service → digest of its tasks
	history      map[string][]PastRollout
	plan         map[string][]string // service → statuses of its next rollout, one a look; the last one stays
	serial       int
	rollouts     map[string]*worldRollout
	calls        []string
	builds       int
	newer        map[string]*PastRollout                            // service → a rollout of somebody else's that is newer than any of ours
	immutable    map[string]bool                                    // tags that may not move
	pins         map[string]Digest                                  // ARN of a task definition → the digest that it names
	uses         map[string]string                                  // service → ARN of its task definition
	changes      []Difference                                       // what Compare finds
	migration    func(ctx context.Context, emit Emit) (Task, error) // what AwaitTask does
	onDeploy     func(service string)                               // happens right after a deployment started
	broken       error                                              // every Observe answers this
}

type worldRollout struct {
	service string
	digest  Digest
	before  Digest
	plan    []string
}

func newWorld(runs Digest, services ...string) *world {
	w := &world{
		tags: map[string]Digest{}, images: map[Digest]Image{}, runs: map[string]Digest{}, history: map[string][]PastRollout{},
		plan: map[string][]string{}, rollouts: map[string]*worldRollout{}, newer: map[string]*PastRollout{},
		immutable: map[string]bool{}, pins: map[string]Digest{}, uses: map[string]string{},
	}
	for _, s := range services {
		w.runs[s] = runs
		if runs != "" {
			w.history[s] = []PastRollout{w.past(s, runs, statusSuccessful)}
		}
	}
	if runs != "" {
		w.addImage(runs, "latest")
	}
	return w
}

func (w *world) past(service string, d Digest, status string) PastRollout {
	return PastRollout{Rollout: Rollout{Service: service}, Status: status,
		Images: map[string]Digest{"medusa": d}, Refs: map[string]string{"medusa": testRepo + ":latest"}}
}

func (w *world) addImage(d Digest, tags ...string) {
	w.images[d] = Image{Repository: testRepo, Digest: d, Labels: map[string]string{LabelRevision: "c" + d.Short()}}
	for _, t := range tags {
		w.tags[t] = d
	}
}

func (w *world) note(format string, args ...any) {
	w.calls = append(w.calls, fmt.Sprintf(format, args...))
}

func (w *world) Name() string { return "world" }

func (w *world) Build(_ context.Context, req BuildRequest, emit Emit) (Image, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.builds++
	w.note("build")
	emit(BuildStep{ID: "1", Name: "step", State: "done"})
	return Image{Repository: req.Repository, Digest: newDigest, Labels: req.Labels}, nil
}

func (w *world) Push(_ context.Context, _ BuildRequest, want Digest, tag string, _ Credentials, _ Emit) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("push %s", tag)
	w.addImage(want, tag)
	return nil
}

func (w *world) Host(context.Context) (string, error) { return "127.0.0.1:4566", nil }

func (w *world) Authenticate(context.Context) (Credentials, error) {
	return Credentials{Host: "127.0.0.1:4566", Username: "AWS", Password: "secret"}, nil
}

func (w *world) EnsureRepository(context.Context, string) (bool, error) { return false, nil }

func (w *world) Image(_ context.Context, repository, ref string) (Image, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d, ok := w.tags[ref]; ok {
		ref = string(d)
	}
	if i, ok := w.images[Digest(ref)]; ok {
		return i, nil
	}
	return Image{}, fmt.Errorf("%s:%s: %w", repository, ref, ErrNotFound)
}

func (w *world) Tag(_ context.Context, _ string, d Digest, tag string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.immutable[tag] && w.tags[tag] != d {
		return fmt.Errorf("%w: %s", ErrImmutable, tag)
	}
	w.note("tag %s %s", tag, d.Short())
	w.tags[tag] = d
	return nil
}

func (w *world) Untag(_ context.Context, _, tag string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("untag %s", tag)
	delete(w.tags, tag)
	return nil
}

func (w *world) Service(_ context.Context, _, name string) (Service, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.runs[name]; !ok {
		return Service{}, fmt.Errorf("service %s: %w", name, ErrNotFound)
	}
	past := w.history[name]
	definition := TaskDefinition{ARN: w.uses[name], Containers: []ContainerDefinition{{Name: "medusa", Image: testRepo + ":latest"}}}
	if d := w.pins[w.uses[name]]; d != "" {
		definition.Containers[0].Image = testRepo + "@" + string(d)
	}
	return Service{Name: name, Status: "ACTIVE", Desired: 1, DeploymentInFlight: len(past) > 0 && inFlight(past[0].Status), TaskDefinition: definition}, nil
}

func (w *world) Preview(Definition) (Service, error) { return Service{Desired: 1}, nil }

func (w *world) Create(_ context.Context, _ string, def Definition, _ string) (Rollout, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("create %s", def.Service)
	w.runs[string(def.Service)] = ""
	return w.start(string(def.Service)), nil
}

func (w *world) Deploy(_ context.Context, _, service string, c Change) (Rollout, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c.TaskDefinition == "" {
		w.note("force %s", service)
	} else {
		w.note("deploy %s %s", service, c.TaskDefinition)
		w.uses[service] = c.TaskDefinition
	}
	if c.Settings.Service != nil {
		w.note("settings %s", service)
	}
	r := w.start(service)
	if w.onDeploy != nil {
		w.onDeploy(service)
	}
	return r, nil
}

func (w *world) Pin(_ context.Context, definition string, image Image) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	arn := "pinned:" + image.Digest.Short()
	w.note("pin %s", definition)
	w.pins[arn] = image.Digest
	return arn, nil
}

func (w *world) Register(_ context.Context, _ Definition, pin Image) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	arn := "registered:" + pin.Digest.Short()
	w.note("register %s", pin.Digest.Short())
	w.pins[arn] = pin.Digest
	return arn, nil
}

func (w *world) Compare(context.Context, string, Definition, string) ([]Difference, error) {
	return w.changes, nil
}

func (w *world) StartMigration(_ context.Context, req MigrationRequest) (MigrationTask, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("migrate %v on %s", req.Command, req.Image.Digest.Short())
	return MigrationTask{Cluster: req.Cluster, Task: Task{ID: "m1", ARN: "arn:m1"}, Container: "medusa"}, nil
}

func (w *world) AwaitTask(ctx context.Context, _ MigrationTask, emit Emit) (Task, error) {
	return w.migration(ctx, emit)
}

func (w *world) StopTask(_ context.Context, _, arn, _ string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("stop task %s", arn)
	return nil
}

func (w *world) start(service string) Rollout {
	w.serial++
	plan := w.plan[service]
	delete(w.plan, service)
	if plan == nil {
		plan = []string{statusPending, statusInProgress, statusSuccessful}
	}
	arn := fmt.Sprintf("arn:%s:%d", service, w.serial)
	digest := w.tags["latest"]
	if pinned := w.pins[w.uses[service]]; pinned != "" {
		digest = pinned
	}
	w.rollouts[arn] = &worldRollout{service: service, digest: digest, before: w.runs[service], plan: plan}
	return Rollout{Service: service, Deployment: arn, StartedBy: "ecs-svc/1"}
}

func (w *world) Observe(_ context.Context, _ string, r Rollout) (Observation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return Observation{}, w.broken
	}
	ro := w.rollouts[r.Deployment]
	status := ro.plan[0]
	if len(ro.plan) > 1 {
		ro.plan = ro.plan[1:]
	}
	o := Observation{Desired: 1}
	if newer := w.newer[r.Service]; newer != nil && newer.Deployment != r.Deployment {
		o.Newer = newer
	}
	if status == "crash" {
		o.Status, o.Failed = statusInProgress, 2
		o.Tasks = append(o.Tasks, crashedTask("x", 1), crashedTask("y", 1))
		status = statusInProgress
	}
	switch status {
	case "crashed": // after ECS had called it successful
		o.Failed = 2
		o.Tasks = append(o.Tasks, crashedTask("x", 1), crashedTask("y", 1))
		status, w.runs[ro.service] = statusSuccessful, ""
	case statusSuccessful:
		w.runs[ro.service] = ro.digest
	}
	if status == statusRollbackSuccessful {
		w.runs[ro.service] = ro.before
	}
	o.Status = status
	o.Refs, o.Resolved = map[string]string{"medusa": testRepo + ":latest"}, map[string]Digest{"medusa": ro.digest}
	if d := w.runs[ro.service]; d != "" {
		o.Tasks = append(o.Tasks, runningTask("r", d))
	}
	return o, nil
}

func (w *world) Running(_ context.Context, _, service string) ([]Task, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d := w.runs[service]; d != "" {
		return []Task{runningTask("r", d)}, nil
	}
	return nil, nil
}

func (w *world) Stop(_ context.Context, r Rollout) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("stop %s", r.Service)
	ro := w.rollouts[r.Deployment]
	if ro.before == "" {
		ro.plan = []string{statusStopRequested, statusStopped}
		return nil
	}
	ro.plan = []string{statusRollbackInProgress, statusRollbackSuccessful}
	return nil
}

func (w *world) Past(_ context.Context, _, service string) ([]PastRollout, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.history[service]), nil
}

func (w *world) TaskLog(context.Context, Task, string, int) ([]string, error) {
	return []string{"boom"}, nil
}

func (w *world) Logs(context.Context, string, string, time.Time, bool, Emit) error { return nil }

func (w *world) Check(context.Context, CheckRequest) ([]Finding, error) { return nil, nil }

// recorder keeps the events of one walk.
type recorder struct {
	mu     sync.Mutex
	events []Event
}

func (r *recorder) Emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

func (w *world) pipeline(t *testing.T) (*Pipeline, *recorder) {
	t.Helper()
	rec := &recorder{}
	return &Pipeline{Builder: w, Registry: w, Orchestrator: w, Checker: w, Emit: rec.Emit}, rec
}

func target(services ...string) Target {
	return Target{Name: "local", Cluster: "medusa-cluster", Services: services, Repository: "medusa", Tag: "latest", Timeout: time.Minute}
}

var errBroken = errors.New("broken")

// overtake has somebody else release d: the tag moves, and a newer deployment brings it to the service.
func (w *world) overtake(service string, d Digest) {
	w.images[d] = Image{Repository: testRepo, Digest: d}
	w.onDeploy = func(string) {
		w.tags["latest"] = d
		w.newer[service] = newer(statusInProgress, d)
	}
}
