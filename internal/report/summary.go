package report

import (
	"fmt"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// summaryText is a run in Markdown, for a reviewer who has ten seconds: how it ended, what runs, what changed, how long it
// took and, when it failed, why and what to type next.
func summaryText(s story) string {
	r := s.result
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	mark := "✅"
	if r.Exit != release.ExitDone {
		mark = "❌"
	}
	line("### %s %s: %s in %s\n", mark, markdown(title(r)), strings.ReplaceAll(string(r.Outcome), "_", " "), short(r.Total))
	if r.Exit != release.ExitDone {
		failureSection(line, r)
	}
	findingsSection(line, s.findings)
	if about := commitLine(s); about != "" {
		line("**Commit** %s\n", about)
	}
	if r.Image != "" {
		line("**Image** %s\n", code(r.Image))
	}
	servicesSection(line, r)
	changesSection(line, s.changes)
	phasesSection(line, r)
	return b.String()
}

func title(r release.Result) string {
	if r.Target == "" {
		return r.Command
	}
	return r.Command + " to " + r.Target
}

type writeLine func(format string, args ...any)

func failureSection(line writeLine, r release.Result) {
	e := r.Explanation
	if e == nil || e.Cause != r.Error {
		line("%s\n", markdown(r.Error))
	}
	if e == nil {
		return
	}
	line("**Cause** %s\n", markdown(e.Cause))
	var facts []string
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, name+" "+code(value))
		}
	}
	add("service", e.Service)
	add("task", e.Task)
	add("stop code", e.StopCode)
	add("reason", e.Reason)
	if e.ExitCode != nil {
		add("exit code", fmt.Sprint(*e.ExitCode))
	}
	if len(facts) > 0 {
		line("%s\n", strings.Join(facts, " · "))
	}
	block(line, "Dockerfile", e.Source)
	block(line, "Last log lines", briefly(e.Log))
	block(line, "Next", e.Next)
}

func findingsSection(line writeLine, findings []release.Finding) {
	if len(findings) == 0 {
		return
	}
	line("| finding | where | problem | cure |\n|---|---|---|---|")
	for _, f := range findings {
		line("| %s %s | %s | %s | %s |", f.Code, f.Severity, markdown(f.Where), markdown(f.Problem), markdown(f.Cure))
	}
	line("")
}

// commitLine names the commit, with its subject and author where the local history has them.
func commitLine(s story) string {
	sha := s.result.Commit
	if sha == "" {
		return ""
	}
	text := code(sha[:min(12, len(sha))])
	if c := s.changes; c != nil && c.To.SHA != "" && strings.HasPrefix(sha, c.To.SHA) {
		text += " " + markdown(c.To.Subject)
		if c.To.Author != "" {
			text += " — " + markdown(c.To.Author)
		}
	}
	return text
}

func servicesSection(line writeLine, r release.Result) {
	if len(r.Services) == 0 {
		return
	}
	line("| service | before | new | tasks on new |\n|---|---|---|---|")
	for _, one := range r.Services {
		name := markdown(one.Name)
		if one.URL != "" {
			name += " " + markdown(one.URL)
		}
		line("| %s | %s | %s | %d |", name, code(orNothing(one.From)), code(orNothing(one.To)), one.Running)
	}
	line("")
}

func changesSection(line writeLine, c *release.Changes) {
	if c == nil || len(c.Commits)+len(c.Lost) == 0 {
		return
	}
	list := func(what string, count int, commits []release.Commit) {
		if count == 0 {
			return
		}
		line("<details><summary>%s: %d</summary>\n", what, count)
		for _, one := range commits {
			line("- %s %s — %s", code(one.Short()), markdown(one.Subject), markdown(one.Author))
		}
		if more := count - len(commits); more > 0 {
			line("- and %d more", more)
		}
		line("\n</details>\n")
	}
	list("commits brought", c.Count, c.Commits)
	list("commits taken back", c.TakenBack, c.Lost)
}

func phasesSection(line writeLine, r release.Result) {
	names, seconds := "", ""
	for _, phase := range phaseOrder {
		if s, ok := r.Seconds[phase]; ok {
			names += " " + string(phase) + " |"
			seconds += fmt.Sprintf(" %s |", short(s))
		}
	}
	if names != "" {
		line("|%s\n|%s\n|%s\n", names, strings.Repeat("---|", strings.Count(names, "|")), seconds)
	}
}

// block shows lines as they are, fenced by more backticks than any of them has.
func block(line writeLine, name string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fence := "```"
	for _, one := range lines {
		for strings.Contains(one, fence) {
			fence += "`"
		}
	}
	line("**%s**\n\n%stext", name, fence)
	for _, one := range lines {
		line("%s", clean(one))
	}
	line("%s\n", fence)
}

// markdown makes foreign text (a commit's subject, a branch, ECS's words) show as what it is: nothing in it is markup, a
// link, a mention, or the end of a table's cell.
func markdown(s string) string {
	var b strings.Builder
	for _, r := range strings.Join(cleanLines(s), " ") {
		if strings.ContainsRune("\\`*_{}[]<>()#+-.!|~&@:/=\"'$", r) {
			fmt.Fprintf(&b, "&#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// code is markdown in a fixed-width font. An HTML element takes entities; a code span would show them.
func code(s string) string { return "<code>" + markdown(s) + "</code>" }
