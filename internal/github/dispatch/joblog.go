package dispatch

import (
	"regexp"
	"strings"
	"time"
)

// logLine is one line of a job's log.
type logLine struct {
	at   time.Time
	text string
}

// stamp is what stands before each line of a log. Go's RFC 3339 takes any number of digits after the point.
var stamp = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)(?: |$)`)

// parseLog takes a job's log into lines. A line without a time, which is the rest of one that was broken, gets the time
// of the line before.
func parseLog(content string) []logLine {
	var lines []logLine
	var last time.Time
	for line := range strings.Lines(strings.TrimPrefix(content, "\ufeff")) {
		line = strings.TrimRight(line, "\r\n")
		if m := stamp.FindStringSubmatch(line); m != nil {
			if at, err := time.Parse(time.RFC3339, m[1]); err == nil {
				last, line = at, line[len(m[0]):]
			}
		}
		lines = append(lines, logLine{last, line})
	}
	return lines
}

// begins reports whether a step begins at a line: the runner opens each with the group of what it runs, or says that it
// cleans up after one.
func (l logLine) begins() bool {
	return strings.HasPrefix(l.text, "##[group]Run ") || strings.HasPrefix(l.text, "Post job cleanup.")
}

// bySteps gives to each line of a job's log the step that wrote it. A log does not say; the steps' times, which are whole
// seconds, and the marks at which steps begin do, together.
func bySteps(lines []logLine, steps []step) []int {
	ran := make([]int, 0, len(steps)) // indexes of those that have lines
	for i, s := range steps {
		if s.Conclusion != "skipped" && !s.StartedAt.IsZero() {
			ran = append(ran, i)
		}
	}
	owner := make([]int, len(lines))
	current := 0
	for i, line := range lines {
		for current+1 < len(ran) {
			next := steps[ran[current+1]].StartedAt
			// A step's first second belongs to both; there the mark decides.
			if line.at.Before(next) || !line.begins() && line.at.Before(next.Add(time.Second)) {
				break
			}
			current++
			if line.begins() {
				break
			}
		}
		owner[i] = -1
		if len(ran) > 0 {
			owner[i] = ran[current]
		}
	}
	return owner
}

// marks are the runner's commands in a log, and how they read.
var marks = strings.NewReplacer(
	"##[error]", "error: ", "##[warning]", "warning: ", "##[notice]", "notice: ", "##[debug]", "debug: ",
	"##[command]", "$ ", "[command]", "$ ", "##[section]", "",
)

// readable gives a log's lines as a person reads them: groups by their title with what is in them further in.
func readable(lines []logLine) []logLine {
	shown := make([]logLine, 0, len(lines))
	indent := ""
	for _, line := range lines {
		switch title, opens := strings.CutPrefix(line.text, "##[group]"); {
		case opens:
			shown = append(shown, logLine{line.at, "▸ " + title})
			indent = "  "
		case strings.HasPrefix(line.text, "##[endgroup]"):
			indent = ""
		default:
			shown = append(shown, logLine{line.at, indent + marked(line.text)})
		}
	}
	return shown
}

// marked replaces the mark at the beginning of a line.
func marked(text string) string {
	if !strings.HasPrefix(text, "##[") && !strings.HasPrefix(text, "[command]") {
		return text
	}
	end := strings.Index(text, "]") + 1
	return marks.Replace(text[:end]) + text[end:]
}
