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
	// open and end are lines around a phase; empty: none.
	open(title string) string
	end() string
	// finding is a line that marks a place in a file; empty: none.
	finding(f release.Finding) string
	failure(text string) string
	// line makes a line of foreign text safe.
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
	mu     sync.Mutex
	err    error
	build  map[string]string   // step id → name
	tail   map[string][]string // step id → its last lines, shown when it fails
	failed map[string]bool
	phase  release.Phase
	silent time.Time // when something was last shown
}

func newText(o Options, s style) *textFace {
	return &textFace{Options: o, style: s, build: map[string]string{}, tail: map[string][]string{}, failed: map[string]bool{}, silent: o.Now()}
}

// Emit implements Face.
func (f *textFace) Emit(e release.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.show(e)
}

// Close implements Face.
func (f *textFace) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *textFace) to(w io.Writer, format string, args ...any) {
	f.silent = f.Now()
	if _, err := fmt.Fprintf(w, format+"\n", args...); err != nil && f.err == nil {
		f.err = err
	}
}

func (f *textFace) say(format string, args ...any) { f.to(f.Err, format, args...) }

func (f *textFace) show(e release.Event) {
	switch e := e.(type) {
	case release.PhaseStarted:
		f.phase = e.Phase
		if line := f.open(phaseTitle(e)); line != "" {
			f.say("%s", line)
		} else {
			f.say("%s: %s", e.Phase, clean(e.About))
		}
		f.byHand(e)
	case release.PhaseDone:
		f.say("%s: %s (%s)", e.Phase, clean(e.Summary), short(e.Seconds))
		f.closePhase()
	case release.PhaseFailed:
		f.say("%s: failed after %s: %s", e.Phase, short(e.Seconds), clean(e.Error))
		f.closePhase()
	case release.Result:
		f.result(e)
	default:
		f.detail(e)
	}
}

func (f *textFace) closePhase() {
	if line := f.end(); line != "" {
		f.say("%s", line)
	}
}

func (f *textFace) byHand(e release.PhaseStarted) {
	if !f.Explain {
		return
	}
	for _, line := range e.ByHand {
		f.say("  by hand: %s", clean(line))
	}
}

// quiet is how long a long phase may show nothing: CI must not look hung.
const quiet = 10 * time.Second

// detail shows what happens within a phase.
func (f *textFace) detail(e release.Event) {
	switch e := e.(type) {
	case release.Found:
		if line := f.finding(e.Finding); line != "" {
			f.say("%s", line)
		}
		f.say("%s", findingText(e.Finding, "  "))
	case release.BuildStep:
		f.buildStep(e)
	case release.BuildLog:
		f.buildLog(e)
	case release.Transfer:
		if e.Done && f.Verbose || f.Now().Sub(f.silent) > quiet {
			f.say("  %s %s of %s", clean(e.Name), bytes(e.Current), bytes(e.Total))
		}
	case release.LogLine:
		f.to(f.Out, "%s", f.line(logText(e)))
	case release.Notice:
		f.say("%s%s", noticeMark(e), clean(e.Text))
	default:
		if line := rolloutText(e, f.Verbose); line != "" {
			f.say("  %s", f.line(line))
		}
	}
}

func (f *textFace) buildStep(e release.BuildStep) {
	switch e.State {
	case "started":
		f.build[e.ID] = e.Name
	case "done":
		f.say("  %s (%s)", clean(e.Name), short(e.Seconds))
	case "cached":
		f.say("  %s (cached)", clean(e.Name))
	case "failed":
		f.say("  %s failed: %s", clean(e.Name), clean(e.Error))
		if !f.Verbose {
			for _, line := range f.tail[e.ID] {
				f.say("    %s", f.line(line))
			}
		}
	}
}

// tailLines is how many of a failed step's last lines are shown again.
const tailLines = 20

func (f *textFace) buildLog(e release.BuildLog) {
	line := clean(e.Line)
	f.tail[e.ID] = append(f.tail[e.ID], line)
	if n := len(f.tail[e.ID]); n > tailLines {
		f.tail[e.ID] = f.tail[e.ID][n-tailLines:]
	}
	if f.Verbose {
		f.say("    %s", f.line(line))
	} else if f.Now().Sub(f.silent) > quiet {
		f.say("  still %s", clean(f.build[e.ID]))
	}
}

func (f *textFace) result(e release.Result) {
	if e.Exit != release.ExitDone {
		if line := f.failure(e.Error); line != "" {
			f.say("%s", line)
		}
		for _, line := range failureBlock(e) {
			f.say("%s", f.line(line))
		}
		return
	}
	for _, line := range successBlock(e) {
		f.to(f.Out, "%s", line)
	}
}
