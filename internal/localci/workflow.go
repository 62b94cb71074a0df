package localci

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rhysd/actionlint"
)

// workflow is one file below .github/workflows.
type workflow struct {
	path   string // in the repository: .github/workflows/deploy.yml
	parsed *actionlint.Workflow
}

const workflowsDir = ".github/workflows"

// workflowsIn reads the workflows of a checkout. A file that GitHub would refuse is one too: its problem is told when a run
// is asked of it.
func workflowsIn(checkout string) (found []workflow, broken map[string]error, err error) {
	entries, err := os.ReadDir(filepath.Join(checkout, workflowsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the workflows: %w", err)
	}
	broken = map[string]error{}
	for _, entry := range entries {
		if extension := path.Ext(entry.Name()); !entry.Type().IsRegular() || extension != ".yml" && extension != ".yaml" {
			continue
		}
		name := path.Join(workflowsDir, entry.Name())
		raw, err := os.ReadFile(filepath.Join(checkout, name))
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", name, err)
		}
		parsed, problems := actionlint.Parse(raw)
		if len(problems) > 0 {
			first := problems[0]
			broken[name] = fmt.Errorf("%s:%d:%d: %s; GitHub would not run it: medusa-deploy check --workflow", name, first.Line, first.Column, first.Message)
			continue
		}
		found = append(found, workflow{path: name, parsed: parsed})
	}
	return found, broken, nil
}

// name is what GitHub shows: the workflow's name, or its path.
func (w workflow) name() string {
	if w.parsed.Name != nil && w.parsed.Name.Value != "" {
		return w.parsed.Name.Value
	}
	return w.path
}

// push gives the workflow's `on: push`; nil when it has none.
func (w workflow) push() *actionlint.WebhookEvent {
	for _, event := range w.parsed.On {
		if hook, ok := event.(*actionlint.WebhookEvent); ok && hook.EventName() == "push" {
			return hook
		}
	}
	return nil
}

// dispatch gives the workflow's `on: workflow_dispatch`; nil when it has none.
func (w workflow) dispatch() *actionlint.WorkflowDispatchEvent {
	for _, event := range w.parsed.On {
		if dispatch, ok := event.(*actionlint.WorkflowDispatchEvent); ok {
			return dispatch
		}
	}
	return nil
}

// used are the actions that the workflow's steps use, as OWNER/REPO[/PATH]@REF, without those of the repository itself.
func (w workflow) used() []string {
	all := map[string]bool{}
	for _, job := range w.parsed.Jobs {
		for _, step := range job.Steps {
			action, ok := step.Exec.(*actionlint.ExecAction)
			if !ok || action.Uses == nil {
				continue
			}
			if uses := action.Uses.Value; !strings.HasPrefix(uses, "./") && !strings.HasPrefix(uses, "docker://") {
				all[uses] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// labels are what the jobs ask to run on, as far as they say it outright.
func (w workflow) labels() []string {
	all := map[string]bool{}
	for _, job := range w.parsed.Jobs {
		if job.RunsOn == nil {
			continue
		}
		for _, label := range job.RunsOn.Labels {
			if !label.ContainsExpression() {
				all[label.Value] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// turn is one concurrency group that a run has to be alone in.
type turn struct {
	group  string
	cancel bool // what is in progress gives way
}

// turns are the groups of the workflow and of its jobs, each once, in one order for all runs: two of them cannot wait for
// each other. A group that is only known while the workflow runs is taken as it is written, which lets fewer run at once.
func (w workflow) turns(f facts) []turn {
	byGroup := map[string]turn{}
	add := func(c *actionlint.Concurrency) {
		if c == nil || c.Group == nil || c.Group.Value == "" {
			return
		}
		t := turn{group: c.Group.Value}
		if group, err := f.expand(t.group); err == nil {
			t.group = group
		}
		t.group = strings.ToLower(t.group) // "The concurrency name is case insensitive"
		if c.CancelInProgress != nil {
			t.cancel = c.CancelInProgress.Value
			if expression := c.CancelInProgress.Expression; expression != nil {
				value, err := f.expand(expression.Value)
				t.cancel = err == nil && value == "true"
			}
		}
		byGroup[t.group] = t
	}
	add(w.parsed.Concurrency)
	for _, id := range slices.Sorted(maps.Keys(w.parsed.Jobs)) {
		add(w.parsed.Jobs[id].Concurrency)
	}
	var all []turn
	for _, group := range slices.Sorted(maps.Keys(byGroup)) {
		all = append(all, byGroup[group])
	}
	return all
}

// title is the run's name: run-name filled in, or what GitHub takes in its place.
func (w workflow) title(f facts, otherwise string) string {
	if w.parsed.RunName == nil || w.parsed.RunName.Value == "" {
		return otherwise
	}
	title, err := f.expand(w.parsed.RunName.Value)
	if err != nil {
		return w.parsed.RunName.Value
	}
	return strings.Join(strings.Fields(title), " ")
}

// inputsOf checks what a dispatch gives against what the workflow asks for, and fills in its defaults. The answers are
// GitHub's, which refuses with 422.
// https://docs.github.com/en/rest/actions/workflows#create-a-workflow-dispatch-event
func (w workflow) inputsOf(event *actionlint.WorkflowDispatchEvent, given map[string]string) (map[string]any, error) {
	values := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, known := event.Inputs[strings.ToLower(name)]; !known {
			return nil, fmt.Errorf("unexpected input %q: %s has %s", name, w.path, orNone(slices.Sorted(maps.Keys(event.Inputs))))
		}
	}
	for key, input := range event.Inputs {
		value, ok := lookup(given, key)
		if !ok && input.Default != nil {
			value, ok = input.Default.Value, true
		}
		if !ok && input.Required != nil && input.Required.Value {
			return nil, fmt.Errorf("the input %q is required: --input %s=…", input.Name.Value, input.Name.Value)
		}
		typed, err := typedInput(input, value)
		if err != nil {
			return nil, err
		}
		values[input.Name.Value] = typed
	}
	return values, nil
}

func lookup(given map[string]string, key string) (string, bool) {
	for name, value := range given {
		if strings.EqualFold(name, key) {
			return value, true
		}
	}
	return "", false
}

func orNone(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

func typedInput(input *actionlint.DispatchInput, value string) (any, error) {
	if strings.Contains(value, "${{") {
		return nil, fmt.Errorf("the input %q holds ${{: act would evaluate it, which GitHub does not; leave it out here", input.Name.Value)
	}
	switch input.Type {
	case actionlint.WorkflowDispatchEventInputTypeBoolean:
		if value != "true" && value != "false" && value != "" {
			return nil, fmt.Errorf("the input %q is true or false, not %q", input.Name.Value, value)
		}
		return value == "true", nil
	case actionlint.WorkflowDispatchEventInputTypeChoice:
		var options []string
		for _, option := range input.Options {
			options = append(options, option.Value)
		}
		if value == "" && input.Default == nil && len(options) > 0 {
			value = options[0] // the form's own choice
		}
		if !slices.Contains(options, value) {
			return nil, fmt.Errorf("the input %q has no option %q (there is: %s)", input.Name.Value, value, strings.Join(options, ", "))
		}
	}
	return value, nil
}
