package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is what became of a service deployment, in words that say more than ECS's status.
type State string

// The states of a deployment.
const (
	StateRuns           State = "runs"            // the newest that succeeded: what the service is to run
	StateReplaced       State = "replaced"        // it succeeded, and another one did after it
	StateInFlight       State = "in_flight"       // it is on its way
	StateRollingBack    State = "rolling_back"    // it was given up and ECS is on the way back
	StateRolledBack     State = "rolled_back"     // it failed and ECS went back
	StateRollbackFailed State = "rollback_failed" // it failed and ECS could not go back
	StateSuperseded     State = "superseded"      // a newer deployment overtook it before it was done
	StateStopped        State = "stopped"         // it was stopped and nothing went back
	StateUnknown        State = "unknown"         // ECS has a status for it that this version does not know
)

// moving reports whether the deployment has not ended.
func (s State) moving() bool { return s == StateInFlight || s == StateRollingBack }

// HistoryEntry is one service deployment with what it brought.
type HistoryEntry struct {
	Service        string    `json:"service"`
	Deployment     string    `json:"deployment"` // service deployment ARN
	Revision       string    `json:"revision,omitempty"`
	TaskDefinition string    `json:"task_definition,omitempty"` // ARN
	State          State     `json:"state"`
	Status         string    `json:"status"` // ECS's service deployment status
	Reason         string    `json:"reason,omitempty"`
	Started        time.Time `json:"started"`
	Finished       time.Time `json:"finished,omitzero"`
	Digest         Digest    `json:"digest,omitempty"`
	Commit         string    `json:"commit,omitempty"`  // from the image's label, "-dirty" included; empty when the registry no longer has it
	Subject        string    `json:"subject,omitempty"` // of the commit, when the local history has it
	Tags           []string  `json:"tags,omitempty"`
	Gone           bool      `json:"gone,omitempty"`    // the registry no longer has the image
	Running        int       `json:"running"`           // tasks of this deployment that run now
	Again          bool      `json:"again,omitempty"`   // it brought back an image that had run before another one did
	WentBack       *WentBack `json:"back_to,omitempty"` // where ECS's rollback led
}

// WentBack is what ECS went back to when it rolled a deployment back.
type WentBack struct {
	Revision   string `json:"revision"`             // service revision ARN
	Deployment string `json:"deployment,omitempty"` // that had brought it; empty: older than what ECS lists
	Digest     Digest `json:"digest,omitempty"`
	Commit     string `json:"commit,omitempty"`
}

// History is what was deployed to the services of a target.
type History struct {
	Target      string         `json:"target"`
	Cluster     string         `json:"cluster"`
	Repository  string         `json:"repository"`
	Missing     []string       `json:"missing,omitempty"` // services that do not exist
	Deployments []HistoryEntry `json:"deployments"`       // newest first
	More        int            `json:"more"`              // older ones that the limit left out
}

// HistoryOptions narrow a history down.
type HistoryOptions struct {
	Services []string // empty: all of the target
	Limit    int      // 0: all that ECS lists, which is a hundred of each service
}

// History lists what was deployed, newest first.
func (i *Inspector) History(ctx context.Context, t Target, o HistoryOptions) (History, error) {
	h := History{Target: t.Name, Cluster: t.Cluster, Repository: t.Repository, Deployments: []HistoryEntry{}}
	services := o.Services
	if len(services) == 0 {
		services = t.Services
	}
	looks, err := i.looks(ctx, t, services, false)
	if err != nil {
		return h, err
	}
	for _, l := range looks {
		if l.missing {
			h.Missing = append(h.Missing, l.name)
		}
	}
	h.Deployments, h.More, _, err = i.entries(ctx, t, looks, o.Limit)
	return h, err
}

// entries joins what ECS tells with images and commits; of the newest ones only, when there is a limit: then it tells how
// many more there are. The images are those of the entries and of all tasks.
func (i *Inspector) entries(ctx context.Context, t Target, looks []look, limit int) (shown []HistoryEntry, more int, images album, err error) {
	all := []HistoryEntry{}
	for _, l := range looks {
		all = append(all, entriesOf(l, t.Repository)...)
	}
	slices.SortStableFunc(all, func(a, b HistoryEntry) int { return b.Started.Compare(a.Started) })
	shown = all
	if limit > 0 {
		shown = all[:min(limit, len(all))]
	}
	if err := i.ways(ctx, shown, looks, t.Repository); err != nil {
		return nil, 0, nil, err
	}
	if images, err = i.images(ctx, t, digestsOf(shown, looks, t.Repository)); err != nil {
		return nil, 0, nil, err
	}
	commits, err := i.commits(ctx, images)
	if err != nil {
		return nil, 0, nil, err
	}
	for n := range shown {
		shown[n].join(images, commits)
	}
	for _, l := range looks {
		attribute(all, l, t.Repository, images) // also those not shown: a task of one must not count for another
	}
	return shown, len(all) - len(shown), images, nil
}

// entriesOf is what ECS alone tells of a service's deployments, newest first.
func entriesOf(l look, repository string) []HistoryEntry {
	var all []HistoryEntry
	for n, p := range l.past {
		all = append(all, HistoryEntry{
			Service: l.name, Deployment: p.Deployment, Revision: p.Revision, TaskDefinition: p.TaskDefinition,
			State: stateOf(l.past, n), Status: p.Status, Reason: p.StatusReason, Started: p.Started, Finished: p.Finished,
			Digest: p.digest(repository), Again: again(l.past, n, repository),
		})
	}
	return all
}

// stateOf tells what became of one of a service's deployments, which are given newest first.
func stateOf(past []PastRollout, n int) State {
	switch past[n].Status {
	case statusPending, statusInProgress:
		return StateInFlight
	case statusStopRequested, statusRollbackRequested, statusRollbackInProgress:
		return StateRollingBack
	case statusRollbackSuccessful:
		return StateRolledBack
	case statusRollbackFailed:
		return StateRollbackFailed
	case statusStopped:
		if overtaken(past, n) {
			return StateSuperseded
		}
		return StateStopped
	case statusSuccessful:
		if newestSuccess(past) == n {
			return StateRuns
		}
		return StateReplaced
	}
	return StateUnknown
}

// newestSuccess is the place of the newest deployment that succeeded; -1: none did.
func newestSuccess(past []PastRollout) int {
	return slices.IndexFunc(past, func(p PastRollout) bool { return p.Status == statusSuccessful })
}

// overtaken reports whether a stopped deployment ended because the next one began: ECS says so, or it began before this
// one had ended.
func overtaken(past []PastRollout, n int) bool {
	if n == 0 {
		return false
	}
	reason := strings.ToLower(past[n].StatusReason)
	return strings.Contains(reason, "newer deployment") || strings.Contains(reason, "new deployment") ||
		!past[n].Finished.IsZero() && past[n-1].Started.Before(past[n].Finished)
}

// again reports whether a deployment brought an image back that had run before another one did.
func again(past []PastRollout, n int, repository string) bool {
	d := past[n].digest(repository)
	between := false
	for _, p := range past[n+1:] {
		switch other := p.digest(repository); {
		case d == "" || p.Status != statusSuccessful:
		case other != d:
			between = true
		case between:
			return true
		}
	}
	return false
}

// ways fills in where rollbacks led.
func (i *Inspector) ways(ctx context.Context, entries []HistoryEntry, looks []look, repository string) error {
	var asked []string
	for _, e := range entries {
		switch e.State {
		case StateRolledBack, StateRollingBack, StateRollbackFailed:
			asked = append(asked, e.Deployment)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	back, err := i.Orchestrator.WayBack(ctx, asked)
	if err != nil {
		return fmt.Errorf("look up rollbacks: %w", err)
	}
	for n, e := range entries {
		if revision := back[e.Deployment]; revision != "" {
			entries[n].WentBack = wentBack(revision, e.Service, looks, repository)
		}
	}
	return nil
}

// wentBack finds the deployment that had brought a revision.
func wentBack(revision, service string, looks []look, repository string) *WentBack {
	w := &WentBack{Revision: revision}
	for _, l := range looks {
		for _, p := range l.past {
			if l.name == service && p.Revision == revision && p.Status == statusSuccessful {
				w.Deployment, w.Digest = p.Deployment, p.digest(repository)
				return w
			}
		}
	}
	return w
}

// digestsOf gathers every digest that entries and tasks name.
func digestsOf(entries []HistoryEntry, looks []look, repository string) []Digest {
	var all []Digest
	for _, e := range entries {
		all = append(all, e.Digest)
		if e.WentBack != nil {
			all = append(all, e.WentBack.Digest)
		}
	}
	for _, l := range looks {
		for _, task := range l.tasks {
			all = append(all, task.Digest(repository))
		}
	}
	slices.Sort(all)
	return slices.DeleteFunc(slices.Compact(all), func(d Digest) bool { return d == "" })
}

// join fills in what the registry and git know of what the deployment brought.
func (e *HistoryEntry) join(images album, commits map[string]Commit) {
	if e.WentBack != nil {
		image := images[e.WentBack.Digest]
		e.WentBack.Digest, e.WentBack.Commit = images.of(e.WentBack.Digest), image.Labels[LabelRevision]
	}
	if e.Digest == "" {
		return
	}
	image := images[e.Digest]
	e.Gone = !images.has(e.Digest)
	e.Digest, e.Commit, e.Tags = images.of(e.Digest), image.Labels[LabelRevision], image.Tags
	e.Subject = commits[e.Commit].Subject
}

// attribute counts each running task for the deployment that it belongs to: the newest one, begun before the task was
// made, that brought the task's image and task definition. ECS itself forgets which deployment a task is of.
func attribute(entries []HistoryEntry, l look, repository string, images album) {
	for _, task := range l.tasks {
		d := images.of(task.Digest(repository))
		if !task.serving() || d == "" {
			continue
		}
		candidate := func(strict bool) int {
			return slices.IndexFunc(entries, func(e HistoryEntry) bool {
				fits := e.Service == l.name && e.Digest == d
				made := !e.Started.After(task.Created) && (e.TaskDefinition == "" || e.TaskDefinition == task.TaskDefinition)
				return fits && (made || !strict)
			})
		}
		n := candidate(true)
		if n < 0 {
			n = candidate(false)
		}
		if n >= 0 {
			entries[n].Running++
		}
	}
}
