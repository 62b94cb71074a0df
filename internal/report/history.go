package report

import (
	"fmt"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// History writes what was deployed as a table.
func History(o Page, h release.History) error {
	p := &page{Page: o}
	for _, name := range h.Missing {
		p.say(name + "  does not exist yet")
	}
	if len(h.Deployments) == 0 {
		p.say("nothing was deployed yet")
		return p.write()
	}
	several := severalServices(h.Deployments)
	t := &table{columns: []column{
		{name: "STARTED"}, {name: "SERVICE", min: 12, rank: 6}, {name: "WHAT BECAME OF IT", min: 16, rank: 5}, {name: "IMAGE"},
		{name: "COMMIT", min: 13, rank: 4}, {name: "SUBJECT", rank: 3}, {name: "TAGS", rank: 1}, {name: "DEPLOYMENT", rank: 2},
	}}
	for _, e := range h.Deployments {
		service := ""
		if several {
			service = e.Service
		}
		t.rows = append(t.rows, []span{
			{p.at(e.Started, startedLayout(o.Width)), none}, {service, none}, {becameOf(e), stateColour(e.State)}, {e.Digest.Short(), none},
			{commitCell(e), none}, {e.Subject, none}, {tagsCell(e), none}, {idText(e.Deployment), faint},
		})
	}
	for n, l := range t.lines(o.Width) {
		p.add(l)
		if n > 0 && o.Verbose && h.Deployments[n-1].Reason != "" {
			p.painted(faint, "  "+h.Deployments[n-1].Reason)
		}
	}
	if h.More > 0 {
		p.painted(faint, fmt.Sprintf("%d older: --limit 0 shows all that ECS lists", h.More))
	}
	return p.write()
}

func severalServices(entries []release.HistoryEntry) bool {
	for _, e := range entries {
		if e.Service != entries[0].Service {
			return true
		}
	}
	return false
}

// startedLayout leaves the year out where room is short.
func startedLayout(width int) string {
	if width > 0 && width < 100 {
		return "01-02 15:04"
	}
	return "2006-01-02 15:04"
}

// becameOf says what became of a deployment, and what it left.
func becameOf(e release.HistoryEntry) string {
	text := stateText(e.State)
	if e.State == release.StateUnknown {
		text = strings.ToLower(e.Status)
	}
	if e.Running > 0 {
		text += fmt.Sprintf(", %s", tasksText(e.Running))
	}
	if e.WentBack != nil {
		text += " to " + backText(*e.WentBack)
	}
	if e.Again {
		text += " (back)"
	}
	return text
}

func tasksText(n int) string {
	if n == 1 {
		return "1 task"
	}
	return fmt.Sprintf("%d tasks", n)
}

// backText names what was gone back to.
func backText(w release.WentBack) string {
	if w.Digest != "" {
		return w.Digest.Short()
	}
	return "an older one" // than any that ECS lists
}

func commitCell(e release.HistoryEntry) string {
	switch {
	case e.Gone:
		return "image gone"
	case e.Commit == "":
		return ""
	}
	if sha, dirty, ok := release.ParseRevision(e.Commit); ok && dirty {
		return sha[:7] + "-dirty"
	}
	return commitText(e.Commit)
}

// tagsCell lists an image's tags less the one that only repeats its commit.
func tagsCell(e release.HistoryEntry) string {
	var shown []string
	for _, tag := range e.Tags {
		if tag != "git-"+e.Commit {
			shown = append(shown, tag)
		}
	}
	return strings.Join(shown, " ")
}
