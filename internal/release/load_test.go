package release

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

// engine is a builder beside a local engine.
type engine struct {
	*world
	loaded []string
	err    error
}

func (e *engine) Load(_ context.Context, _ BuildRequest, want Digest, names []string, _ Emit) (LoadedImage, error) {
	e.note("load %s", want.Short())
	e.loaded = names
	return LoadedImage{Engine: "the engine", Names: names, ID: want}, e.err
}

func TestDestinations(t *testing.T) {
	for name, c := range map[string]struct {
		to      Destinations
		known   bool // the registry has the commit's image
		want    []string
		command string
	}{
		"neither":                {want: []string{"build"}, command: "build"},
		"load":                   {to: Destinations{Load: true}, want: []string{"build", "load"}, command: "build"},
		"push":                   {to: Destinations{Push: true}, want: []string{"build", "push"}, command: "push"},
		"both":                   {to: Destinations{Load: true, Push: true}, want: []string{"build", "load", "push"}, command: "build"},
		"push what is there":     {to: Destinations{Push: true}, known: true, command: "push"},
		"load what is there":     {to: Destinations{Load: true}, known: true, want: []string{"build", "load"}, command: "build"},
		"both, and it is pushed": {to: Destinations{Load: true, Push: true}, known: true, want: []string{"build", "load"}, command: "build"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld("")
			e := &engine{world: w}
			if c.known {
				w.addImage(newDigest, "git-"+cleanCommit.SHA)
			}
			p, _ := w.pipeline(t)
			p.Builder = e
			result := p.Build(t.Context(), ShipRequest{Target: target(), Commit: cleanCommit}, c.to)
			var did []string
			for _, line := range w.calls {
				word, _, _ := strings.Cut(line, " ")
				did = append(did, word)
			}
			if result.Outcome != OutcomeSucceeded || result.Command != c.command || !slices.Equal(did, c.want) {
				t.Errorf("%s %s: %v (%s), want %v", result.Command, result.Outcome, did, result.Error, c.want)
			}
			if !c.to.Load {
				if result.Loaded != nil {
					t.Errorf("loaded %+v", result.Loaded)
				}
				return
			}
			if want := []string{testRepo + ":git-" + cleanCommit.SHA, "medusa:latest"}; !slices.Equal(e.loaded, want) || result.Loaded == nil || result.Loaded.ID != newDigest {
				t.Errorf("loaded as %v, want %v; result %+v", e.loaded, want, result.Loaded)
			}
		})
	}
}

// TestFailedLoad: nothing is pushed after it.
func TestFailedLoad(t *testing.T) {
	w := newWorld("")
	p, _ := w.pipeline(t)
	p.Builder = &engine{world: w, err: errBroken}
	result := p.Build(t.Context(), ShipRequest{Target: target(), Commit: cleanCommit}, Destinations{Load: true, Push: true})
	if result.Exit != ExitBuild || result.Loaded != nil || slices.ContainsFunc(w.calls, func(line string) bool { return strings.HasPrefix(line, "push") }) {
		t.Errorf("exit %d, loaded %v, did %v", result.Exit, result.Loaded, w.calls)
	}
}

// TestBuilderIsChosenWhenNeeded: an image that the registry has needs no builder.
func TestBuilderIsChosenWhenNeeded(t *testing.T) {
	w := newWorld("")
	p, _ := w.pipeline(t)
	p.Builder = nil
	asked := 0
	p.ChooseBuilder = func(context.Context, Emit) (Builder, error) { asked++; return nil, errors.New("there is no builder") }
	req := ShipRequest{Target: target(), Commit: cleanCommit}
	if result := p.Build(t.Context(), req, Destinations{Push: true}); result.Exit != ExitBuild || result.Error != "there is no builder" || asked != 1 {
		t.Errorf("exit %d: %s, asked %d times", result.Exit, result.Error, asked)
	}
	w.addImage(newDigest, "git-"+cleanCommit.SHA)
	if result := p.Build(t.Context(), req, Destinations{Push: true}); result.Outcome != OutcomeSucceeded || asked != 1 {
		t.Errorf("%s: %s, asked %d times", result.Outcome, result.Error, asked)
	}
}
