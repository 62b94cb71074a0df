package report

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/width"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// terminalFace keeps one live line for the phase that runs and leaves a quiet one for each that is done.
type terminalFace struct {
	Options
	mu      sync.Mutex
	err     error
	closed  bool
	phase   release.Phase // that runs; empty between phases
	begun   time.Time
	live    live // what it does right now
	frame   int
	drawn   int // columns of the live line that is on the screen; 0: none is
	steps   steps
	stop    chan struct{}
	stopped sync.WaitGroup
}

// redraw is how often the live line is drawn anew.
const redraw = 100 * time.Millisecond

func frames() []string {
	return []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
}

func newTerminal(o Options) *terminalFace {
	f := &terminalFace{Options: o, steps: newSteps(), live: newLive(""), stop: make(chan struct{})}
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
	wasClosed := f.closed
	f.closed = true
	f.mu.Unlock()
	if !wasClosed {
		close(f.stop)
	}
	f.stopped.Wait()
	return f.err
}

func (f *terminalFace) write(w io.Writer, text string) {
	if _, err := io.WriteString(w, f.Mask.apply(text)); err != nil && f.err == nil {
		f.err = err
	}
}

// columns is the terminal's width now.
func (f *terminalFace) columns() int {
	if columns := f.Width(); columns > 0 {
		return columns
	}
	return usualWidth // of a terminal that does not say
}

// erase takes the live line off the screen.
func (f *terminalFace) erase() {
	if f.drawn > 0 {
		f.write(f.Err, f.erasing())
		f.drawn = 0
	}
}

// erasing is what takes the live line off the screen. A terminal that became narrower since has broken the line in
// several, with the cursor in the last.
func (f *terminalFace) erasing() string {
	if broken := (f.drawn - 1) / f.columns(); broken > 0 {
		return fmt.Sprintf("\r\x1b[%dA\x1b[J", broken)
	}
	return "\r\x1b[K"
}

// draw puts the live line on the screen, cut to its width so that it never wraps.
func (f *terminalFace) draw() {
	if f.phase == "" || f.closed {
		return
	}
	all := frames()
	text := fmt.Sprintf("%-12s %s  %s", f.phase, short(f.Now().Sub(f.begun).Seconds()), clean(f.live.text))
	// A column is left free: a line that fills a terminal to its edge wraps on some.
	text = cut(text, f.columns()-3)
	f.write(f.Err, f.erasing()+f.paint(cyan, all[f.frame%len(all)])+" "+text)
	f.drawn = columnsIn(text) + 2
}

// cut shortens text to a number of columns; wide characters take two.
func cut(text string, columns int) string {
	if columnsIn(text) <= columns {
		return text
	}
	var b strings.Builder
	used := 1 // the mark
	for _, r := range text {
		if used += columnsOf(r); used > columns {
			break
		}
		b.WriteRune(r)
	}
	if columns > 0 {
		b.WriteString("…")
	}
	return b.String()
}

func columnsIn(text string) int {
	total := 0
	for _, r := range text {
		total += columnsOf(r)
	}
	return total
}

func columnsOf(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// colour is an SGR code.
type colour string

const (
	green  colour = "32"
	yellow colour = "33"
	red    colour = "31"
	cyan   colour = "36"
	faint  colour = "2"
	none   colour = ""
)

func (f *terminalFace) paint(c colour, text string) string {
	if !f.Color || c == none {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

// lines leaves lines above the live one, each made safe and then painted.
func (f *terminalFace) lines(w io.Writer, c colour, text string) {
	f.erase()
	for _, line := range cleanLines(text) {
		f.write(w, f.paint(c, line)+"\n")
	}
	f.draw()
}

// ended leaves the line of a phase that is over.
func (f *terminalFace) ended(c colour, mark string, phase release.Phase, text string, seconds float64) {
	f.phase = ""
	f.erase()
	f.write(f.Err, fmt.Sprintf("%s %-12s %s  %s\n", f.paint(c, mark), phase, clean(text), f.paint(faint, short(seconds))))
}

// Emit implements Face.
func (f *terminalFace) Emit(e release.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	switch e := e.(type) {
	case release.PhaseStarted:
		f.phase, f.begun, f.live = e.Phase, f.Now(), newLive(e.About)
		if f.Explain && len(e.ByHand) > 0 {
			f.lines(f.Err, faint, "  by hand: "+strings.Join(e.ByHand, "\n  by hand: "))
		}
		f.draw()
	case release.PhaseDone:
		if e.Skipped {
			f.ended(faint, "–", e.Phase, e.Summary, e.Seconds)
		} else {
			f.ended(green, "✓", e.Phase, e.Summary, e.Seconds)
		}
	case release.PhaseFailed:
		f.ended(red, "✗", e.Phase, "failed", e.Seconds)
	case release.Result:
		f.result(e)
	default:
		f.within(e)
	}
}

// within shows what happens within a phase: most of it only in the live line.
func (f *terminalFace) within(e release.Event) {
	f.live.observe(e)
	switch e := e.(type) {
	case release.Found:
		c := yellow
		switch e.Severity {
		case release.SeverityError:
			c = red
		case release.SeverityInfo:
			c = none
		}
		f.lines(f.Err, c, findingText(e.Finding))
	case release.BuildStep:
		f.step(e)
	case release.BuildLog:
		f.steps.log(e)
		f.more("    " + e.Line)
	case release.LogLine:
		if f.phase != "" { // progress, not a result
			f.lines(f.Err, faint, "  "+logText(e))
		} else {
			f.lines(f.Out, none, logText(e))
		}
	case release.DefinitionChange:
		f.lines(f.Err, none, "  "+differenceText(e))
	case release.Notice:
		f.lines(f.Err, none, noticeText(e))
	case release.TaskStopped:
		f.lines(f.Err, yellow, "  "+rolloutText(e, f.Verbose))
	default:
		if text := rolloutText(e, f.Verbose); text != "" {
			f.more("  " + text)
		}
	}
	f.draw()
}

// more shows what only --verbose shows.
func (f *terminalFace) more(text string) {
	if f.Verbose {
		f.lines(f.Err, none, text)
	}
}

func (f *terminalFace) step(e release.BuildStep) {
	switch e.State {
	case "failed":
		f.lines(f.Err, red, "  "+e.Name+" failed: "+e.Error)
		if !f.Verbose && len(f.steps.tail(e.ID)) > 0 {
			f.lines(f.Err, none, "    "+strings.Join(f.steps.tail(e.ID), "\n    "))
		}
	case "done", "cached":
		f.more("  " + e.Name + " " + e.State)
	}
}

func (f *terminalFace) result(e release.Result) {
	f.phase = ""
	if e.Exit != release.ExitDone {
		block := failureBlock(e)
		f.lines(f.Err, red, block[0])
		f.lines(f.Err, none, strings.Join(block[1:], "\n"))
		return
	}
	block := successBlock(e)
	f.lines(f.Out, green, block[0])
	f.lines(f.Out, none, strings.Join(block[1:], "\n"))
}
