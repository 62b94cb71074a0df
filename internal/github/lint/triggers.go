package lint

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v4"
)

// judgeTriggers looks at what starts the workflow.
func (c *checker) judgeTriggers() {
	w := c.workflow
	if w.on.there() && w.deploys() && !w.startedBy("workflow_dispatch", "workflow_call") && !w.onlyPreviews() {
		p := c.at(codeNoDispatch, w.on.key, "the workflow deploys, and nobody can start it by hand")
		p.Fix = c.addTrigger("workflow_dispatch")
	}
	if w.deploys() && !w.onlyPreviews() {
		c.judgeCancel(w.concurrency)
	}
	c.judgeEmptyInputs()
}

// onlyPreviews tells whether pull requests alone start the workflow: what it deploys is not what customers use.
func (w *workflow) onlyPreviews() bool {
	return !slices.ContainsFunc(w.events, func(e event) bool { return e.name != "pull_request" && e.name != "pull_request_target" })
}

// addTrigger is the fix that adds a trigger, in the form in which the others are written.
func (c *checker) addTrigger(name string) *Fix {
	on := c.workflow.on
	fix := func(e *Edit, ok bool) *Fix {
		if !ok {
			return nil
		}
		return &Fix{Title: "add " + name, Edits: []Edit{*e}}
	}
	at := c.offsetOf(on.val)
	switch {
	case on.val.Anchor != "" || on.val.Line < on.key.Line:
		return nil
	case on.val.Kind == yaml.ScalarNode && on.val.Style == 0 && strings.HasPrefix(c.src.text[at:], on.val.Value):
		return fix(&Edit{Start: at, End: at + len(on.val.Value), Text: "[" + on.val.Value + ", " + name + "]"}, true)
	case on.val.Kind == yaml.SequenceNode && len(on.val.Content) > 0 && flow(on.val):
		first := c.offsetOf(on.val.Content[0])
		return fix(&Edit{Start: first, End: first, Text: name + ", "}, true)
	case on.val.Kind == yaml.SequenceNode && len(on.val.Content) > 0:
		return fix(c.lineAt(at, "- "+name))
	case on.val.Kind == yaml.MappingNode && flow(on.val):
		return fix(c.insertEntry(on, name+": {}"))
	case on.val.Kind == yaml.MappingNode:
		return fix(c.insertEntry(on, name+":"))
	}
	return nil
}

// judgeCancel finds a concurrency group that kills a running deploy.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#concurrency
func (c *checker) judgeCancel(concurrency field) {
	cancel := lookup(concurrency.val, "cancel-in-progress")
	if !cancel.is("true") {
		return
	}
	p := c.at(codeCancel, cancel.key, "cancel-in-progress kills a deploy that runs")
	if at := c.offsetOf(cancel.val); strings.HasPrefix(c.src.text[at:], "true") {
		p.Fix = &Fix{Title: "let a running deploy finish", Edits: []Edit{{Start: at, End: at + len("true"), Text: "false"}}}
	}
}

// judgeEmptyInputs finds inputs that are used as if a dispatch were the only way to start the workflow.
// https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#inputs-context
func (c *checker) judgeEmptyInputs() {
	w := c.workflow
	dispatch, found := w.event("workflow_dispatch")
	if !found || len(w.events) == 1 || w.startedBy("workflow_call") {
		return
	}
	declared := lookup(dispatch.val, "inputs").val
	for _, j := range w.jobs {
		if guarded(j.get("if")) {
			continue
		}
		c.emptyIn(j.get("environment"), declared, nil)
		c.emptyIn(j.get("env"), declared, j.steps)
		for _, s := range j.steps {
			if guarded(s.get("if")) {
				continue
			}
			c.emptyIn(s.get("env"), declared, []*step{s})
		}
	}
}

// emptyIn looks for inputs in the texts of an entry. readers are the steps whose scripts may give a variable of it a default.
func (c *checker) emptyIn(where field, declared *yaml.Node, readers []*step) {
	if !where.there() {
		return
	}
	if where.val.Kind == yaml.ScalarNode { // the name of an environment
		c.emptyText(where, declared)
		return
	}
	for _, f := range entries(where.val) {
		if f.val.Kind == yaml.ScalarNode && f.key.Value != "url" && strings.Contains(strings.ToLower(f.val.Value), "inputs") && !slices.ContainsFunc(readers, defaulted) {
			c.emptyText(f, declared)
		}
	}
}

func (c *checker) emptyText(f field, declared *yaml.Node) {
	text := newScalar(c.src, f.val, f.key.Column-1)
	found, _ := expressions(text.value)
	for _, e := range found {
		for _, read := range bare(e.node) {
			name := strings.TrimPrefix(strings.TrimPrefix(read, "github.event."), "inputs.")
			in := lookupFold(declared, name)
			if name == read || !in.there() || lookup(in.val, "type").is("boolean") {
				continue
			}
			p := c.add(codeEmptyInput, text.source(e.start), "the input "+in.key.Value+" is empty when "+c.workflow.otherEvent()+" starts the workflow")
			if def := lookup(in.val, "default").text(); def != "" {
				p.Cure = "write ${{ " + read + " || '" + strings.ReplaceAll(def, "'", "''") + "' }}"
			}
			break
		}
	}
}

// otherEvent names an event that comes without inputs.
func (w *workflow) otherEvent() string {
	for _, e := range w.events {
		if e.name != "workflow_dispatch" {
			return e.name
		}
	}
	return "another event"
}

// guarded tells whether a condition asks for what started the workflow.
func guarded(condition field) bool {
	text := strings.ToLower(condition.text())
	return slices.ContainsFunc([]string{"event_name", "github.ref", "head_ref", "merged", "inputs.", "event.action", "github.event.", "needs."}, func(s string) bool {
		return strings.Contains(text, s)
	})
}

// bare are the properties that flow into a value without a default: not those before ||.
func bare(n actionlint.ExprNode) []string {
	if or, ok := n.(*actionlint.LogicalOpNode); ok && or.Kind == actionlint.LogicalOpNodeKindOr {
		return bare(or.Right)
	}
	return flows(n)
}

// asks finds what a script does with an empty variable: a test, a default, or a look at the event.
var asks = regexp.MustCompile(`\[ |\btest |\bcase |\$\{\w+:?[-=+?]|GITHUB_EVENT_NAME|github\.event_name`)

// defaulted tells whether a script that reads a variable of the step may be ready for an empty one.
func defaulted(s *step) bool { return s.script != nil && asks.MatchString(s.script.value) }
