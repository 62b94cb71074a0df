package report

import (
	"bytes"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestLive(t *testing.T) {
	const mega = 1000 * 1000
	progress := func(service string, running int) release.RolloutProgress {
		return release.RolloutProgress{Service: service, Status: "IN_PROGRESS", Desired: 2, Running: running}
	}
	for name, test := range map[string]struct {
		events []release.Event
		want   string
	}{
		"nothing yet": {nil, "about"},
		"a step":      {[]release.Event{release.BuildStep{ID: "1", Name: "[1/2] RUN make", State: "started"}}, "[1/2] RUN make"},
		"a line of a step": {[]release.Event{
			release.BuildStep{ID: "1", Name: "[1/2] RUN make", State: "started"},
			release.BuildStep{ID: "2", Name: "[2/2] RUN test", State: "started"},
			release.BuildLog{ID: "1", Line: "cc main.c"},
		}, "[1/2] RUN make: cc main.c"},
		"a step that others have outrun": {[]release.Event{
			release.BuildStep{ID: "1", Name: "[1/2] RUN make", State: "started"},
			release.BuildLog{ID: "1", Line: "cc main.c"},
			release.BuildStep{ID: "2", Name: "[2/2] RUN test", State: "started"},
			release.BuildStep{ID: "2", Name: "[2/2] RUN test", State: "done"},
			release.BuildStep{ID: "3", Name: "[3/3] COPY . .", State: "cached"},
		}, "[1/2] RUN make: cc main.c"},
		"the last step that ran": {[]release.Event{
			release.BuildStep{ID: "1", Name: "[1/2] RUN make", State: "started"},
			release.BuildStep{ID: "1", Name: "[1/2] RUN make", State: "done"},
		}, "[1/2] RUN make"},
		"layers side by side": {[]release.Event{
			release.Transfer{ID: "all", Name: "pushing layers"},
			release.Transfer{ID: "a", Name: "layer a", Current: 1 * mega, Total: 4 * mega},
			release.Transfer{ID: "b", Name: "layer b", Current: 2 * mega, Total: 2 * mega, Done: true},
			release.Transfer{ID: "a", Name: "layer a", Current: 3 * mega, Total: 4 * mega},
			release.Transfer{ID: "all", Name: "pushing layers", Done: true},
		}, "5.0 MB of 6.0 MB, 1 of 2 layers done"},
		"no layer is new": {[]release.Event{release.Transfer{ID: "all", Name: "pushing manifest"}}, "pushing manifest"},
		"services side by side": {[]release.Event{
			progress("server", 0), progress("worker", 0), progress("server", 1),
		}, "server in progress: 1 of 2 running; worker in progress: 0 of 2 running"},
		"what has no place in it": {[]release.Event{release.Notice{Text: "x"}, release.LogLine{Text: "y"}}, "about"},
	} {
		l := newLive("about")
		for _, e := range test.events {
			l.observe(e)
		}
		if l.text != test.want {
			t.Errorf("%s: %q, want %q", name, l.text, test.want)
		}
	}
}

func TestALaterPhaseKnowsNothingOfTheFormer(t *testing.T) {
	for _, kind := range []Kind{Terminal, Plain} {
		synctest.Test(t, func(t *testing.T) {
			var out bytes.Buffer
			face := New(kind, Options{Out: &out, Err: &out})
			face.Emit(release.PhaseStarted{Phase: release.PhasePush, About: "first"})
			face.Emit(release.Transfer{ID: "a", Current: 1, Total: 2})
			face.Emit(release.PhaseDone{Phase: release.PhasePush})
			out.Reset()
			face.Emit(release.PhaseStarted{Phase: release.PhaseVerify, About: "second"})
			time.Sleep(15 * time.Second) // fake time
			synctest.Wait()
			if err := face.Close(); err != nil {
				t.Fatal(err)
			}
			if text := out.String(); strings.Contains(text, "layers") || !strings.Contains(text, "second") {
				t.Errorf("%s: %q", kind, text)
			}
		})
	}
}

// TestANarrowedTerminal has the live line broken in three by the terminal, and wants all three gone.
func TestANarrowedTerminal(t *testing.T) {
	var screen bytes.Buffer
	var columns atomic.Int64
	columns.Store(80)
	face := New(Terminal, Options{Out: &screen, Err: &screen, Width: func() int { return int(columns.Load()) }})
	face.Emit(release.PhaseStarted{Phase: release.PhaseBuild, About: strings.Repeat("x", 100)})
	columns.Store(30)
	face.Emit(release.PhaseDone{Phase: release.PhaseBuild, Summary: "done"})
	if err := face.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(screen.String(), "\r\x1b[2A\x1b[J") {
		t.Errorf("the rest of the live line stays: %q", screen.String())
	}
}

func TestAnUnknownWidthIsTheUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen bytes.Buffer
		face := New(Terminal, Options{Out: &screen, Err: &screen, Width: func() int { return 0 }})
		face.Emit(release.PhaseStarted{Phase: release.PhaseBuild, About: "what it builds"})
		time.Sleep(time.Second) // fake time: the line is drawn a few times
		synctest.Wait()
		if err := face.Close(); err != nil {
			t.Fatal(err)
		}
		if text := screen.String(); !strings.Contains(text, "what it builds") || strings.Contains(text, "A\x1b[J") {
			t.Errorf("%q", text)
		}
	})
}
