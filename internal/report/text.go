package report

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// style is what differs between the faces that only ever add lines.
type style interface {
	// open and end are commands around a phase; empty: none.
	open(title string) string
	end() string
	// finding and failure are commands that mark what is wrong and where; empty: none.
	finding(f release.Finding) string
	failure(text string) string
	// line makes a line of text safe, whoever wrote it.
	line(text string) string
}

// plainStyle is for pipes and logs.
type plainStyle struct{}

func (plainStyle) open(string) string             { return "" }
func (plainStyle) end() string                    { return "" }
func (plainStyle) finding(release.Finding) string { return "" }
func (plainStyle) failure(string) string          { return "" }
func (plainStyle) line(text string) string        { return text }

// textFace adds a line for what happens.
type textFace struct {
	Options
	style
	mu      sync.Mutex
	err     error
	closed  bool
	steps   steps
	phase   release.Phase // that runs; empty between phases
	failed  release.Phase // that a line outside of any group has called failed
	begun   time.Time
	live    live      // what it does right now
	shown   time.Time // when something was last shown
	stop    chan struct{}
	stopped sync.WaitGroup
}

func newText(o Options, s style) *textFace {
	f := &textFace{Options: o, style: s, steps: newSteps(), live: newLive(""), shown: o.Now(), stop: make(chan struct{})}
	f.stopped.Go(f.breathe)
	return f
}

// quiet is how long a phase may show nothing: CI must not look hung.
const quiet = 10 * time.Second

// breathe shows that a silent phase is alive.
func (f *textFace) breathe() {
	tick := time.NewTicker(quiet)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
			f.mu.Lock()
			if f.phase != "" && f.Now().Sub(f.shown) >= quiet {
				f.say("  still in %s after %s: %s", f.phase, short(f.Now().Sub(f.begun).Seconds()), clean(f.live.text))
			}
			f.mu.Unlock()
		}
	}
}

// Emit implements Face.
func (f *textFace) Emit(e release.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		f.show(e)
	}
}

// Close implements Face.
func (f *textFace) Close() error {
	f.mu.Lock()
	wasClosed := f.closed
	f.closed = true
	f.mu.Unlock()
	if !wasClosed {
		close(f.stop)
	}
	f.stopped.Wait()
	return f.err
}

// to writes lines of text, made safe.
func (f *textFace) to(w io.Writer, format string, args ...any) {
	for _, line := range cleanLines(fmt.Sprintf(format, args...)) {
		f.raw(w, f.line(line))
	}
}

// raw writes one line as it is, less the secrets.
func (f *textFace) raw(w io.Writer, line string) {
	f.shown = f.Now()
	if _, err := io.WriteString(w, f.Mask.apply(line)+"\n"); err != nil && f.err == nil {
		f.err = err
	}
}

func (f *textFace) say(format string, args ...any) { f.to(f.Err, format, args...) }

// command writes a command of the style, if it has one, and tells whether it has.
func (f *textFace) command(command string) bool {
	if command != "" {
		f.raw(f.Err, command)
	}
	return command != ""
}

func (f *textFace) show(e release.Event) {
	switch e := e.(type) {
	case release.PhaseStarted:
		f.phase, f.begun, f.live = e.Phase, f.Now(), newLive(e.About)
		if title := string(e.Phase) + ": " + e.About; !f.command(f.open(title)) {
			f.say("%s", title)
		}
		for _, line := range e.ByHand {
			if f.Explain {
				f.say("  by hand: %s", line)
			}
		}
	case release.PhaseDone:
		f.phase = ""
		f.say("%s: %s (%s)", e.Phase, e.Summary, short(e.Seconds))
		f.command(f.end())
	case release.PhaseFailed:
		f.phase = ""
		f.say("%s: failed after %s", e.Phase, short(e.Seconds))
		if !f.command(f.end()) {
			f.failed = e.Phase
		}
	case release.Result:
		f.result(e)
	default:
		f.within(e)
	}
}

// within shows what happens within a phase.
func (f *textFace) within(e release.Event) {
	f.live.observe(e)
	switch e := e.(type) {
	case release.Found:
		f.command(f.finding(e.Finding))
		f.say("%s", findingText(e.Finding))
	case release.BuildStep:
		f.step(e)
	case release.BuildLog:
		f.steps.log(e)
		if f.Verbose {
			f.say("    %s", e.Line)
		}
	case release.Transfer:
		if e.Done && f.Verbose {
			f.say("  %s", transferText(e))
		}
	case release.LogLine:
		if f.phase != "" { // progress, not a result
			f.say("  %s", logText(e))
		} else {
			f.to(f.Out, "%s", logText(e))
		}
	case release.Notice:
		f.say("%s", noticeText(e))
	default:
		if line := rolloutText(e, f.Verbose); line != "" {
			f.say("  %s", line)
		}
	}
}

func (f *textFace) step(e release.BuildStep) {
	switch e.State {
	case "done":
		f.say("  %s (%s)", e.Name, short(e.Seconds))
	case "cached":
		f.say("  %s (cached)", e.Name)
	case "failed":
		f.say("  %s failed: %s", e.Name, e.Error)
		if f.Verbose {
			return // its lines were shown as they came
		}
		for _, line := range f.steps.tail(e.ID) {
			f.say("    %s", line)
		}
	}
}

func (f *textFace) result(e release.Result) {
	if e.Exit != release.ExitDone {
		f.command(f.failure(e.Error))
		block := failureBlock(e)
		if e.Outcome == release.OutcomeFailed && e.Command == string(f.failed) { // as of `build`: its heading stands there already
			block = block[1:]
		}
		for _, line := range block {
			f.say("%s", line)
		}
		return
	}
	for _, line := range successBlock(e) {
		f.to(f.Out, "%s", line)
	}
}
