package dispatch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/medusa-deploy/medusa-deploy/internal/github/near"
)

// Trigger is what a workflow file says about being dispatched.
type Trigger struct {
	Dispatchable bool
	Inputs       []Input
	ShowsNonce   bool // the run's name carries the input nonce
}

// Input is one that a workflow_dispatch takes.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#onworkflow_dispatchinputs
type Input struct {
	Name     string
	Type     string // string, choice, boolean, number, environment
	Required bool
	Default  string
	Options  []string // of a choice
}

// nonceInput is the input that names a run: the workflow shows it in run-name, and so it finds the run.
const nonceInput = "nonce"

// input gives the input of a name; GitHub compares names without case.
func (t Trigger) input(name string) (Input, bool) {
	i := slices.IndexFunc(t.Inputs, func(in Input) bool { return strings.EqualFold(in.Name, name) })
	if i < 0 {
		return Input{}, false
	}
	return t.Inputs[i], true
}

var errNoMapping = errors.New("it is not a mapping")

// ParseTrigger reads the part of a workflow file that is about being dispatched.
func ParseTrigger(content []byte) (Trigger, error) {
	var file yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(content, &file, yaml.UseOrderedMap()); err != nil {
		message, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n")
		return Trigger{}, errors.New(message)
	}
	if len(file) == 0 {
		return Trigger{}, errNoMapping
	}
	var t Trigger
	runName, _ := lookup(file, "run-name").(string)
	events := lookup(file, "on")
	switch events := events.(type) {
	case string:
		t.Dispatchable = events == eventName
	case []any:
		t.Dispatchable = slices.Contains(events, any(eventName))
	case yaml.MapSlice:
		t.Dispatchable = slices.ContainsFunc(events, func(item yaml.MapItem) bool { return item.Key == eventName })
		event, _ := lookup(events, eventName).(yaml.MapSlice)
		inputs, _ := lookup(event, "inputs").(yaml.MapSlice)
		for _, item := range inputs {
			t.Inputs = append(t.Inputs, parseInput(item))
		}
	}
	_, declared := t.input(nonceInput)
	t.ShowsNonce = declared && strings.Contains(runName, "inputs."+nonceInput)
	return t, nil
}

const eventName = "workflow_dispatch"

func lookup(m yaml.MapSlice, key string) any {
	for _, item := range m {
		if item.Key == key {
			return item.Value
		}
	}
	return nil
}

func parseInput(item yaml.MapItem) Input {
	in := Input{Name: fmt.Sprint(item.Key), Type: "string"}
	body, _ := item.Value.(yaml.MapSlice)
	if kind, ok := lookup(body, "type").(string); ok {
		in.Type = kind
	}
	in.Required, _ = lookup(body, "required").(bool)
	if value := lookup(body, "default"); value != nil {
		in.Default = fmt.Sprint(value)
	}
	options, _ := lookup(body, "options").([]any)
	for _, option := range options {
		in.Options = append(in.Options, fmt.Sprint(option))
	}
	return in
}

// Limits of what a dispatch may carry.
// https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows#workflow_dispatch
const (
	mostInputs     = 25
	mostCharacters = 65535
)

// fault is one thing that is wrong with inputs.
type fault struct {
	reason Reason
	detail string
}

// faults are all that is wrong with the values for a workflow's inputs.
func (t Trigger) faults(values map[string]string) []fault {
	var all []fault
	add := func(reason Reason, format string, args ...any) {
		all = append(all, fault{reason, fmt.Sprintf(format, args...)})
	}
	total := 0
	for _, name := range sortedKeys(values) {
		total += len(name) + len(values[name])
		if _, known := t.input(name); !known {
			add(ReasonUnknownInput, "%s", t.unknown(name))
		}
	}
	for _, name := range sortedKeys(values) {
		in, known := t.input(name)
		if problem := in.refuses(values[name]); known && problem != "" {
			add(ReasonBadValue, "%s", problem)
		}
	}
	for _, in := range t.Inputs {
		if in.Required && in.Default == "" && !given(values, in.Name) {
			add(ReasonMissingInput, "%s is required and has no default%s", in.Name, in.choices())
		}
	}
	if len(values) > mostInputs || total > mostCharacters {
		add(ReasonTooLarge, "%d inputs with %d characters", len(values), total)
	}
	return all
}

func given(values map[string]string, name string) bool {
	for key, value := range values {
		if strings.EqualFold(key, name) && value != "" {
			return true
		}
	}
	return false
}

// unknown says that there is no input of a name, and which there are.
func (t Trigger) unknown(name string) string {
	known := make([]string, len(t.Inputs))
	for i, in := range t.Inputs {
		known[i] = in.Name
	}
	if len(known) == 0 {
		return fmt.Sprintf("%s (it takes no inputs)", name)
	}
	text := name
	if meant := near.Word(name, known); meant != "" {
		text += fmt.Sprintf(" (did you mean %s?)", meant)
	}
	return text + "; it has " + strings.Join(known, ", ")
}

// refuses says why a value is not for an input; empty when it is.
func (in Input) refuses(value string) string {
	switch in.Type {
	case "choice":
		if !slices.Contains(in.Options, value) {
			text := fmt.Sprintf("%s=%s", in.Name, value)
			if meant := near.Word(value, in.Options); meant != "" {
				text += fmt.Sprintf(" (did you mean %s?)", meant)
			}
			return text + in.choices()
		}
	case "boolean":
		if value != "true" && value != "false" {
			return fmt.Sprintf("%s=%s: it is true or false", in.Name, value)
		}
	case "number":
		if _, err := strconv.ParseFloat(value, 64); err != nil {
			return fmt.Sprintf("%s=%s: it is a number", in.Name, value)
		}
	}
	return ""
}

func (in Input) choices() string {
	if len(in.Options) == 0 {
		return ""
	}
	return "; there is " + strings.Join(in.Options, ", ")
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
