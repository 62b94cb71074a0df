package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// section is one kind of thing that a trace leads to.
type section struct {
	name  string
	lines []line
}

func (s *section) say(format string, args ...any) {
	s.lines = append(s.lines, plain(fmt.Sprintf(format, args...)))
}

// Trace writes everything about one image: a section for each kind of thing that it leads to. Sections without content
// are left out, so that a new kind is one more function in the list.
func Trace(o Page, t release.Trace) error {
	p := &page{Page: o}
	var kinds []string
	for _, k := range t.Kinds {
		kinds = append(kinds, string(k))
	}
	p.say(fmt.Sprintf("%s is a %s: %s", t.Ref, strings.Join(kinds, " and a "), t.Name))
	for _, note := range t.Notes {
		p.painted(yellow, note)
	}
	for _, of := range []func(*page, release.Trace) section{
		traceCommit, traceImage, traceTags, tracePlatforms, tracePushed, traceAttached, traceDeployments, traceRevisions, traceDefinitions, traceTasks, traceAlso,
	} {
		p.section(of(p, t))
	}
	return p.write()
}

// section writes a section's name beside its first line.
func (p *page) section(s section) {
	const nameWidth = 12
	for n, l := range s.lines {
		name := strings.Repeat(" ", nameWidth)
		if n == 0 {
			name = fmt.Sprintf("%-*s", nameWidth, s.name)
		}
		p.add(append(line{{name, faint}}, l...))
	}
}

func traceCommit(p *page, t release.Trace) section {
	s := section{name: "commit"}
	switch {
	case t.Commit == "" && t.Gone:
		s.say("unknown: it was a label of the image")
	case t.Commit == "":
		s.say("unknown: the image has no label %s", release.LabelRevision)
	case t.Dirty:
		s.say("%s, with uncommitted changes", t.Commit)
	default:
		s.say("%s", t.Commit)
	}
	if c := t.Source; c != nil {
		s.say("%s", c.Subject)
		s.say("%s, %s", c.Author, p.minute(c.Time))
	}
	return s
}

func traceImage(_ *page, t release.Trace) section {
	s := section{name: "image"}
	s.say("%s", t.Image.Ref())
	if t.Gone {
		s.lines = append(s.lines, line{{"the registry no longer has it", red}})
	}
	return s
}

func traceTags(_ *page, t release.Trace) section {
	s := section{name: "tags"}
	for _, tag := range t.Image.Tags {
		s.say("%s", tag)
	}
	if len(s.lines) == 0 && !t.Gone {
		s.say("none")
	}
	return s
}

func tracePlatforms(_ *page, t release.Trace) section {
	s := section{name: "platforms"}
	for n, platform := range t.Image.Platforms {
		if n < len(t.Image.Manifests) {
			platform += "  " + string(t.Image.Manifests[n])
		}
		s.say("%s", platform)
	}
	return s
}

func tracePushed(p *page, t release.Trace) section {
	s := section{name: "pushed"}
	if !t.Image.PushedAt.IsZero() {
		s.say("%s, %s", p.minute(t.Image.PushedAt), size(t.Image.SizeBytes))
	}
	return s
}

// traceAttached lists what is attached to the image. Who signed is what each says of itself.
func traceAttached(p *page, t release.Trace) section {
	s := section{name: "attached"}
	for _, a := range t.Attestations {
		l := line{{string(a.Kind), none}}
		switch {
		case a.Problem != "":
			l = append(l, span{"  " + a.Problem, yellow})
		case a.Signer != "":
			l = append(l, span{"  signed by " + a.Signer + " (not verified)", none})
		case a.Predicate != "":
			l = append(l, span{"  not signed", none})
		default:
			l = append(l, span{"  " + a.ArtifactType, none})
		}
		if !a.Created.IsZero() {
			l = append(l, span{"  " + p.minute(a.Created), none})
		}
		if a.Digest != "" {
			l = append(l, span{"  " + string(a.Digest), faint})
		}
		s.lines = append(s.lines, l)
	}
	return s
}

func traceDeployments(p *page, t release.Trace) section {
	s := section{name: "deployments"}
	for _, e := range t.Deployments {
		s.lines = append(s.lines, line{
			{fmt.Sprintf("%s  %s  ", p.minute(e.Started), e.Service), none}, {becameOf(e), stateColour(e.State)}, {"  " + e.Deployment, faint},
		})
	}
	if len(s.lines) == 0 {
		s.say("none that ECS lists")
	}
	return s
}

func traceRevisions(_ *page, t release.Trace) section {
	s := section{name: "revisions"}
	for _, e := range t.Deployments {
		if e.Revision != "" {
			s.say("%s", e.Revision)
		}
	}
	return s
}

func traceDefinitions(_ *page, t release.Trace) section {
	s := section{name: "definitions"}
	for _, arn := range t.Definitions {
		s.say("%s", idText(arn))
	}
	return s
}

func traceTasks(p *page, t release.Trace) section {
	s := section{name: "tasks"}
	if !slices.ContainsFunc(t.Tasks, func(task release.TraceTask) bool { return task.Status != "STOPPED" }) {
		s.say("none runs it")
	}
	for _, task := range t.Tasks {
		of := "of no service"
		if task.Service != "" {
			of = "of " + task.Service
		}
		s.lines = append(s.lines, line{{fmt.Sprintf("%s  %s  %s  %s", task.ID, of, idText(task.Definition), taskState(p, task)), none}})
	}
	return s
}

func taskState(p *page, task release.TraceTask) string {
	if task.Status == "STOPPED" {
		return strings.TrimRight(fmt.Sprintf("stopped %s  %s", p.at(task.Stopped, time.DateTime), task.Reason), " ")
	}
	text := strings.ToLower(task.Status)
	if !task.Started.IsZero() {
		text += " since " + p.second(task.Started)
	}
	if task.Health != "" && task.Health != "UNKNOWN" {
		text += ", " + strings.ToLower(task.Health)
	}
	return text
}

func traceAlso(_ *page, t release.Trace) section {
	s := section{name: "also"}
	for _, other := range t.Also {
		text := string(other.Digest)
		if other.Dirty {
			text += "  the same commit with uncommitted changes"
		} else {
			text += "  the same commit, built again"
		}
		s.say("%s  %s", text, strings.Join(other.Tags, " "))
	}
	return s
}
