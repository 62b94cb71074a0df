package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Status is what runs on a target, as ECS and ECR tell it.
type Status struct {
	Target     string          `json:"target"`
	Cluster    string          `json:"cluster"`
	Repository string          `json:"repository"`
	Tag        string          `json:"tag"`                  // the tag that releases move
	Tagged     Digest          `json:"tagged,omitempty"`     // what it names
	Commit     string          `json:"tag_commit,omitempty"` // the commit of what it names
	Services   []ServiceStatus `json:"services"`
	Drift      []Drift         `json:"drift,omitempty"` // what does not fit together between services
	Next       *Changes        `json:"next,omitempty"`  // what shipping the commit that is checked out would change
}

// ServiceStatus is one service of a Status.
type ServiceStatus struct {
	Name           string         `json:"name"`
	Missing        bool           `json:"missing,omitempty"` // it does not exist
	Status         string         `json:"status,omitempty"`
	Desired        int            `json:"desired"`
	Running        int            `json:"running"`
	Pending        int            `json:"pending"`
	TaskDefinition string         `json:"task_definition,omitempty"` // ARN
	Deployment     string         `json:"deployment,omitempty"`      // ARN of the current service deployment
	InFlight       bool           `json:"in_flight"`
	Digests        map[Digest]int `json:"digests"`          // what its serving tasks run → how many do
	Commit         string         `json:"commit,omitempty"` // of what most of them run
	Runs           []Running      `json:"runs"`             // the same as Digests, with what is known of each, the most common first
	Rollout        *RolloutStatus `json:"rollout,omitempty"`
	Drift          []Drift        `json:"drift,omitempty"`     // what does not fit together; empty while it is in flight
	Unchecked      []string       `json:"unchecked,omitempty"` // what could not be looked at, and why
	URL            string         `json:"url,omitempty"`
}

// Running is one image that tasks of a service run.
type Running struct {
	Digest  Digest   `json:"digest"`
	Tasks   int      `json:"tasks"`
	Commit  string   `json:"commit,omitempty"`
	Subject string   `json:"subject,omitempty"` // of the commit, when the local history has it
	Tags    []string `json:"tags,omitempty"`
	Gone    bool     `json:"gone,omitempty"` // the registry no longer has it
}

// RolloutStatus is the newest deployment of a service: how far it is, or how it ended.
type RolloutStatus struct {
	Deployment string    `json:"deployment"`
	State      State     `json:"state"`
	Status     string    `json:"status"` // ECS's service deployment status
	Reason     string    `json:"reason,omitempty"`
	Stage      string    `json:"stage,omitempty"` // lifecycle stage of a BLUE_GREEN, LINEAR or CANARY deployment
	Digest     Digest    `json:"digest,omitempty"`
	Commit     string    `json:"commit,omitempty"`
	Started    time.Time `json:"started"`
	Finished   time.Time `json:"finished,omitzero"`
	// Desired, Running, Pending and Failed count its tasks; 0 when it is over.
	Desired int `json:"desired"`
	Running int `json:"running"`
	Pending int `json:"pending"`
	Failed  int `json:"failed"`
}

// Drifted reports whether anything does not fit together, a service that does not exist included.
func (s Status) Drifted() bool {
	return len(s.Drift) > 0 || slices.ContainsFunc(s.Services, func(one ServiceStatus) bool { return one.Missing || len(one.Drift) > 0 })
}

// InFlight reports whether any service is being deployed.
func (s Status) InFlight() bool {
	return slices.ContainsFunc(s.Services, func(one ServiceStatus) bool { return one.InFlight })
}

// looksAtOnce is how often Status looks for a picture in which nothing moved: who moves tags without a pause is shown one in
// which something did.
const looksAtOnce = 3

// Status looks at what runs. It leaves Next to NextChanges.
func (i *Inspector) Status(ctx context.Context, t Target) (s Status, err error) {
	for range looksAtOnce {
		var torn bool
		if s, torn, err = i.statusOnce(ctx, t); err != nil || !torn {
			break
		}
	}
	return s, err
}

// statusOnce looks once. The picture is torn when the tag moved between the look at it and the one at the images.
func (i *Inspector) statusOnce(ctx context.Context, t Target) (s Status, torn bool, err error) {
	s = Status{Target: t.Name, Cluster: t.Cluster, Repository: t.Repository, Tag: t.Tag, Services: []ServiceStatus{}}
	tagged, err := i.Registry.Image(ctx, t.Repository, t.Tag)
	if err != nil && !notFound(err) {
		return s, false, fmt.Errorf("look up :%s: %w", t.Tag, err)
	}
	s.Tagged, s.Commit = tagged.Digest, tagged.Labels[LabelRevision]
	looks, err := i.looks(ctx, t, t.Services, true)
	if err != nil {
		return s, false, err
	}
	var newest []HistoryEntry
	for _, l := range looks {
		if len(l.past) > 0 {
			newest = append(newest, HistoryEntry{Digest: l.past[0].digest(t.Repository)})
		}
	}
	images, err := i.images(ctx, t, digestsOf(newest, looks, t.Repository))
	if err != nil {
		return s, false, err
	}
	commits, err := i.commits(ctx, images)
	if err != nil {
		return s, false, err
	}
	s.Services = make([]ServiceStatus, len(looks))
	err = sideBySide(ctx, len(looks), func(ctx context.Context, n int) (err error) {
		s.Services[n], err = i.serviceStatus(ctx, t, looks[n], facts{target: t, tagged: tagged, images: images, commits: commits})
		return err
	})
	s.Drift = apart(s.Services)
	return s, images.contradict(tagged, t.Tag), err
}

// facts are what all services of a target share.
type facts struct {
	target  Target
	tagged  Image
	images  album
	commits map[string]Commit
}

func (i *Inspector) serviceStatus(ctx context.Context, t Target, l look, f facts) (ServiceStatus, error) {
	one := ServiceStatus{Name: l.name, Missing: l.missing, Digests: map[Digest]int{}, Runs: []Running{}}
	if l.missing {
		return one, nil
	}
	s := l.service
	one.Status, one.Desired, one.Running, one.Pending = s.Status, s.Desired, s.Running, s.Pending
	one.TaskDefinition, one.Deployment, one.InFlight = s.TaskDefinition.ARN, s.CurrentDeployment, s.DeploymentInFlight
	for _, task := range l.tasks {
		if d := task.Digest(t.Repository); task.serving() && d != "" {
			one.Digests[f.images.of(d)]++
		}
	}
	one.Runs = f.running(one.Digests)
	if len(one.Runs) > 0 {
		one.Commit = one.Runs[0].Commit
	}
	var err error
	if one.Rollout, err = i.rollout(ctx, t, l, f); err != nil {
		return one, err
	}
	if one.Rollout != nil && one.Rollout.State != StateUnknown {
		one.InFlight = one.Rollout.State.moving() // it was looked at after the service
	}
	if i.ServiceURL != nil {
		one.URL = i.ServiceURL(ctx, l.name)
	}
	if one.InFlight {
		return one, nil // everything is between two states: nothing has to fit
	}
	compared, err := i.compare(ctx, t, l)
	if err != nil {
		return one, err
	}
	one.Drift = drift(l, f, one, compared)
	if compared.failed != "" {
		one.Unchecked = append(one.Unchecked, compared.failed)
	}
	if l.foreign() {
		one.Unchecked = append(one.Unchecked, "its deployments: "+s.Controller+" makes them, not ECS")
	}
	return one, nil
}

// running tells what is known of images that tasks run, the most common first.
func (f facts) running(digests map[Digest]int) []Running {
	all := []Running{}
	for d, n := range digests {
		image := f.images[d]
		commit := image.Labels[LabelRevision]
		all = append(all, Running{Digest: d, Tasks: n, Commit: commit, Subject: f.commits[commit].Subject, Tags: image.Tags, Gone: !f.images.has(d)})
	}
	slices.SortFunc(all, func(a, b Running) int {
		if a.Tasks != b.Tasks {
			return b.Tasks - a.Tasks
		}
		return strings.Compare(string(a.Digest), string(b.Digest))
	})
	return all
}

// rollout tells about the service's newest deployment; how far it is when it is in flight.
func (i *Inspector) rollout(ctx context.Context, t Target, l look, f facts) (*RolloutStatus, error) {
	if len(l.past) == 0 {
		return nil, nil
	}
	p := l.past[0]
	d := p.digest(t.Repository)
	r := &RolloutStatus{
		Deployment: p.Deployment, State: stateOf(l.past, 0), Status: p.Status, Reason: p.StatusReason,
		Digest: f.images.of(d), Commit: f.images[d].Labels[LabelRevision], Started: p.Started, Finished: p.Finished,
	}
	if !r.State.moving() {
		return r, nil
	}
	seen, err := i.Orchestrator.Observe(ctx, t.Cluster, p.Rollout)
	if err != nil {
		return nil, fmt.Errorf("look at the rollout of %s: %w", l.name, err)
	}
	r.Desired, r.Running, r.Pending, r.Failed, r.Stage = seen.Desired, seen.Running, seen.Pending, seen.Failed, seen.Stage
	return r, nil
}

// NextChanges tells what shipping the commit that is checked out would change about what most tasks of the target run;
// nil where there is no local history.
func (i *Inspector) NextChanges(ctx context.Context, t Target, s Status) (*Changes, error) {
	if i.Commits == nil {
		return nil, nil
	}
	head, err := i.Commits.Head(ctx)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at the commit that is checked out: %w", err)
	}
	changes, err := ChangesTo(ctx, i.Commits, s.mostRun(), head)
	return &changes, err
}

// mostRun is the image that most tasks of all services run; zero when nothing runs.
func (s Status) mostRun() Image {
	counts, commits, best := map[Digest]int{}, map[Digest]string{}, Digest("")
	for _, one := range s.Services {
		for _, r := range one.Runs {
			counts[r.Digest] += r.Tasks
			commits[r.Digest] = r.Commit
			if best == "" || counts[r.Digest] > counts[best] {
				best = r.Digest
			}
		}
	}
	return Image{Digest: best, Labels: map[string]string{LabelRevision: commits[best]}}
}
