package report

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// WatchOptions say where and how a status is shown again and again.
type WatchOptions struct {
	Page
	Err    io.Writer
	Every  time.Duration              // between two looks, for the reader
	Screen func() (columns, rows int) // of the terminal now; not positive: unknown
	Now    func() time.Time
}

// Watch shows a status that changes. It is not safe for concurrent use.
type Watch interface {
	// Show shows what a look found.
	Show(release.Status) error
	// Trouble tells that a look failed; the next one may not.
	Trouble(error) error
}

// NewWatch makes the watch of a face: a terminal's is drawn in place, a plain one adds a line for what changed, and JSON
// has a status a line, whenever it changed.
func NewWatch(kind Kind, o WatchOptions) Watch {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Screen == nil {
		o.Screen = func() (int, int) { return usualWidth, 0 }
	}
	switch kind {
	case JSON:
		return &jsonWatch{WatchOptions: o}
	case Terminal:
		return &terminalWatch{WatchOptions: o}
	}
	return &plainWatch{WatchOptions: o}
}

// jsonWatch writes a status a line.
type jsonWatch struct {
	WatchOptions
	shown   bool
	last    release.Status
	trouble string
}

func (w *jsonWatch) Show(s release.Status) error {
	w.trouble = ""
	if w.shown && reflect.DeepEqual(w.last, s) {
		return nil
	}
	w.shown, w.last = true, s
	return json.NewEncoder(w.Out).Encode(s)
}

func (w *jsonWatch) Trouble(err error) error { return complainOnce(w.Err, &w.trouble, err) }

// complainOnce writes an error unless it was the last thing that was written.
func complainOnce(to io.Writer, last *string, err error) error {
	if *last == err.Error() {
		return nil
	}
	*last = err.Error()
	_, writing := fmt.Fprintf(to, "could not look, and will again: %s\n", strings.Join(cleanLines(err.Error()), "\n"))
	return writing
}

// plainWatch adds a line for whatever changed.
type plainWatch struct {
	WatchOptions
	last    []string
	trouble string
}

func (w *plainWatch) Show(s release.Status) error {
	w.trouble = ""
	now := facts(&page{Page: w.Page}, s)
	p := &page{Page: w.Page}
	for _, fact := range now {
		if !slices.Contains(w.last, fact) {
			p.say(p.at(w.Now(), time.TimeOnly) + "  " + fact)
		}
	}
	for _, fact := range w.last {
		if strings.Contains(fact, driftMark) && !slices.Contains(now, fact) {
			p.say(p.at(w.Now(), time.TimeOnly) + "  no longer: " + fact)
		}
	}
	w.last = now
	return p.write()
}

func (w *plainWatch) Trouble(err error) error { return complainOnce(w.Err, &w.trouble, err) }

const driftMark = " drift: "

// facts are a status as lines that stand for themselves.
func facts(p *page, s release.Status) []string {
	all := []string{fmt.Sprintf(":%s → %s", s.Tag, imageText(s.Tagged, s.Commit))}
	for _, one := range s.Services {
		if one.Missing {
			all = append(all, one.Name+"  does not exist yet")
			continue
		}
		text := one.Name + "  " + serviceState(one)
		for _, r := range one.Runs {
			text += "; " + runsText(r)
		}
		if r := one.Rollout; r != nil && r.State != release.StateRuns {
			text += "; rollout " + p.rolloutStatus(*r)
		}
		all = append(all, text)
		for _, d := range one.Drift {
			all = append(all, one.Name+" "+driftMark+d.Text)
		}
	}
	for _, d := range s.Drift {
		all = append(all, s.Cluster+" "+driftMark+d.Text)
	}
	return all
}

// terminalWatch draws a status over the one before.
type terminalWatch struct {
	WatchOptions
	last  release.Status
	drawn []int // columns of each
}

func (w *terminalWatch) Show(s release.Status) error {
	w.last = s
	return w.draw("")
}

func (w *terminalWatch) Trouble(err error) error {
	first, _, _ := strings.Cut(err.Error(), "\n")
	return w.draw("could not look, and will again: " + first)
}

// draw writes the frame in one go, so that it does not flicker.
func (w *terminalWatch) draw(trouble string) error {
	columns, rows := w.Screen()
	if columns <= 0 {
		columns = usualWidth
	}
	p := &page{Page: w.Page}
	p.status(w.last)
	if rows > 3 && len(p.lines) > rows-3 { // what scrolls away could not be drawn over
		hidden := len(p.lines) - (rows - 4)
		p.lines = append(p.lines[:rows-4], line{{fmt.Sprintf("… %d more lines", hidden), faint}})
	}
	p.say("")
	foot := fmt.Sprintf("%s, every %s; Ctrl-C ends", p.at(w.Now(), time.TimeOnly), w.Every)
	if trouble != "" {
		p.painted(yellow, foot+"; "+trouble)
	} else {
		p.painted(faint, foot)
	}
	var b strings.Builder
	b.WriteString(w.erasing(columns))
	w.drawn = w.drawn[:0]
	for _, l := range p.lines {
		b.WriteString(p.render(l, columns-1) + "\n")
		w.drawn = append(w.drawn, min(columns-1, columnsOfLine(l)))
	}
	_, err := io.WriteString(w.Out, b.String())
	return err
}

// erasing takes the frame before off the screen. A terminal that became narrower since has broken lines in several.
func (w *terminalWatch) erasing(columns int) string {
	up := 0
	for _, n := range w.drawn {
		up += 1 + max(0, n-1)/columns
	}
	if up == 0 {
		return ""
	}
	return fmt.Sprintf("\r\x1b[%dA\x1b[J", up)
}

func columnsOfLine(l line) int {
	n := 0
	for _, s := range l {
		n += columnsIn(clean(s.text))
	}
	return n
}
