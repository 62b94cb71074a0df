package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Trace joins everything that is known about one image: commit ⇄ tags ⇄ digest ⇄ deployments ⇄ running tasks.
type Trace struct {
	Ref         string         `json:"ref"`  // as asked
	Kinds       []RefKind      `json:"is"`   // what it turned out to be
	Name        string         `json:"name"` // its full name
	Image       Image          `json:"image"`
	Gone        bool           `json:"gone,omitempty"`   // the registry no longer has the image
	Commit      string         `json:"commit,omitempty"` // sha, from the image's label
	Dirty       bool           `json:"dirty"`            // the image was built from a work tree that differed from Commit
	Source      *Commit        `json:"source,omitempty"` // the commit, when the local history has it
	Deployments []HistoryEntry `json:"deployments"`      // newest first
	Definitions []string       `json:"task_definitions"` // ARNs of those that it was deployed with, newest first
	Tasks       []TraceTask    `json:"tasks"`            // that run it, then those that stopped within about an hour
	Also        []Sibling      `json:"also,omitempty"`   // other images of the same commit
	Notes       []string       `json:"notes,omitempty"`  // what else the reference could have meant
	// Attestations is what is attached to the image: provenance, an SBOM, signatures.
	Attestations []Attestation `json:"attestations,omitempty"`
}

// TraceTask is one task of a Trace.
type TraceTask struct {
	Service    string    `json:"service,omitempty"` // empty: a task of its own, say a migration
	ID         string    `json:"id"`
	Definition string    `json:"task_definition,omitempty"` // ARN
	Status     string    `json:"status"`
	Health     string    `json:"health,omitempty"`
	Started    time.Time `json:"started,omitzero"`
	Stopped    time.Time `json:"stopped,omitzero"`
	StopCode   string    `json:"stop_code,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}

// Sibling is another image of the same commit: built from a work tree with uncommitted changes, or built again.
type Sibling struct {
	Digest Digest   `json:"digest"`
	Tags   []string `json:"tags,omitempty"`
	Dirty  bool     `json:"dirty"`
}

// Trace finds the image that ref leads to, and from it everything else. ref may be a commit (a sha or the beginning of
// one, or whatever local git resolves), a tag, a digest (or twelve digits of it), or the id or ARN of a service
// deployment, a service revision, a task definition revision (FAMILY:N) or a task (or the beginning of its id).
// A *Failure with ExitUsage names all candidates when it could be several, one with ExitCheck what was tried when it
// leads nowhere.
func (i *Inspector) Trace(ctx context.Context, t Target, ref string) (Trace, error) {
	parsed, err := parseRef(ref, t)
	if err != nil {
		return Trace{}, &Failure{Outcome: OutcomeRefused, Exit: ExitUsage, Err: err}
	}
	s, err := i.search(ctx, t, ref, parsed)
	if err != nil {
		return Trace{}, err
	}
	lead, err := s.one()
	if err != nil {
		return Trace{}, err
	}
	return s.trace(ctx, lead)
}

// trace gathers everything about the image that was found.
func (s *search) trace(ctx context.Context, found lead) (Trace, error) {
	d := s.images.of(found.digest)
	trace := Trace{
		Ref: s.ref, Kinds: s.kinds(d), Name: found.name, Image: s.images[d], Gone: !s.images.has(d), Deployments: []HistoryEntry{},
		Definitions: []string{}, Tasks: []TraceTask{}, Also: s.also(d, found), Notes: s.notes,
	}
	if trace.Gone {
		trace.Image = Image{Repository: s.t.Repository, Digest: d}
	}
	trace.Commit, trace.Dirty, _ = ParseRevision(trace.Image.Labels[LabelRevision])
	trace.Attestations = s.i.attestations(ctx, s.t, trace.Image, trace.Gone)
	for _, e := range s.entries {
		if e.Digest == d {
			trace.Deployments = append(trace.Deployments, e)
			trace.define(e.TaskDefinition)
		}
	}
	s.addTasks(&trace, d)
	if s.i.Commits == nil || trace.Commit == "" {
		return trace, nil
	}
	known, err := s.i.commits(ctx, album{d: trace.Image})
	if c, ok := known[trace.Image.Labels[LabelRevision]]; ok {
		trace.Source = &c
	}
	return trace, err
}

func (t *Trace) define(arn string) {
	if arn != "" && !slices.Contains(t.Definitions, arn) {
		t.Definitions = append(t.Definitions, arn)
	}
}

// addTasks adds the tasks that run the image or ran it.
func (s *search) addTasks(trace *Trace, d Digest) {
	for _, task := range s.tasks() {
		if s.images.of(task.Digest(s.t.Repository)) != d {
			continue
		}
		trace.define(task.TaskDefinition)
		trace.Tasks = append(trace.Tasks, TraceTask{
			Service: task.Service, ID: task.ID, Definition: task.TaskDefinition, Status: task.LastStatus, Health: task.Health,
			Started: task.Started, Stopped: task.Stopped, StopCode: task.StopCode, Reason: task.StoppedReason,
		})
	}
	slices.SortStableFunc(trace.Tasks, func(a, b TraceTask) int {
		if a.stopped() != b.stopped() {
			return map[bool]int{false: -1, true: 1}[a.stopped()]
		}
		return b.Started.Compare(a.Started)
	})
}

func (t TraceTask) stopped() bool { return t.Status == "STOPPED" }

// kinds lists what the reference turned out to be, each once.
func (s *search) kinds(d Digest) []RefKind {
	var all []RefKind
	for _, l := range s.leads {
		if s.images.of(l.digest) == d && !slices.Contains(all, l.kind) {
			all = append(all, l.kind)
		}
	}
	return all
}

// also lists the other images of the commit that was asked for.
func (s *search) also(d Digest, found lead) []Sibling {
	var all []Sibling
	if found.kind != RefCommit {
		return all
	}
	for _, l := range s.siblings {
		other := s.images.of(l.digest)
		if other != d && !slices.ContainsFunc(all, func(one Sibling) bool { return one.Digest == other }) {
			all = append(all, Sibling{Digest: other, Tags: s.images[other].Tags, Dirty: l.dirty})
		}
	}
	return all
}

// one gives the one image that the leads agree on. Whole names go before beginnings of names.
func (s *search) one() (lead, error) {
	if slices.ContainsFunc(s.leads, func(l lead) bool { return l.exact }) {
		s.leads = slices.DeleteFunc(s.leads, func(l lead) bool { return !l.exact })
	}
	byDigest := map[Digest]lead{}
	for _, l := range slices.Backward(s.leads) {
		byDigest[s.images.of(l.digest)] = l
	}
	switch len(byDigest) {
	case 0:
		return lead{}, s.nowhere()
	case 1:
		return s.leads[0], nil
	}
	return lead{}, s.ambiguous()
}

func (s *search) nowhere() error {
	var text strings.Builder
	fmt.Fprintf(&text, "%q leads to no image of %s on %s; tried", s.ref, s.t.Repository, s.t.Name)
	for _, line := range s.tried {
		text.WriteString("\n  " + line)
	}
	text.WriteString("\nsee `medusa-deploy history` for what was deployed")
	return failf(OutcomeRefused, ExitCheck, "%s", text.String())
}

// ambiguous names every image that the reference leads to, and how to ask for each.
func (s *search) ambiguous() error {
	var text strings.Builder
	fmt.Fprintf(&text, "%q leads to several images of %s on %s; ask for one by its digest", s.ref, s.t.Repository, s.t.Name)
	var told []Digest
	for _, l := range s.leads {
		d := s.images.of(l.digest)
		if slices.Contains(told, d) {
			continue
		}
		told = append(told, d)
		text.WriteString("\n  sha256:" + d.Short() + "  " + strings.Join(s.describe(d), "; "))
	}
	return failf(OutcomeRefused, ExitUsage, "%s", text.String())
}

// describe tells a person what a candidate is.
func (s *search) describe(d Digest) []string {
	var words []string
	for _, l := range s.leads {
		if word := string(l.kind) + " " + l.name; s.images.of(l.digest) == d && !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	if sha, dirty, ok := ParseRevision(s.images[d].Labels[LabelRevision]); ok {
		word := "of commit " + short(sha)
		if dirty {
			word += " with uncommitted changes"
		}
		words = append(words, word)
	}
	for _, e := range s.entries {
		if e.Digest == d {
			words = append(words, "deployed "+e.Started.UTC().Format("2006-01-02 15:04 MST"))
			break
		}
	}
	running := 0
	for _, task := range s.tasks() {
		if task.serving() && s.images.of(task.Digest(s.t.Repository)) == d {
			running++
		}
	}
	if running > 0 {
		words = append(words, countWords(running, "task")+" run it")
	}
	return words
}
