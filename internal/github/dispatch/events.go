package dispatch

import (
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Dispatched says that the run was found, or is followed from now on.
type Dispatched struct {
	Repository string            `json:"repository"`
	Workflow   string            `json:"workflow,omitempty"`
	Ref        string            `json:"ref,omitempty"`
	Inputs     map[string]string `json:"inputs,omitempty"`
	Run        int64             `json:"run"`
	URL        string            `json:"url"`
}

// JobChanged says that a job has another status than before.
type JobChanged struct {
	Job        string  `json:"job"`
	ID         int64   `json:"id"`
	Status     string  `json:"status"`               // queued, waiting, in_progress, completed
	Conclusion string  `json:"conclusion,omitempty"` // success, failure, cancelled, skipped, timed_out, …
	URL        string  `json:"url,omitempty"`
	Seconds    float64 `json:"seconds,omitempty"` // that it took
}

// StepChanged says that a step of a job has another status than before.
type StepChanged struct {
	Job        string  `json:"job"`
	Number     int     `json:"number"`
	Step       string  `json:"step"`
	Status     string  `json:"status"` // in_progress, completed
	Conclusion string  `json:"conclusion,omitempty"`
	Seconds    float64 `json:"seconds,omitempty"`
}

// JobLog is one line of a job's log, without its timestamp.
type JobLog struct {
	Job  string    `json:"job"`
	Step string    `json:"step,omitempty"`
	At   time.Time `json:"at,omitzero"`
	Text string    `json:"text"`
}

// Result is the last event.
type Result struct {
	Outcome    release.Outcome `json:"outcome"`
	Exit       int             `json:"exit"`
	Command    string          `json:"command"` // "trigger"
	Repository string          `json:"repository"`
	Run        int64           `json:"run,omitempty"`
	URL        string          `json:"url,omitempty"`
	Conclusion string          `json:"conclusion,omitempty"` // GitHub's word; empty while the run goes on
	Reason     Reason          `json:"reason,omitempty"`     // why it was not dispatched
	Error      string          `json:"error,omitempty"`
	Seconds    float64         `json:"seconds"`
}

// Kind implements release.Event.
func (Dispatched) Kind() string { return "dispatched" }

// Kind implements release.Event.
func (JobChanged) Kind() string { return "job" }

// Kind implements release.Event.
func (StepChanged) Kind() string { return "step" }

// Kind implements release.Event.
func (JobLog) Kind() string { return "job_log" }

// Kind implements release.Event.
func (Result) Kind() string { return "result" }
