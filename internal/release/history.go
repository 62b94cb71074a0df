package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// HistoryEntry is one rollout of one service with what it brought.
type HistoryEntry struct {
	Service    string    `json:"service"`
	Deployment string    `json:"deployment"` // service deployment ARN
	Revision   string    `json:"revision,omitempty"`
	Status     string    `json:"status"` // ECS's service deployment status
	Started    time.Time `json:"started"`
	Finished   time.Time `json:"finished,omitzero"`
	Digest     Digest    `json:"digest,omitempty"`
	Commit     string    `json:"commit,omitempty"` // from the image's label; empty when the registry no longer has it
	Tags       []string  `json:"tags,omitempty"`
	Gone       bool      `json:"gone,omitempty"` // the registry no longer has the image
	Running    int       `json:"running"`        // tasks that run it now; only its newest successful deployment counts them
}

// History lists what was deployed to every service of the target, newest first, from what ECS and ECR know.
func (p *Pipeline) History(ctx context.Context, t Target) ([]HistoryEntry, error) {
	all := []HistoryEntry{}
	images := map[Digest]Image{}
	for _, service := range t.Services {
		past, err := p.Orchestrator.Past(ctx, t.Cluster, service)
		if err != nil {
			return nil, fmt.Errorf("history of %s: %w", service, err)
		}
		tasks, err := p.Orchestrator.Running(ctx, t.Cluster, service)
		if err != nil {
			return nil, fmt.Errorf("tasks of %s: %w", service, err)
		}
		counted := map[Digest]bool{}
		for _, one := range past {
			entry, err := p.historyEntry(ctx, t, service, one, images)
			if err != nil {
				return nil, err
			}
			if !counted[entry.Digest] && entry.Status == statusSuccessful {
				entry.Running = countDigest(tasks, t.Repository, entry.Digest)
				counted[entry.Digest] = true // an earlier deployment of the same image is not what runs
			}
			all = append(all, entry)
		}
	}
	return all, nil
}

func (p *Pipeline) historyEntry(ctx context.Context, t Target, service string, past PastRollout, images map[Digest]Image) (HistoryEntry, error) {
	e := HistoryEntry{
		Service: service, Deployment: past.Deployment, Revision: past.Revision, Status: past.Status,
		Started: past.Started, Finished: past.Finished, Digest: past.digest(t.Repository),
	}
	if e.Digest == "" {
		return e, nil
	}
	image, known := images[e.Digest]
	if !known {
		var err error
		if image, err = p.Registry.Image(ctx, t.Repository, string(e.Digest)); err != nil && !errors.Is(err, ErrNotFound) {
			return e, fmt.Errorf("image %s: %w", e.Digest.Short(), err)
		}
		images[e.Digest] = image
	}
	e.Commit, e.Tags, e.Gone = image.Labels[LabelRevision], image.Tags, image.Digest == ""
	return e, nil
}

func countDigest(tasks []Task, repository string, d Digest) int {
	n := 0
	for _, t := range tasks {
		if d != "" && t.serving() && t.Digest(repository) == d {
			n++
		}
	}
	return n
}

// Trace joins everything that is known about one image: commit ⇄ tags ⇄ digest ⇄ deployments ⇄ running tasks.
type Trace struct {
	Ref         string         `json:"ref"` // as asked
	Image       Image          `json:"image"`
	Commit      string         `json:"commit,omitempty"`
	Gone        bool           `json:"gone,omitempty"` // the registry no longer has the image
	Deployments []HistoryEntry `json:"deployments"`
	Tasks       []TraceTask    `json:"tasks"`
}

// TraceTask is one running task of a Trace.
type TraceTask struct {
	Service string    `json:"service"`
	ID      string    `json:"id"`
	Started time.Time `json:"started,omitzero"`
	Health  string    `json:"health,omitempty"`
}

// Trace finds the image that ref leads to, and from it everything else. ref may be a full commit sha, a tag, a digest, a
// task id, or the ARN or id of a service deployment or revision. A *Failure with OutcomeRefused when it leads nowhere.
func (p *Pipeline) Trace(ctx context.Context, t Target, ref string) (Trace, error) {
	history, err := p.History(ctx, t)
	if err != nil {
		return Trace{}, err
	}
	tasks, err := p.allTasks(ctx, t)
	if err != nil {
		return Trace{}, err
	}
	found := Trace{Ref: ref, Deployments: []HistoryEntry{}, Tasks: []TraceTask{}}
	if found.Image, found.Gone, err = p.traceImage(ctx, t, ref, history, tasks); err != nil {
		return found, err
	}
	found.Commit = found.Image.Labels[LabelRevision]
	for _, e := range history {
		if found.Image.Is(e.Digest) {
			found.Deployments = append(found.Deployments, e)
		}
	}
	for _, task := range tasks {
		if found.Image.Is(task.Digest(t.Repository)) {
			found.Tasks = append(found.Tasks, TraceTask{Service: task.Service, ID: task.ID, Started: task.Started, Health: task.Health})
		}
	}
	return found, nil
}

func (p *Pipeline) allTasks(ctx context.Context, t Target) ([]Task, error) {
	var all []Task
	for _, service := range t.Services {
		tasks, err := p.Orchestrator.Running(ctx, t.Cluster, service)
		if err != nil {
			return nil, fmt.Errorf("tasks of %s: %w", service, err)
		}
		all = append(all, tasks...)
	}
	return all, nil
}

// traceImage follows ref to an image: by what ECS calls it first, then by what the registry does.
func (p *Pipeline) traceImage(ctx context.Context, t Target, ref string, history []HistoryEntry, tasks []Task) (image Image, gone bool, err error) {
	digest := digestOfECSName(ref, t.Repository, history, tasks)
	names := []string{ref, "git-" + ref}
	if digest != "" {
		names = []string{string(digest)}
	}
	for _, name := range names {
		image, err := p.Registry.Image(ctx, t.Repository, name)
		if err == nil {
			return image, false, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return Image{}, false, err
		}
	}
	if d := Digest(ref); digest == "" && d.Valid() {
		digest = d // the registry does not have it, but a deployment or a task may
	}
	for _, e := range history {
		if digest != "" && e.Digest == digest {
			return Image{Repository: t.Repository, Digest: digest}, true, nil
		}
	}
	return Image{}, false, failf(OutcomeRefused, ExitCheck,
		"%q leads nowhere: it is no commit, tag, digest, task or deployment of %s on %s; see `medusa-deploy history`", ref, t.Repository, t.Name)
}

// digestOfECSName gives the digest behind a task id or the ARN (or its last part) of a task, deployment or revision.
func digestOfECSName(ref, repository string, history []HistoryEntry, tasks []Task) Digest {
	names := func(arn string) bool { return arn != "" && (arn == ref || strings.HasSuffix(arn, "/"+ref)) }
	for _, task := range tasks {
		if task.ID == ref || names(task.ARN) {
			return task.Digest(repository)
		}
	}
	for _, e := range history {
		if names(e.Deployment) || names(e.Revision) {
			return e.Digest
		}
	}
	return ""
}
