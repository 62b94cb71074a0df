package release

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Pipeline walks a release through its phases. Its fields are the ports that the phases need; a command that needs
// fewer phases may leave the others nil.
type Pipeline struct {
	Builder Builder
	// ChooseBuilder finds a builder when the first thing has to be built; nil: Builder is there already. A release of an
	// image that the registry has needs none.
	ChooseBuilder func(ctx context.Context, emit Emit) (Builder, error)
	Registry      Registry
	Orchestrator  Orchestrator
	Checker       Checker
	Trust         Trust
	Emit          Emit
	// PollMin and PollMax bound the time between two looks at a rollout: short while things move, longer while they don't.
	PollMin, PollMax time.Duration
	// MaxFatalStops is how many tasks may stop for one and the same fatal reason before the rollout is given up.
	MaxFatalStops int
	// Commits is the local history, which tells what a release brings; nil: none is known.
	Commits Commits
	// ServiceURL tells where a service answers, when that is known.
	ServiceURL func(ctx context.Context, service string) string
}

// Defaults of a Pipeline's fields.
const (
	defaultPollMin       = 500 * time.Millisecond
	defaultPollMax       = 3 * time.Second
	defaultMaxFatalStops = 2
	// recoverTimeout is what putting things right may take, also after an interrupt.
	recoverTimeout = 10 * time.Minute
)

// run is one walk: it measures phases and gathers the result.
type run struct {
	*Pipeline
	mu         sync.Mutex
	started    time.Time
	repository string // of the image, with the registry's host
	commit     Commit // that is shipped; zero when an image is
	backwards  bool   // the release goes back to an earlier image
	touched    bool   // something on the target was changed, or may have been
	tagStays   bool   // the release tag is immutable and stays where it is
	built      buildRecord
	result     Result
}

func (p *Pipeline) start(command string, t Target) *run {
	filled := *p
	if filled.PollMin <= 0 {
		filled.PollMin = defaultPollMin
	}
	if filled.PollMax < filled.PollMin {
		filled.PollMax = max(defaultPollMax, filled.PollMin)
	}
	if t.GiveUpAfter > 0 {
		filled.MaxFatalStops = t.GiveUpAfter
	}
	if filled.MaxFatalStops <= 0 {
		filled.MaxFatalStops = defaultMaxFatalStops
	}
	return &run{
		Pipeline: &filled,
		started:  time.Now(),
		result: Result{
			Command: command, Target: t.Name, Services: []ServiceResult{}, Seconds: map[Phase]float64{},
		},
	}
}

// work is what a phase does. It gives a summary for people and whether there was nothing to do.
type work func(ctx context.Context) (summary string, skipped bool, err error)

// phase runs one phase, reports it, and measures it.
func (r *run) phase(ctx context.Context, name Phase, about string, byHand []string, do work) error {
	begin := time.Now()
	r.Emit(PhaseStarted{Phase: name, About: about, ByHand: byHand})
	summary, skipped, err := do(ctx)
	seconds := time.Since(begin).Seconds()
	r.mu.Lock()
	r.result.Seconds[name] += seconds
	r.mu.Unlock()
	if err != nil {
		r.Emit(PhaseFailed{Phase: name, Error: err.Error(), Seconds: seconds})
		return err
	}
	r.Emit(PhaseDone{Phase: name, Summary: summary, Skipped: skipped, Seconds: seconds})
	return nil
}

// end closes the walk: the result is reported and returned.
func (r *run) end(ctx context.Context, err error) Result {
	r.result.Total = time.Since(r.started).Seconds()
	if err == nil {
		if r.result.Outcome == "" {
			r.result.Outcome = OutcomeSucceeded
		}
	} else {
		f := asFailure(ctx, err, OutcomeFailed, ExitInternal)
		r.result.Outcome, r.result.Exit = f.Outcome, f.Exit
		r.result.Error, r.result.Explanation = f.Error(), f.Explanation
	}
	r.Emit(r.result)
	return r.result
}

// image notes which image the walk is about.
func (r *run) image(i Image) {
	r.result.Digest, r.repository = i.Digest, i.Repository
	if i.Repository != "" && i.Digest != "" {
		r.result.Image = i.Ref()
	}
	if r.result.Commit == "" {
		r.result.Commit = i.Labels[LabelRevision]
	}
}

func countWords(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun + "s"
	case 1:
		return "1 " + noun
	}
	return itoa(n) + " " + noun + "s"
}

// notFound reports whether err says that a thing does not exist.
func notFound(err error) bool { return errors.Is(err, ErrNotFound) }
