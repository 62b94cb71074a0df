package release

import "time"

// Event is one fact that a phase reports. Every face (terminal, plain, GitHub, JSON) renders the same events.
// The set is closed: the types in this file.
type Event interface {
	// Kind is the event's stable name in machine-readable output.
	Kind() string
}

// Emit receives events in order. It must not block for long and must be safe for concurrent use.
type Emit func(Event)

// PhaseStarted says that a phase begins, what it is about to do, and how a person would do the same by hand.
type PhaseStarted struct {
	Phase  Phase    `json:"phase"`
	About  string   `json:"about"`             // "2 platforms from ."
	ByHand []string `json:"by_hand,omitempty"` // equivalent commands, shown by --explain
}

// PhaseDone says that a phase ended well.
type PhaseDone struct {
	Phase   Phase   `json:"phase"`
	Summary string  `json:"summary"`           // "sha256:1234… 3 of 9 steps cached"
	Skipped bool    `json:"skipped,omitempty"` // there was nothing to do
	Seconds float64 `json:"seconds"`
}

// PhaseFailed says that a phase ended badly; the reason follows in the Result.
type PhaseFailed struct {
	Phase   Phase   `json:"phase"`
	Error   string  `json:"error"`
	Seconds float64 `json:"seconds"`
}

// Found carries one finding of check.
type Found struct{ Finding }

// ChangesFound says what the release changes about what runs: the commits that it brings or takes back.
type ChangesFound struct{ Changes }

// BuildStep is a change of one step of the build.
type BuildStep struct {
	ID      string  `json:"id"`
	Name    string  `json:"name"`  // "[2/3] COPY . ."
	State   string  `json:"state"` // started | done | cached | failed
	Seconds float64 `json:"seconds,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// BuildLog is one line that a build step printed.
type BuildLog struct {
	ID   string `json:"id"` // of the step
	Line string `json:"line"`
}

// Transfer is the progress of one layer or manifest on its way to the registry.
type Transfer struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Current int64  `json:"current_bytes"`
	Total   int64  `json:"total_bytes,omitempty"` // 0: unknown
	Done    bool   `json:"done,omitempty"`
}

// DefinitionChange says what a definition file changes on a service.
type DefinitionChange struct {
	Service string `json:"service"`
	Difference
}

// RolloutStarted says that ECS has taken up the change of one service.
type RolloutStarted struct {
	Service    string `json:"service"`
	Deployment string `json:"deployment"` // service deployment ARN
	From       Digest `json:"from,omitempty"`
	To         Digest `json:"to"`
	Attached   bool   `json:"attached,omitempty"` // it was already in flight
}

// RolloutProgress is sent whenever one of its numbers or its status changes.
type RolloutProgress struct {
	Service string `json:"service"`
	Status  string `json:"status"`          // ECS's service deployment status
	Stage   string `json:"stage,omitempty"` // lifecycle stage of a BLUE_GREEN, LINEAR or CANARY deployment
	Desired int    `json:"desired"`
	Pending int    `json:"pending"`
	Running int    `json:"running"` // of the new deployment
	Failed  int    `json:"failed"`
}

// ServiceMessage is one of ECS's own service events. Shown, never decided on.
type ServiceMessage struct {
	Service string    `json:"service"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
}

// TaskStopped says that a task of a rollout stopped.
type TaskStopped struct {
	Service  string `json:"service"`
	Task     string `json:"task"` // task id
	StopCode string `json:"stop_code,omitempty"`
	Reason   string `json:"reason,omitempty"`
	ExitCode *int   `json:"exit_code,omitempty"` // of the first essential container that has one
}

// LogLine is one line that a container wrote.
type LogLine struct {
	Service string    `json:"service,omitempty"`
	Task    string    `json:"task,omitempty"`
	At      time.Time `json:"at"`
	Text    string    `json:"text"`
}

// Notice is a fact that belongs to no phase.
type Notice struct {
	Level string `json:"level"` // info | warning
	Text  string `json:"text"`
}

// ServiceResult is the rollout of one service, as it ended.
type ServiceResult struct {
	Name       string `json:"name"`
	Deployment string `json:"deployment,omitempty"` // service deployment ARN
	From       Digest `json:"from,omitempty"`
	To         Digest `json:"to,omitempty"`
	Running    int    `json:"running"` // tasks that run To
	URL        string `json:"url,omitempty"`
}

// Result is the last event of every run.
type Result struct {
	Outcome     Outcome           `json:"outcome"`
	Exit        int               `json:"exit"`
	Command     string            `json:"command"` // ship, deploy, rollback, …
	Target      string            `json:"target,omitempty"`
	Image       string            `json:"image,omitempty"` // REPOSITORY@DIGEST
	Digest      Digest            `json:"digest,omitempty"`
	Commit      string            `json:"commit,omitempty"` // full sha
	Loaded      *LoadedImage      `json:"loaded,omitempty"` // what build --load left in the local engine
	Services    []ServiceResult   `json:"services"`
	Seconds     map[Phase]float64 `json:"-"` // rendered as "seconds" together with "total"
	Total       float64           `json:"-"`
	Error       string            `json:"error,omitempty"`
	Explanation *Explanation      `json:"explanation,omitempty"`
}

// Kind implements Event.
func (PhaseStarted) Kind() string { return "phase_started" }

// Kind implements Event.
func (PhaseDone) Kind() string { return "phase_done" }

// Kind implements Event.
func (PhaseFailed) Kind() string { return "phase_failed" }

// Kind implements Event.
func (Found) Kind() string { return "finding" }

// Kind implements Event.
func (ChangesFound) Kind() string { return "changes" }

// Kind implements Event.
func (BuildStep) Kind() string { return "build_step" }

// Kind implements Event.
func (BuildLog) Kind() string { return "build_log" }

// Kind implements Event.
func (Transfer) Kind() string { return "transfer" }

// Kind implements Event.
func (DefinitionChange) Kind() string { return "definition_change" }

// Kind implements Event.
func (RolloutStarted) Kind() string { return "rollout_started" }

// Kind implements Event.
func (RolloutProgress) Kind() string { return "rollout_progress" }

// Kind implements Event.
func (ServiceMessage) Kind() string { return "service_message" }

// Kind implements Event.
func (TaskStopped) Kind() string { return "task_stopped" }

// Kind implements Event.
func (LogLine) Kind() string { return "log" }

// Kind implements Event.
func (Notice) Kind() string { return "notice" }

// Kind implements Event.
func (Result) Kind() string { return "result" }
