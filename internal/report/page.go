package report

import (
	"io"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Page says how something that was found (a status, a history, a trace) is written for people.
type Page struct {
	Out      io.Writer
	Kind     Kind           // GitHub: what is wrong is annotated, and foreign text gives no commands
	Width    int            // columns of a terminal; 0: lines are as long as they are
	Color    bool           // paint what deserves a look
	Verbose  bool           // show more
	Location *time.Location // of the times that are shown; nil: local
}

// span is a part of a line in one colour.
type span struct {
	text  string
	paint colour
}

// line is one line of a page.
type line []span

func plain(text string) line { return line{{text, none}} }

// page gathers lines.
type page struct {
	Page
	lines []line
}

func (p *page) add(l line)                 { p.lines = append(p.lines, l) }
func (p *page) say(text string)            { p.add(plain(text)) }
func (p *page) painted(c colour, t string) { p.add(line{{t, c}}) }

// write puts the page out in one go.
func (p *page) write() error {
	var b strings.Builder
	for _, l := range p.lines {
		b.WriteString(p.render(l, 0) + "\n")
	}
	_, err := io.WriteString(p.Out, b.String())
	return err
}

// command marks a line that is a workflow command: it is written as it is.
const command colour = "command"

// render makes a line's text safe, cuts it to a number of columns (0: it is not cut) and paints it.
func (p *page) render(l line, columns int) string {
	if len(l) == 1 && l[0].paint == command {
		return l[0].text
	}
	var b strings.Builder
	used := 0
	for _, s := range l {
		text := clean(s.text)
		if columns > 0 {
			text = cut(text, max(0, columns-used))
		}
		used += columnsIn(text)
		if p.Color && s.paint != none && text != "" {
			text = "\x1b[" + string(s.paint) + "m" + text + "\x1b[0m"
		}
		b.WriteString(text)
	}
	text := strings.TrimRight(b.String(), " ")
	if p.Kind == GitHub {
		return githubStyle{}.line(text)
	}
	return text
}

func (p *page) minute(t time.Time) string { return p.at(t, "2006-01-02 15:04") }
func (p *page) second(t time.Time) string { return p.at(t, time.DateTime) }

func (p *page) at(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	location := p.Location
	if location == nil {
		location = time.Local
	}
	return t.In(location).Format(layout)
}

// imageText is a digest and the commit that it was built from, for people.
func imageText(d release.Digest, commit string) string {
	if d == "" {
		return "nothing"
	}
	if commit == "" {
		return d.Short()
	}
	return d.Short() + " (commit " + commitText(commit) + ")"
}

// commitText shortens what an image's label says of its commit.
func commitText(label string) string {
	sha, dirty, ok := release.ParseRevision(label)
	switch {
	case !ok:
		return label
	case dirty:
		return sha[:min(12, len(sha))] + "-dirty"
	}
	return sha[:min(12, len(sha))]
}

// idText is what follows the last slash of an ARN.
func idText(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// stateText is a deployment's state in words.
func stateText(s release.State) string {
	switch s {
	case release.StateRuns:
		return "runs now"
	case release.StateRollingBack:
		return "being rolled back"
	}
	return strings.ReplaceAll(string(s), "_", " ")
}

func stateColour(s release.State) colour {
	switch s {
	case release.StateRuns:
		return green
	case release.StateInFlight:
		return cyan
	case release.StateRolledBack, release.StateRollingBack, release.StateSuperseded:
		return yellow
	case release.StateStopped, release.StateRollbackFailed:
		return red
	}
	return none
}
