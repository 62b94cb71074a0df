package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// live is what a phase does right now. Steps, layers and services go on side by side, so that the last event alone
// would say too little.
type live struct {
	text     string            // of the last event that has one; of a step that still runs, when another one ends
	names    map[string]string // build step id → name
	steps    []step            // that run, in the order of their start
	layers   map[string]release.Transfer
	services []string // in the order of their first event
	rollouts map[string]string
}

func newLive(about string) live {
	return live{text: about, names: map[string]string{}, layers: map[string]release.Transfer{}, rollouts: map[string]string{}}
}

// step is a build step that runs.
type step struct{ id, text string }

// observe takes in what an event within a phase tells.
func (l *live) observe(e release.Event) {
	switch e := e.(type) {
	case release.BuildStep:
		l.step(e)
	case release.BuildLog:
		l.text = l.names[e.ID] + ": " + e.Line
		if at := l.running(e.ID); at >= 0 {
			l.steps[at].text = l.text
		}
	case release.Transfer:
		l.transfer(e)
	case release.RolloutStarted:
		l.rollout(e.Service, rolloutText(e, false))
	case release.RolloutProgress:
		l.rollout(e.Service, rolloutText(e, false))
	}
}

// step has the steps that run side by side in mind.
func (l *live) step(e release.BuildStep) {
	l.names[e.ID], l.text = e.Name, e.Name
	if at := l.running(e.ID); at >= 0 {
		l.steps = slices.Delete(l.steps, at, at+1)
	}
	switch {
	case e.State == "started":
		l.steps = append(l.steps, step{e.ID, e.Name})
	case len(l.steps) > 0:
		l.text = l.steps[0].text
	}
}

// running is the place of a step among those that run; -1: it does not.
func (l *live) running(id string) int {
	return slices.IndexFunc(l.steps, func(s step) bool { return s.id == id })
}

// transfer sums up the layers whose size is known: they are what moves.
func (l *live) transfer(e release.Transfer) {
	if e.Total <= 0 {
		if len(l.layers) == 0 {
			l.text = e.Name
		}
		return
	}
	l.layers[e.ID] = e
	var sum release.Transfer
	done := 0
	for _, layer := range l.layers {
		sum.Current += layer.Current
		sum.Total += layer.Total
		if layer.Done {
			done++
		}
	}
	l.text = fmt.Sprintf("%s of %s, %d of %d layers done", size(sum.Current), size(sum.Total), done, len(l.layers))
}

// rollout has each service keep its place.
func (l *live) rollout(service, text string) {
	if !slices.Contains(l.services, service) {
		l.services = append(l.services, service)
	}
	l.rollouts[service] = text
	var all []string
	for _, name := range l.services {
		all = append(all, l.rollouts[name])
	}
	l.text = strings.Join(all, "; ")
}
