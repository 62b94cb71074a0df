package report

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// terminalFace keeps one live line for the phase that runs and leaves a quiet one for each that is done.
type terminalFace struct {
	Options
	mu      sync.Mutex
	err     error
	phase   release.Phase
	begun   time.Time
	detail  string // what the phase does right now
	frame   int
	drawn   bool // the live line is on the screen
	build   map[string]string
	tail    map[string][]string
	stop    chan struct{}
	stopped sync.WaitGroup
}

// redraw is how often the live line is drawn anew.
const redraw = 100 * time.Millisecond

var frames = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}

func newTerminal(o Options) *terminalFace {
	f := &terminalFace{Options: o, build: map[string]string{}, tail: map[string][]string{}, stop: make(chan struct{})}
	f.stopped.Go(f.spin)
	return f
}

// spin keeps the live line alive.
func (f *terminalFace) spin() {
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
			f.mu.Lock()
			f.frame++
			f.draw()
			f.mu.Unlock()
		}
	}
}

// Close implements Face.
func (f *terminalFace) Close() error {
	f.mu.Lock()
	f.erase()
	f.phase = ""
	f.mu.Unlock()
	close(f.stop)
	f.stopped.Wait()
	return f.err
}

func (f *terminalFace) write(format string, args ...any) {
	if _, err := fmt.Fprintf(f.Err, format, args...); err != nil && f.err == nil {
		f.err = err
	}
}

// erase takes the live line off the screen.
func (f *terminalFace) erase() {
	if f.drawn {
		f.write("\r\x1b[K")
		f.drawn = false
	}
}

// draw puts the live line on the screen, cut to its width so that it never wraps.
func (f *terminalFace) draw() {
	if f.phase == "" {
		return
	}
	text := fmt.Sprintf("%-12s %s  %s", f.phase, short(f.Now().Sub(f.begun).Seconds()), f.detail)
	text = cut(text, f.Width()-3)
	f.write("\r\x1b[K%s %s", f.paint(cyan, frames[f.frame%len(frames)]), text)
	f.drawn = true
}

// cut shortens text to a number of columns.
func cut(text string, columns int) string {
	if columns < 1 {
		return ""
	}
	if utf8.RuneCountInString(text) <= columns {
		return text
	}
	runes := []rune(text)
	return string(runes[:columns-1]) + "…"
}

// colour is an SGR code.
type colour string

const (
	green  colour = "32"
	yellow colour = "33"
	red    colour = "31"
	cyan   colour = "36"
	faint  colour = "2"
)

func (f *terminalFace) paint(c colour, text string) string {
	if !f.Color {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// line leaves a line above the live one.
func (f *terminalFace) line(format string, args ...any) {
	f.erase()
	f.write(format+"\n", args...)
	f.draw()
}

// Emit implements Face.
func (f *terminalFace) Emit(e release.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch e := e.(type) {
	case release.PhaseStarted:
		f.phase, f.begun, f.detail = e.Phase, f.Now(), clean(e.About)
		if f.Explain {
			for _, line := range e.ByHand {
				f.line("  %s", f.paint(faint, "by hand: "+clean(line)))
			}
		}
		f.draw()
	case release.PhaseDone:
		f.phase = ""
		mark := f.paint(green, "✓")
		if e.Skipped {
			mark = f.paint(faint, "–")
		}
		f.line("%s %-12s %s  %s", mark, e.Phase, clean(e.Summary), f.paint(faint, short(e.Seconds)))
	case release.PhaseFailed:
		f.phase = ""
		f.line("%s %-12s %s  %s", f.paint(red, "✗"), e.Phase, clean(e.Error), f.paint(faint, short(e.Seconds)))
	case release.Result:
		f.result(e)
	default:
		f.within(e)
	}
}

// within shows what happens within a phase: most of it only in the live line.
func (f *terminalFace) within(e release.Event) {
	switch e := e.(type) {
	case release.Found:
		c := yellow
		if e.Severity == release.SeverityError {
			c = red
		}
		head, rest, _ := strings.Cut(findingText(e.Finding, "  "), "\n")
		f.line("%s", f.paint(c, head))
		if rest != "" {
			f.line("%s", rest)
		}
	case release.BuildStep:
		f.step(e)
	case release.BuildLog:
		f.tail[e.ID] = append(f.tail[e.ID], clean(e.Line))
		if n := len(f.tail[e.ID]); n > tailLines {
			f.tail[e.ID] = f.tail[e.ID][n-tailLines:]
		}
		f.detail = clean(f.build[e.ID] + ": " + e.Line)
		if f.Verbose {
			f.line("    %s", clean(e.Line))
		}
	case release.Transfer:
		f.detail = fmt.Sprintf("%s %s of %s", clean(e.Name), bytes(e.Current), bytes(e.Total))
	case release.LogLine:
		f.erase()
		if _, err := fmt.Fprintln(f.Out, logText(e)); err != nil && f.err == nil {
			f.err = err
		}
	case release.Notice:
		f.line("%s%s", f.paint(yellow, noticeMark(e)), clean(e.Text))
	case release.TaskStopped:
		f.line("  %s", f.paint(yellow, rolloutText(e, f.Verbose)))
	default:
		f.rollout(e)
	}
	f.draw()
}

func (f *terminalFace) step(e release.BuildStep) {
	f.build[e.ID] = e.Name
	f.detail = clean(e.Name)
	switch e.State {
	case "failed":
		f.line("  %s", f.paint(red, clean(e.Name)+" failed: "+clean(e.Error)))
		for _, line := range f.tail[e.ID] {
			f.line("    %s", line)
		}
	case "done", "cached":
		if f.Verbose {
			f.line("  %s %s", clean(e.Name), f.paint(faint, e.State))
		}
	}
}

func (f *terminalFace) rollout(e release.Event) {
	text := rolloutText(e, f.Verbose)
	if text == "" {
		return
	}
	if f.detail = text; f.Verbose {
		f.line("  %s", text)
	}
}

func (f *terminalFace) result(e release.Result) {
	f.phase = ""
	f.erase()
	if e.Exit != release.ExitDone {
		block := failureBlock(e)
		f.line("%s", f.paint(red, block[0]))
		for _, line := range block[1:] {
			f.line("%s", line)
		}
		return
	}
	for i, line := range successBlock(e) {
		if i == 0 {
			line = f.paint(green, line)
		}
		if _, err := fmt.Fprintln(f.Out, line); err != nil && f.err == nil {
			f.err = err
		}
	}
}
