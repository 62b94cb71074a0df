package localci

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
)

// entry is one line of act's output.
type entry struct {
	Message   string            `json:"msg"`
	Level     string            `json:"level"`
	Job       string            `json:"job"`
	Step      string            `json:"step"`
	StepIDs   []string          `json:"stepID"`
	SetupIDs  []string          `json:"stepid"` // of the two steps that act adds to each job
	Stage     string            `json:"stage"`
	Raw       bool              `json:"raw_output"`
	Command   string            `json:"command"`
	Argument  string            `json:"arg"`
	Pairs     map[string]string `json:"kvPairs"`
	Content   string            `json:"content"` // of a summary
	StepState string            `json:"stepResult"`
	JobState  string            `json:"jobResult"`
	Took      time.Duration     `json:"executionTime"`
}

// stream turns act's output into lines for people, as they come, and keeps what a run is judged by.
type stream struct {
	line    func(text string) // prints one line
	name    string            // the workflow's
	job     string            // whose lines came last
	step    string
	summary strings.Builder
	told    string   // the step whose own steps wrote summaries
	problem string   // the first error that the step reported
	failed  string   // the first step that failed, JOB: STEP, and its problem
	skipped []string // jobs that could not run here
	jobs    int      // that have ended
	red     bool     // one of them failed
	last    []string // what is no entry: act's own errors
}

// longestLine is how much of one line of output is kept, in bytes.
const longestLine = 1 << 20

// read shows act's output until its end. A line that is longer than longestLine is an error of reading, after which the
// rest is read and dropped: act must not wait for us.
func (s *stream) read(output io.Reader) error {
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 2*longestLine)
	for lines.Scan() {
		var e entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			s.plain(lines.Text())
			continue
		}
		s.show(e)
	}
	err := lines.Err()
	if err != nil {
		_, _ = io.Copy(io.Discard, output)
	}
	return err
}

// plain takes a line that is no entry. It says why act itself failed; when a job failed it says that again.
func (s *stream) plain(text string) {
	if text = visible(text); text != "" {
		s.last = append(s.last, text)
	}
}

func (s *stream) show(e entry) {
	switch {
	case e.JobState != "":
		s.jobs++
		s.red = s.red || e.JobState == string(Failure)
	case e.Job == "" && e.Level == "warning":
		// act has no Docker, and is not meant to have one
	case e.Job == "":
		s.plain(e.Message)
	case strings.Contains(e.Message, "Skipping unsupported platform"):
		s.skipped = append(s.skipped, s.jobOf(e))
		s.print(e, "cannot run here: local CI has runners for Ubuntu alone")
	case e.Command == "summary":
		s.summarise(e)
	case e.Raw:
		s.output(e)
	case e.Command != "":
		s.command(e)
	case e.StepState != "":
		s.ended(e)
	case e.Stage == "Main" && len(e.StepIDs) == 1 && strings.HasPrefix(e.Message, "⭐ Run "):
		s.enter(e)
	case e.Level == "error" && len(e.StepIDs) <= 1: // else the step that uses the action says it, too
		s.print(e, visible(e.Message))
	}
}

// summarise keeps a step's summary. Of a composite action act tells its steps' first, and then the last one's once more.
func (s *stream) summarise(e entry) {
	if len(e.StepIDs) == 0 {
		return
	}
	step := e.Job + "\x00" + e.StepIDs[0]
	if len(e.StepIDs) == 1 && s.told == step {
		return
	}
	if len(e.StepIDs) > 1 {
		s.told = step
	}
	s.summary.WriteString(strings.TrimRight(e.Content, "\n") + "\n\n")
}

// jobOf is the job's name. act writes the workflow's before it, and pads it.
func (s *stream) jobOf(e entry) string {
	return visible(strings.TrimSpace(strings.TrimPrefix(e.Job, s.name+"/")))
}

// stepOf is a step's name: the first line of its script when it has none.
func stepOf(e entry) string {
	name, rest, more := strings.Cut(strings.TrimSpace(e.Step), "\n")
	if more && strings.TrimSpace(rest) != "" {
		name += " …"
	}
	return visible(name)
}

// enter prints the headings of a step, and of its job when another one's lines came before.
func (s *stream) enter(e entry) {
	job, step := s.jobOf(e), stepOf(e)
	if job != s.job {
		s.line("── " + job)
	}
	s.job, s.step, s.problem = job, step, ""
	s.line("▸ " + step)
}

// print prints below the heading of the entry's step.
func (s *stream) print(e entry, text string) {
	job, step := s.jobOf(e), stepOf(e)
	if job != s.job || step != s.step && step != "" && e.Stage == "Main" && len(e.StepIDs) > 0 {
		if job != s.job {
			s.line("── " + job)
		}
		if step != "" {
			s.line("▸ " + step + " (continued)")
		}
		s.job, s.step = job, step
	}
	s.line(strings.TrimRight("  "+text, " "))
}

func (s *stream) output(e entry) {
	for line := range strings.SplitSeq(strings.TrimRight(e.Message, "\r\n"), "\n") {
		s.print(e, visible(line))
	}
}

// command shows a workflow command as GitHub's log does: a group's title, and what is wrong where.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
func (s *stream) command(e entry) {
	text := e.Argument
	switch e.Command {
	case "group":
	case "error", "warning", "notice":
		if file := e.Pairs["file"]; file != "" {
			place := file
			for _, part := range []string{e.Pairs["line"], e.Pairs["col"]} {
				if part != "" {
					place += ":" + part
				}
			}
			text = place + ": " + text
		}
		if e.Command == "error" && s.problem == "" {
			s.problem, _, _ = strings.Cut(text, "\n")
		}
		text = e.Command + ": " + text
	default:
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		s.print(e, visible(line))
	}
}

// ended tells how a step ended. The steps of a composite action count for the step that uses it; what comes before and after
// is told only when it fails.
func (s *stream) ended(e entry) {
	failed := e.StepState == string(Failure)
	if len(e.StepIDs) > 1 {
		return
	}
	if failed && s.failed == "" && len(e.SetupIDs) == 0 {
		s.failed = s.jobOf(e) + ": " + stepOf(e)
		if s.problem != "" {
			s.failed += ": " + visible(s.problem)
		}
	}
	switch {
	case failed:
		s.print(e, "✗ failed after "+short(e.Took))
	case e.Stage == "Main":
		s.print(e, "✓ "+short(e.Took))
	}
}

func short(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// conclude judges a run by what act said and how it ended. A job that could not run here is no success.
func (s *stream) conclude(exit error) error {
	switch {
	case len(s.skipped) > 0:
		return fmt.Errorf("%s cannot run here: local CI has runners for Ubuntu alone (runs-on: ubuntu-latest)", strings.Join(s.skipped, ", "))
	case s.failed != "" && (s.red || exit != nil):
		return errors.New(s.failed)
	case exit == nil && !s.red:
		return nil
	case len(s.last) > 0:
		return errors.New(strings.TrimPrefix(s.last[len(s.last)-1], "Error: "))
	case exit != nil:
		return fmt.Errorf("act: %w", exit)
	}
	return errors.New("a job failed")
}

// visible makes text safe for a terminal: no escape sequences, no controls that move or hide.
func visible(text string) string {
	text = withoutEscapes(strings.TrimRight(text, "\r\n"))
	if cut := strings.LastIndexByte(text, '\r'); cut >= 0 {
		text = text[cut+1:] // a progress line that overwrote itself
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return -1
		}
		return r
	}, text)
}

// withoutEscapes drops the escape sequences of ECMA-48: CSI with its parameters, OSC and its like with their text.
func withoutEscapes(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "\x1b")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		text = afterEscape(rest)
	}
}

func afterEscape(rest string) string {
	if rest == "" {
		return ""
	}
	switch rest[0] {
	case '[':
		for i := 1; i < len(rest); i++ {
			if rest[i] >= 0x40 && rest[i] <= 0x7e {
				return rest[i+1:]
			}
		}
		return ""
	case ']', 'P', '^', '_', 'X':
		end := strings.IndexAny(rest, "\a\x1b")
		if end < 0 {
			return ""
		}
		if rest[end] == '\x1b' {
			return strings.TrimPrefix(rest[end+1:], `\`)
		}
		return rest[end+1:]
	}
	return rest[1:]
}
