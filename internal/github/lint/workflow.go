package lint

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v4"
)

// workflow is a file as far as the rules look at it. What is missing or has a wrong shape is simply not there: actionlint
// says so.
type workflow struct {
	src         *source
	root        *yaml.Node // nil: an empty file
	action      bool       // it is an action's metadata, not a workflow
	on          field
	events      []event
	permissions field
	env         field
	concurrency field
	jobs        []*job
	steps       []*step // of all jobs, or of the action
}

// event is one trigger.
type event struct {
	name string
	node *yaml.Node // where it is named
	val  *yaml.Node // what it is restricted to; may be nil
}

type job struct {
	workflow *workflow
	id       *yaml.Node
	node     *yaml.Node
	steps    []*step
}

type step struct {
	job    *job // nil in an action
	of     *workflow
	node   *yaml.Node
	uses   field
	run    field
	script *script // of run; nil: none, or not a shell that can be read
	// commands are the script's, in its order.
	commands []*command
}

func (j *job) get(name string) field { return lookup(j.node, name) }

func (s *step) get(name string) field { return lookup(s.node, name) }

// input is an input of the step's action.
func (s *step) input(name string) field { return lookupFold(s.get("with").val, name) }

// action is what `uses:` names, in lower case and without its version; empty for a script.
func (s *step) action() string {
	name, _, _ := strings.Cut(s.uses.text(), "@")
	return strings.ToLower(name)
}

// isLocal tells whether an action or a workflow is this repository's own.
// https://docs.github.com/en/actions/how-tos/write-workflows/choose-what-workflows-do/find-and-customize-actions
func isLocal(uses string) bool { return strings.HasPrefix(uses, "./") || strings.HasPrefix(uses, "$/") }

// actionFiles are the names that an action's metadata goes by.
// https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax
var actionFiles = map[string]bool{"action.yml": true, "action.yaml": true}

// newWorkflow reads the tree of a file.
func newWorkflow(name string, src *source, document *yaml.Node) *workflow {
	w := &workflow{src: src}
	if document == nil || len(document.Content) == 0 {
		return w
	}
	w.root = resolve(document.Content[0])
	w.action = actionFiles[path.Base(strings.ReplaceAll(name, `\`, "/"))] && lookup(w.root, "runs").there()
	if w.action {
		w.steps = w.newSteps(nil, lookup(lookup(w.root, "runs").val, "steps").val)
		return w
	}
	w.on = lookup(w.root, "on")
	w.events = newEvents(w.on.val)
	w.permissions = lookup(w.root, "permissions")
	w.env = lookup(w.root, "env")
	w.concurrency = lookup(w.root, "concurrency")
	for _, f := range entries(lookup(w.root, "jobs").val) {
		if f.val == nil || f.val.Kind != yaml.MappingNode {
			continue
		}
		j := &job{workflow: w, id: f.key, node: f.val}
		j.steps = w.newSteps(j, lookup(f.val, "steps").val)
		w.jobs = append(w.jobs, j)
		w.steps = append(w.steps, j.steps...)
	}
	return w
}

func newEvents(on *yaml.Node) []event {
	if on == nil {
		return nil
	}
	var events []event
	switch on.Kind {
	case yaml.ScalarNode:
		events = append(events, event{name: on.Value, node: on})
	case yaml.SequenceNode:
		for _, item := range items(on) {
			if item.Kind == yaml.ScalarNode {
				events = append(events, event{name: item.Value, node: item})
			}
		}
	case yaml.MappingNode:
		for _, f := range entries(on) {
			events = append(events, event{name: f.key.Value, node: f.key, val: f.val})
		}
	}
	return events
}

func (w *workflow) newSteps(j *job, list *yaml.Node) []*step {
	var steps []*step
	for _, item := range items(list) {
		if item.Kind != yaml.MappingNode {
			continue
		}
		s := &step{job: j, of: w, node: item, uses: lookup(item, "uses"), run: lookup(item, "run")}
		if s.run.there() && s.run.val.Kind == yaml.ScalarNode {
			s.script = newScript(w.src, s)
		}
		steps = append(steps, s)
	}
	return steps
}

// event finds a trigger by its name.
func (w *workflow) event(name string) (event, bool) {
	for _, e := range w.events {
		if e.name == name {
			return e, true
		}
	}
	return event{}, false
}

func (w *workflow) startedBy(names ...string) bool {
	for _, name := range names {
		if _, found := w.event(name); found {
			return true
		}
	}
	return false
}

// onlyCalled tells whether other workflows alone start this one: then permissions and inputs are their matter.
func (w *workflow) onlyCalled() bool {
	return len(w.events) == 1 && w.events[0].name == "workflow_call"
}

// job finds a job by its id.
func (w *workflow) job(id string) *job {
	for _, j := range w.jobs {
		if strings.EqualFold(j.id.Value, id) {
			return j
		}
	}
	return nil
}
