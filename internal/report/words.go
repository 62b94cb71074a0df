package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// The words of the text faces: each event as a line or a few, without colour. They are made safe where they are written.

func short(seconds float64) string {
	if seconds < 60 {
		return fmt.Sprintf("%.1f s", seconds)
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

func size(n int64) string {
	const unit = 1000
	switch {
	case n < unit*unit:
		return fmt.Sprintf("%.1f kB", float64(n)/unit)
	case n < unit*unit*unit:
		return fmt.Sprintf("%.1f MB", float64(n)/unit/unit)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/unit/unit/unit)
}

func noticeText(e release.Notice) string {
	if e.Level == "warning" {
		return "warning: " + e.Text
	}
	return e.Text
}

func transferText(e release.Transfer) string {
	if e.Total <= 0 {
		return e.Name
	}
	return fmt.Sprintf("%s %s of %s", e.Name, size(e.Current), size(e.Total))
}

// findingText has a line for each of what, why and cure.
func findingText(f release.Finding) string {
	text := fmt.Sprintf("  %s %s: %s: %s", f.Code, f.Severity, f.Where, f.Problem)
	if f.Why != "" {
		text += "\n    why: " + f.Why
	}
	if f.Cure != "" {
		text += "\n    cure: " + f.Cure
	}
	return text
}

func logText(e release.LogLine) string {
	return fmt.Sprintf("%s %s %s", e.At.Local().Format(time.TimeOnly), shortID(e.Task), e.Text)
}

func shortID(id string) string { return id[:min(8, len(id))] }

// rolloutText says what happens to a service; empty when it is too little to tell.
func rolloutText(e release.Event, verbose bool) string {
	switch e := e.(type) {
	case release.RolloutStarted:
		verb := "rolls out"
		if e.Attached {
			verb = "is already rolling out"
		}
		return fmt.Sprintf("%s %s %s → %s", e.Service, verb, orNothing(e.From), e.To.Short())
	case release.ChangesFound:
		return changesLine(e.Changes)
	case release.DefinitionChange:
		return differenceText(e)
	case release.RolloutProgress:
		return progressText(e)
	case release.TaskStopped:
		text := fmt.Sprintf("task %s of %s stopped: %s: %s", shortID(e.Task), e.Service, e.StopCode, e.Reason)
		if e.ExitCode != nil {
			text += fmt.Sprintf(" (exit code %d)", *e.ExitCode)
		}
		return text
	case release.ServiceMessage:
		if verbose {
			return "ECS: " + e.Text
		}
	}
	return ""
}

func progressText(e release.RolloutProgress) string {
	text := fmt.Sprintf("%s %s: %d of %d running", e.Service, strings.ToLower(strings.ReplaceAll(e.Status, "_", " ")), e.Running, e.Desired)
	if e.Stage != "" {
		text += " (" + strings.ToLower(strings.ReplaceAll(e.Stage, "_", " ")) + ")"
	}
	if e.Pending > 0 {
		text += fmt.Sprintf(", %d pending", e.Pending)
	}
	if e.Failed > 0 {
		text += fmt.Sprintf(", %d failed", e.Failed)
	}
	return text
}

// changesLine says what a release brings to what runs.
func changesLine(c release.Changes) string {
	switch c.Relation {
	case release.RelationAhead:
		return "brings " + commits(c.Count)
	case release.RelationBehind:
		return "takes " + commits(c.TakenBack) + " back"
	case release.RelationDiverged:
		return "brings " + commits(c.Count) + " and takes " + commits(c.TakenBack) + " back"
	case release.RelationFirst:
		return "nothing runs yet"
	case release.RelationSame:
		return "brings no other commit"
	}
	return c.Summary()
}

func commits(n int) string {
	if n == 1 {
		return "1 commit"
	}
	return fmt.Sprintf("%d commits", n)
}

// differenceText is one line of a definition's diff.
func differenceText(e release.DefinitionChange) string {
	switch {
	case e.From == "":
		return fmt.Sprintf("+ %s: %s: %s", e.Where, e.Path, e.To)
	case e.To == "":
		return fmt.Sprintf("- %s: %s: %s", e.Where, e.Path, e.From)
	}
	return fmt.Sprintf("~ %s: %s: %s → %s", e.Where, e.Path, e.From, e.To)
}

func orNothing(d release.Digest) string {
	if d == "" {
		return "nothing"
	}
	return d.Short()
}

// phaseOrder is the way of a release.
var phaseOrder = []release.Phase{
	release.PhaseCheck, release.PhaseBuild, release.PhaseLoad, release.PhaseAuthenticate, release.PhasePush,
	release.PhaseMigrate, release.PhaseDeploy, release.PhaseVerify, release.PhaseRollback,
}

func secondsText(r release.Result) string {
	var parts []string
	for _, phase := range phaseOrder {
		if s, ok := r.Seconds[phase]; ok {
			parts = append(parts, fmt.Sprintf("%s %.1f", phase, s))
		}
	}
	if len(parts) == 0 {
		return short(r.Total)
	}
	return fmt.Sprintf("%s (%s)", short(r.Total), strings.Join(parts, ", "))
}

// successBlock is the result of a run that ended well.
func successBlock(r release.Result) []string {
	name := r.Command
	if r.Target != "" {
		name += " to " + r.Target
	}
	head := fmt.Sprintf("%s: %s", name, r.Outcome)
	if r.Digest != "" {
		head += " " + r.Digest.Short()
	}
	if r.Commit != "" {
		head += " (commit " + r.Commit[:min(12, len(r.Commit))] + ")"
	}
	lines := []string{head + " in " + secondsText(r)}
	if r.Loaded != nil {
		for _, name := range r.Loaded.Names {
			lines = append(lines, fmt.Sprintf("  %s  %s, image %s", name, r.Loaded.Engine, r.Loaded.ID.Short()))
		}
	}
	for _, s := range r.Services {
		line := fmt.Sprintf("  %s  %s → %s, %d running", s.Name, orNothing(s.From), orNothing(s.To), s.Running)
		if s.From == s.To {
			line = fmt.Sprintf("  %s  %s, %d running", s.Name, orNothing(s.To), s.Running)
		}
		if s.URL != "" {
			line += "  " + s.URL
		}
		lines = append(lines, line)
	}
	return lines
}

// failureBlock is the one block that says why a run failed and what to type next.
func failureBlock(r release.Result) []string {
	lines := []string{fmt.Sprintf("%s: %s after %s", r.Command, strings.ReplaceAll(string(r.Outcome), "_", " "), short(r.Total))}
	if e := r.Explanation; e == nil || e.Cause != r.Error { // said once is enough
		for line := range strings.Lines(r.Error) {
			lines = append(lines, "  "+strings.TrimRight(line, "\n"))
		}
	}
	if e := r.Explanation; e != nil {
		lines = append(lines, explanationLines(e)...)
	}
	return lines
}

func explanationLines(e *release.Explanation) []string {
	lines := []string{"  cause:     " + e.Cause}
	add := func(name, value string) {
		if value != "" {
			lines = append(lines, fmt.Sprintf("  %-10s %s", name+":", value))
		}
	}
	add("service", e.Service)
	add("task", e.Task)
	add("stop code", e.StopCode)
	add("reason", e.Reason)
	if e.ExitCode != nil {
		add("exit code", fmt.Sprint(*e.ExitCode))
	}
	if len(e.Source) > 0 {
		lines = append(lines, "  Dockerfile:")
		for _, line := range e.Source {
			lines = append(lines, "    "+line)
		}
	}
	if len(e.Log) > 0 {
		lines = append(lines, "  last log lines:")
		for _, line := range briefly(e.Log) {
			lines = append(lines, "    "+line)
		}
	}
	if len(e.Next) > 0 {
		lines = append(lines, "  next:")
		for _, line := range e.Next {
			lines = append(lines, "    "+line)
		}
	}
	return lines
}

// longestQuote is how many characters of a log line are quoted to a person: programs write whole stack traces into one line
// of JSON, behind which the cause could not be seen any more.
const longestQuote = 400

// briefly cuts long lines short, and says by how much.
func briefly(log []string) []string {
	brief := make([]string, len(log))
	for i, line := range log {
		characters := []rune(line)
		if more := len(characters) - longestQuote; more > 0 {
			line = fmt.Sprintf("%s… (%d more characters)", string(characters[:longestQuote]), more)
		}
		brief[i] = line
	}
	return brief
}
