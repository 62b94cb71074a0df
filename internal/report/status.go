package report

import (
	"fmt"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Status writes what runs.
func Status(o Page, s release.Status) error {
	p := &page{Page: o}
	p.status(s)
	return p.write()
}

func (p *page) status(s release.Status) {
	p.say(fmt.Sprintf("%s on %s: :%s → %s", s.Cluster, s.Target, s.Tag, imageText(s.Tagged, s.Commit)))
	for _, one := range s.Services {
		p.service(one)
	}
	for _, d := range s.Drift {
		p.drift("", d)
	}
	if s.Next != nil {
		p.say("")
		p.next(*s.Next)
	}
}

// field is one fact of a service under its name.
func (p *page) field(name string, c colour, text string) {
	p.add(line{{fmt.Sprintf("  %-9s ", name), faint}, {text, c}})
}

func (p *page) service(one release.ServiceStatus) {
	p.say("")
	if one.Missing {
		p.say(one.Name + "  does not exist yet: the first `medusa-deploy ship` creates it on local AWS")
		return
	}
	p.add(line{{one.Name + "  ", none}, {serviceState(one), serviceColour(one)}})
	for _, r := range one.Runs {
		p.field("runs", none, runsText(r))
	}
	if one.TaskDefinition != "" {
		p.field("defined", none, idText(one.TaskDefinition))
	}
	if r := one.Rollout; r != nil && r.State != release.StateRuns {
		p.field("rollout", stateColour(r.State), p.rolloutStatus(*r))
	}
	if one.URL != "" {
		p.field("url", none, one.URL)
	}
	for _, d := range one.Drift {
		p.drift("  ", d)
	}
	for _, text := range one.Unchecked {
		p.field("unchecked", faint, text)
	}
}

// serviceState is a service in a few words.
func serviceState(one release.ServiceStatus) string {
	state := "settled"
	switch {
	case one.Rollout != nil && one.Rollout.State == release.StateRollingBack:
		state = "being rolled back"
	case one.InFlight:
		state = "being deployed"
	}
	text := fmt.Sprintf("%s, %d of %d running", one.Status, one.Running, one.Desired)
	if one.Pending > 0 {
		text += fmt.Sprintf(", %d pending", one.Pending)
	}
	return text + ", " + state
}

func serviceColour(one release.ServiceStatus) colour {
	switch {
	case one.InFlight:
		return cyan
	case len(one.Drift) > 0:
		return yellow
	}
	return green
}

func runsText(r release.Running) string {
	text := fmt.Sprintf("%d × %s", r.Tasks, imageText(r.Digest, r.Commit))
	if r.Subject != "" {
		text += " " + r.Subject
	}
	return text
}

// rolloutStatus is how far a deployment is, or how it ended.
func (p *page) rolloutStatus(r release.RolloutStatus) string {
	text := stateText(r.State)
	if r.State == release.StateUnknown {
		text = strings.ToLower(r.Status)
	}
	text += ": " + imageText(r.Digest, r.Commit)
	if r.State == release.StateInFlight || r.State == release.StateRollingBack {
		text += " since " + p.second(r.Started) + ", " + progressCounts(r)
	} else {
		text += " at " + p.second(r.Finished)
	}
	if r.Reason != "" {
		text += ": " + r.Reason
	}
	return text
}

func progressCounts(r release.RolloutStatus) string {
	text := fmt.Sprintf("%d of %d running", r.Running, r.Desired)
	if r.Pending > 0 {
		text += fmt.Sprintf(", %d pending", r.Pending)
	}
	if r.Failed > 0 {
		text += fmt.Sprintf(", %d failed", r.Failed)
	}
	if r.Stage != "" {
		text += ", stage " + r.Stage
	}
	return text
}

// driftShown is how many differences are listed without --verbose.
const driftShown = 10

func (p *page) drift(indent string, d release.Drift) {
	if p.Kind == GitHub { // the runner shows the annotation in the log as well
		p.add(line{{annotate("warning", "", "drift: "+d.Text), command}})
	} else {
		p.painted(yellow, indent+"drift: "+d.Text)
	}
	for n, one := range d.Differences {
		if n == driftShown && !p.Verbose {
			p.say(fmt.Sprintf("%s  … %d more: --verbose shows all", indent, len(d.Differences)-n))
			break
		}
		p.say(fmt.Sprintf("%s  %s %s: %s → %s", indent, one.Where, one.Path, orAbsent(one.From), orAbsent(one.To)))
	}
	if d.Cure != "" {
		p.painted(faint, indent+"  "+d.Cure)
	}
}

func orAbsent(json string) string {
	if json == "" {
		return "(nothing)"
	}
	return json
}

// nextShown is how many commits are listed without --verbose.
const nextShown = 10

// next writes what shipping the commit that is checked out would change.
func (p *page) next(c release.Changes) {
	paint := none
	if c.Backwards() || c.Relation == release.RelationUnknown {
		paint = yellow
	}
	p.add(line{{"next: ", none}, {c.Summary(), paint}})
	if c.Cure != "" {
		p.painted(faint, "  "+c.Cure)
	}
	p.commits("+", c.Commits, c.Count)
	p.commits("-", c.Lost, c.TakenBack)
}

func (p *page) commits(mark string, commits []release.Commit, count int) {
	shown := commits
	if !p.Verbose {
		shown = commits[:min(nextShown, len(commits))]
	}
	for _, c := range shown {
		p.say(fmt.Sprintf("  %s %s %s (%s)", mark, c.Short(), c.Subject, c.Author))
	}
	if more := count - len(shown); more > 0 {
		p.painted(faint, fmt.Sprintf("  %s … %d more", mark, more))
	}
}
