package release

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// annals is what ECS, ECR and git know, in memory, for an Inspector.
type annals struct {
	mu          sync.Mutex
	services    map[string]Service
	past        map[string][]PastRollout // newest first
	tasks       map[string][]Task
	loose       map[string]Task // of no service, by id
	definitions map[string]TaskDefinition
	back        map[string]string // deployment → revision
	seen        Observation
	differences []Difference
	comparing   error // what Compare answers
	images      map[Digest]Image
	head        Commit
	headMissing bool
	history     map[string]Commit // by every revision that git resolves
	between     Changes
	calls       map[string]int
	failing     map[string]error // by call
}

const (
	annalsRepo    = "medusa"
	annalsService = "web"
	annalsHost    = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/medusa"
)

var dawn = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func newAnnals() *annals {
	return &annals{
		services: map[string]Service{}, past: map[string][]PastRollout{}, tasks: map[string][]Task{}, loose: map[string]Task{},
		definitions: map[string]TaskDefinition{}, back: map[string]string{}, images: map[Digest]Image{}, history: map[string]Commit{},
		calls: map[string]int{}, failing: map[string]error{},
	}
}

func (a *annals) inspector() *Inspector {
	return &Inspector{Registry: a, Orchestrator: a, Commits: a}
}

func annalsTarget(services ...string) Target {
	if len(services) == 0 {
		services = []string{annalsService}
	}
	return Target{Name: "production", Region: "eu-west-1", Cluster: "shop", Services: services, Repository: annalsRepo, Tag: "latest"}
}

// hashOf makes a sha256 of a name, to have digests and ids that look like real ones.
func hashOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func digestNamed(name string) Digest { return Digest("sha256:" + hashOf(name)) }
func shaNamed(name string) string    { return hashOf("commit " + name)[:40] }
func taskID(name string) string      { return hashOf("task " + name)[:32] }

func definitionARN(revision int) string {
	return fmt.Sprintf("arn:aws:ecs:eu-west-1:123456789012:task-definition/medusa:%d", revision)
}

func deploymentARN(service, id string) string {
	return "arn:aws:ecs:eu-west-1:123456789012:service-deployment/shop/" + service + "/" + id
}

func revisionARN(service, id string) string {
	return "arn:aws:ecs:eu-west-1:123456789012:service-revision/shop/" + service + "/" + id
}

// push puts an image of a commit into the registry.
func (a *annals) push(name string, dirty bool, tags ...string) Digest {
	d, label := digestNamed(name), shaNamed(name)
	if dirty {
		label += "-dirty"
	}
	a.images[d] = Image{
		Repository: annalsHost, Digest: d, Tags: tags, Platforms: []string{"linux/amd64"}, SizeBytes: 12_300_000,
		Labels: map[string]string{LabelRevision: label}, PushedAt: dawn,
	}
	return d
}

// rolled adds a deployment to a service's past, newer than all others.
func (a *annals) rolled(service string, d Digest, status string, change ...func(*PastRollout)) PastRollout {
	n := len(a.past[service]) + 1
	p := PastRollout{
		Rollout: Rollout{
			Service: service, Deployment: deploymentARN(service, fmt.Sprintf("Deployment-%s-%03d", service, n)),
			Revision: revisionARN(service, fmt.Sprintf("70000000000000%05d", n)), Started: dawn.Add(time.Duration(n) * time.Hour),
		},
		Status: status, Finished: dawn.Add(time.Duration(n)*time.Hour + time.Minute), TaskDefinition: definitionARN(1),
		Images: map[string]Digest{"medusa": d}, Refs: map[string]string{"medusa": annalsHost + ":latest"},
	}
	for _, f := range change {
		f(&p)
	}
	a.past[service] = slices.Insert(a.past[service], 0, p)
	s := a.services[service]
	s.Name, s.Status, s.CurrentDeployment = service, "ACTIVE", p.Deployment
	s.DeploymentInFlight = stateOf(a.past[service], 0).moving()
	s.TaskDefinition = TaskDefinition{ARN: p.TaskDefinition, Family: "medusa", Revision: 1}
	a.services[service] = s
	return p
}

// runs adds tasks that run an image since its newest deployment.
func (a *annals) runs(service string, d Digest, names ...string) {
	created := dawn
	for _, p := range slices.Backward(a.past[service]) {
		if p.Images["medusa"] == d {
			created = p.Started.Add(time.Second)
		}
	}
	for _, name := range names {
		a.tasks[service] = append(a.tasks[service], a.task(service, name, d, created))
	}
	s := a.services[service]
	s.Desired += len(names)
	s.Running += len(names)
	a.services[service] = s
}

func (a *annals) task(service, name string, d Digest, created time.Time) Task {
	return Task{
		ID: taskID(name), ARN: "arn:aws:ecs:eu-west-1:123456789012:task/shop/" + taskID(name), Service: service, TaskDefinition: definitionARN(1),
		LastStatus: "RUNNING", DesiredStatus: "RUNNING", Health: "HEALTHY", Created: created, Started: created.Add(time.Second),
		Containers: []Container{{Name: "medusa", Image: annalsHost + ":latest", Digest: d}},
	}
}

// knows lets git resolve a commit by its sha, twelve digits of it, and other names.
func (a *annals) knows(name string, revisions ...string) Commit {
	sha := shaNamed(name)
	c := Commit{SHA: sha, Subject: "Subject of " + name, Author: "Ada", Time: dawn}
	for _, r := range append(revisions, sha, sha[:12], sha[:7]) {
		a.history[r] = c
	}
	return c
}

// called counts a call and gives the error that a test planted for it.
func (a *annals) called(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[name]++
	return a.failing[name]
}

func (a *annals) Image(_ context.Context, repository, reference string) (Image, error) {
	if err := a.called("Image"); err != nil {
		return Image{}, err
	}
	for _, image := range a.images {
		if string(image.Digest) == reference || slices.Contains(image.Tags, reference) {
			return image, nil
		}
	}
	return Image{}, fmt.Errorf("image %s:%s: %w", repository, reference, ErrNotFound)
}

func (a *annals) Images(_ context.Context, _ string, digests []Digest) (map[Digest]Image, error) {
	if err := a.called("Images"); err != nil {
		return nil, err
	}
	found := map[Digest]Image{}
	for _, d := range digests {
		if image, ok := a.images[d]; ok {
			found[d] = image
		}
	}
	return found, nil
}

func (a *annals) List(context.Context, string) ([]Held, error) {
	if err := a.called("List"); err != nil {
		return nil, err
	}
	var all []Held
	for _, image := range a.images {
		all = append(all, Held{Digest: image.Digest, Tags: image.Tags, PushedAt: image.PushedAt, Index: len(image.Manifests) > 0})
	}
	slices.SortFunc(all, func(a, b Held) int { return strings.Compare(string(a.Digest), string(b.Digest)) })
	return all, nil
}

func (a *annals) Service(_ context.Context, _, service string) (Service, error) {
	s, ok := a.services[service]
	if err := a.called("Service"); err != nil || ok {
		return s, err
	}
	return s, fmt.Errorf("service %s: %w", service, ErrNotFound)
}

func (a *annals) Past(_ context.Context, _, service string) ([]PastRollout, error) {
	if err := a.called("Past"); err != nil {
		return nil, err
	}
	if _, ok := a.services[service]; !ok {
		return nil, fmt.Errorf("service %s: %w", service, ErrNotFound)
	}
	return slices.Clone(a.past[service]), nil
}

func (a *annals) Tasks(_ context.Context, _, service string) ([]Task, error) {
	return slices.Clone(a.tasks[service]), a.called("Tasks")
}

func (a *annals) Task(_ context.Context, _, id string) (Task, error) {
	if t, ok := a.loose[lastPart(id)]; ok {
		return t, a.called("Task")
	}
	return Task{}, fmt.Errorf("task %s: %w", id, ErrNotFound)
}

func (a *annals) TaskDefinition(_ context.Context, name string) (TaskDefinition, error) {
	if d, ok := a.definitions[lastPart(name)]; ok {
		return d, a.called("TaskDefinition")
	}
	return TaskDefinition{}, fmt.Errorf("task definition %s: %w", name, ErrNotFound)
}

func (a *annals) WayBack(_ context.Context, deployments []string) (map[string]string, error) {
	found := map[string]string{}
	for _, d := range deployments {
		if r, ok := a.back[d]; ok {
			found[d] = r
		}
	}
	return found, a.called("WayBack")
}

func (a *annals) Observe(context.Context, string, Rollout) (Observation, error) {
	return a.seen, a.called("Observe")
}

func (a *annals) Compare(context.Context, string, Definition, string) ([]Difference, error) {
	if err := a.called("Compare"); err != nil {
		return nil, err
	}
	return a.differences, a.comparing
}

func (a *annals) Head(context.Context) (Commit, error) {
	if a.headMissing {
		return Commit{}, fmt.Errorf("no repository: %w", ErrNotFound)
	}
	return a.head, a.called("Head")
}

func (a *annals) Find(_ context.Context, revision string) (Commit, error) {
	if c, ok := a.history[revision]; ok {
		return c, a.called("Find")
	}
	return Commit{}, fmt.Errorf("%s: %w", revision, ErrNotFound)
}

func (a *annals) Known(_ context.Context, shas []string) (map[string]Commit, error) {
	found := map[string]Commit{}
	for _, sha := range shas {
		if c, ok := a.history[sha]; ok {
			found[sha] = c
		}
	}
	return found, a.called("Known")
}

func (a *annals) Between(_ context.Context, from, to string) (Changes, error) {
	c := a.between
	c.From, c.To = from, Commit{SHA: to}
	return c, a.called("Between")
}

// threeReleases is a service that ran one, then two, failed to bring three, and whose first image was pruned since.
func threeReleases(t *testing.T) *annals {
	t.Helper()
	a := newAnnals()
	pruned := digestNamed("pruned")
	one, two, three := a.push("one", false, "git-"+shaNamed("one"), "v1.0"), a.push("two", false, "git-"+shaNamed("two"), "latest"), a.push("three", false, "git-"+shaNamed("three"))
	a.rolled(annalsService, pruned, statusSuccessful)
	a.rolled(annalsService, one, statusSuccessful)
	good := a.rolled(annalsService, two, statusSuccessful)
	bad := a.rolled(annalsService, three, statusRollbackSuccessful, func(p *PastRollout) { p.StatusReason = "ECS deployment circuit breaker: tasks failed to start." })
	a.back[bad.Deployment] = good.Revision
	a.runs(annalsService, two, "t1", "t2")
	for _, name := range []string{"one", "two", "three"} {
		a.knows(name)
	}
	return a
}
