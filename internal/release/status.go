package release

import (
	"context"
	"errors"
	"fmt"
)

// Status is what runs on a target, as ECS and ECR tell it.
type Status struct {
	Target   string          `json:"target"`
	Cluster  string          `json:"cluster"`
	Tag      string          `json:"tag"`                  // the tag that releases move
	Tagged   Digest          `json:"tagged,omitempty"`     // what it names
	Commit   string          `json:"tag_commit,omitempty"` // the commit of what it names
	Services []ServiceStatus `json:"services"`
}

// ServiceStatus is one service of a Status.
type ServiceStatus struct {
	Name       string         `json:"name"`
	Missing    bool           `json:"missing,omitempty"` // it does not exist
	Status     string         `json:"status,omitempty"`
	Desired    int            `json:"desired"`
	Running    int            `json:"running"`
	Pending    int            `json:"pending"`
	Deployment string         `json:"deployment,omitempty"` // ARN of the current service deployment
	InFlight   bool           `json:"in_flight"`
	Digests    map[Digest]int `json:"digests"`          // what its serving tasks run → how many do
	Commit     string         `json:"commit,omitempty"` // of what most of them run
	Drift      []string       `json:"drift,omitempty"`  // what does not fit together
	URL        string         `json:"url,omitempty"`
}

// Status looks at what runs. It reads only.
func (p *Pipeline) Status(ctx context.Context, t Target) (Status, error) {
	s := Status{Target: t.Name, Cluster: t.Cluster, Tag: t.Tag, Services: []ServiceStatus{}}
	tagged, err := p.Registry.Image(ctx, t.Repository, t.Tag)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return s, fmt.Errorf("look up :%s: %w", t.Tag, err)
	}
	s.Tagged, s.Commit = tagged.Digest, tagged.Labels[LabelRevision]
	for _, name := range t.Services {
		one, err := p.serviceStatus(ctx, t, name, tagged)
		if err != nil {
			return s, err
		}
		s.Services = append(s.Services, one)
	}
	return s, nil
}

func (p *Pipeline) serviceStatus(ctx context.Context, t Target, name string, tagged Image) (ServiceStatus, error) {
	one := ServiceStatus{Name: name, Digests: map[Digest]int{}}
	service, err := p.Orchestrator.Service(ctx, t.Cluster, name)
	if errors.Is(err, ErrNotFound) {
		one.Missing = true
		return one, nil
	}
	if err != nil {
		return one, fmt.Errorf("service %s: %w", name, err)
	}
	one.Status, one.Desired, one.Running, one.Pending = service.Status, service.Desired, service.Running, service.Pending
	one.Deployment, one.InFlight = service.CurrentDeployment, service.DeploymentInFlight
	tasks, err := p.Orchestrator.Running(ctx, t.Cluster, name)
	if err != nil {
		return one, fmt.Errorf("tasks of %s: %w", name, err)
	}
	for _, task := range tasks {
		if task.serving() {
			one.Digests[task.Digest(t.Repository)]++
		}
	}
	runs := commonDigest(tasks, t.Repository)
	if runs != "" {
		one.Commit = p.commitOf(ctx, t, runs, tagged)
	}
	if p.ServiceURL != nil {
		one.URL = p.ServiceURL(ctx, name)
	}
	one.Drift = drift(one, t, runs, tagged)
	return one, nil
}

func (p *Pipeline) commitOf(ctx context.Context, t Target, d Digest, tagged Image) string {
	if tagged.Is(d) {
		return tagged.Labels[LabelRevision]
	}
	image, err := p.Registry.Image(ctx, t.Repository, string(d))
	if err != nil {
		return ""
	}
	return image.Labels[LabelRevision]
}

// drift names what does not fit together in a service that is not being deployed right now.
func drift(s ServiceStatus, t Target, runs Digest, tagged Image) []string {
	if s.InFlight {
		return nil
	}
	var found []string
	if runs != "" && !tagged.Is(runs) {
		found = append(found, fmt.Sprintf(":%s names %s, but %s runs", t.Tag, orElse(tagged.Digest.Short(), "nothing"), runs.Short()))
	}
	if len(s.Digests) > 1 {
		found = append(found, fmt.Sprintf("its tasks run %d different images", len(s.Digests)))
	}
	return found
}
