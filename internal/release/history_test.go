package release

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func historyOf(t *testing.T, a *annals, o HistoryOptions, services ...string) History {
	t.Helper()
	h, err := a.inspector().History(t.Context(), annalsTarget(services...), o)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func statesOf(entries []HistoryEntry) []State {
	var all []State
	for _, e := range entries {
		all = append(all, e.State)
	}
	return all
}

func TestHistoryMarksWhatBecameOfEachDeployment(t *testing.T) {
	h := historyOf(t, threeReleases(t), HistoryOptions{})
	want := []State{StateRolledBack, StateRuns, StateReplaced, StateReplaced}
	if got := statesOf(h.Deployments); !slices.Equal(got, want) {
		t.Fatalf("states = %v, want %v", got, want)
	}
	bad, runs, pruned := h.Deployments[0], h.Deployments[1], h.Deployments[3]
	if bad.WentBack == nil || bad.WentBack.Digest != digestNamed("two") || bad.WentBack.Commit != shaNamed("two") || bad.WentBack.Deployment != runs.Deployment {
		t.Errorf("rolled back to %+v, want to what the third deployment brought", bad.WentBack)
	}
	if runs.Running != 2 || bad.Running != 0 || runs.Subject != "Subject of two" || runs.Commit != shaNamed("two") || runs.Gone {
		t.Errorf("what runs = %+v, want 2 tasks of commit two", runs)
	}
	if !pruned.Gone || pruned.Commit != "" || pruned.Digest != digestNamed("pruned") {
		t.Errorf("the first = %+v, want an image that the registry no longer has", pruned)
	}
}

func TestHistoryLimit(t *testing.T) {
	a := threeReleases(t)
	h := historyOf(t, a, HistoryOptions{Limit: 2})
	if len(h.Deployments) != 2 || h.More != 2 || h.Deployments[0].State != StateRolledBack || h.Deployments[1].State != StateRuns || h.Deployments[1].Running != 2 {
		t.Errorf("got %v and %d more, want the two newest, with their states as if all were shown", statesOf(h.Deployments), h.More)
	}
}

func TestHistoryOfSeveralServicesIsOneLine(t *testing.T) {
	a := threeReleases(t)
	a.rolled("worker", digestNamed("one"), statusSuccessful)
	a.rolled("worker", digestNamed("two"), statusInProgress)
	h := historyOf(t, a, HistoryOptions{}, annalsService, "worker", "unborn")
	if !slices.IsSortedFunc(h.Deployments, func(a, b HistoryEntry) int { return b.Started.Compare(a.Started) }) || len(h.Deployments) != 6 {
		t.Errorf("deployments are not sorted, or not all there: %v", h.Deployments)
	}
	if !slices.Equal(h.Missing, []string{"unborn"}) {
		t.Errorf("missing = %v", h.Missing)
	}
	h = historyOf(t, a, HistoryOptions{Services: []string{"worker"}}, annalsService, "worker")
	if want := []State{StateInFlight, StateRuns}; !slices.Equal(statesOf(h.Deployments), want) {
		t.Errorf("of the worker alone: %v, want %v", statesOf(h.Deployments), want)
	}
}

func TestStates(t *testing.T) {
	early, late := func(p *PastRollout) { p.Finished = p.Started.Add(time.Minute) }, func(p *PastRollout) { p.Finished = p.Started.Add(2 * time.Hour) }
	because := func(reason string) func(*PastRollout) { return func(p *PastRollout) { p.StatusReason = reason } }
	type step struct {
		status string
		change func(*PastRollout)
	}
	tests := map[string]struct {
		steps []step // oldest first
		want  []State
	}{
		"in flight over what runs":           {[]step{{statusSuccessful, early}, {statusPending, early}}, []State{StateInFlight, StateRuns}},
		"on the way back":                    {[]step{{statusSuccessful, early}, {statusRollbackInProgress, early}}, []State{StateRollingBack, StateRuns}},
		"a stop is asked for":                {[]step{{statusStopRequested, early}}, []State{StateRollingBack}},
		"a rollback is asked for":            {[]step{{statusRollbackRequested, early}}, []State{StateRollingBack}},
		"the rollback failed":                {[]step{{statusRollbackFailed, early}}, []State{StateRollbackFailed}},
		"stopped, and shipped again later":   {[]step{{statusStopped, early}, {statusSuccessful, early}}, []State{StateRuns, StateStopped}},
		"stopped by the next, by the times":  {[]step{{statusStopped, late}, {statusSuccessful, early}}, []State{StateRuns, StateSuperseded}},
		"stopped by the next, as ECS says":   {[]step{{statusStopped, because("A newer deployment of the service was started.")}, {statusSuccessful, early}}, []State{StateRuns, StateSuperseded}},
		"the newest cannot be superseded":    {[]step{{statusStopped, late}}, []State{StateStopped}},
		"nothing was ever successful":        {[]step{{statusRollbackFailed, early}, {statusStopped, early}}, []State{StateStopped, StateRollbackFailed}},
		"a status that nobody has heard of":  {[]step{{"PONDERING", early}}, []State{StateUnknown}},
		"successful in the middle of others": {[]step{{statusSuccessful, early}, {statusSuccessful, early}, {statusRollbackSuccessful, early}}, []State{StateRolledBack, StateRuns, StateReplaced}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a := newAnnals()
			d := a.push("one", false)
			for _, s := range tt.steps {
				a.rolled(annalsService, d, s.status, s.change)
			}
			if got := statesOf(historyOf(t, a, HistoryOptions{}).Deployments); !slices.Equal(got, tt.want) {
				t.Errorf("states = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestEveryStatusHasAState(t *testing.T) {
	for _, status := range []string{
		statusPending, statusInProgress, statusSuccessful, statusStopRequested, statusStopped,
		statusRollbackRequested, statusRollbackInProgress, statusRollbackSuccessful, statusRollbackFailed,
	} {
		if !KnownStatus(status) {
			t.Errorf("%s is no status that the verdict knows", status)
		}
		if got := stateOf([]PastRollout{{Status: status}}, 0); got == StateUnknown {
			t.Errorf("%s has no state", status)
		}
	}
}

// TestTasksBelongToTheDeploymentThatMadeThem: of deployments of one image, the one that a task came with counts it.
func TestTasksBelongToTheDeploymentThatMadeThem(t *testing.T) {
	a := newAnnals()
	one, two := a.push("one", false, "a"), a.push("two", false, "b")
	a.rolled(annalsService, one, statusSuccessful)
	a.rolled(annalsService, two, statusSuccessful)
	third := a.rolled(annalsService, one, statusSuccessful)
	forced := a.rolled(annalsService, one, statusSuccessful)
	changed := a.rolled(annalsService, one, statusInProgress, func(p *PastRollout) { p.TaskDefinition = definitionARN(2) })
	begin := func(p PastRollout) time.Time { return p.Started.Add(time.Second) }
	old, new := a.task(annalsService, "old", one, begin(third)), a.task(annalsService, "new", one, begin(forced))
	newest := a.task(annalsService, "newest", one, begin(changed))
	newest.TaskDefinition = definitionARN(2)
	replaced := a.task(annalsService, "replaced", one, begin(changed)) // by the scheduler, of the deployment before
	leaving := a.task(annalsService, "leaving", one, begin(third))
	leaving.DesiredStatus = "STOPPED"
	undated := a.task(annalsService, "undated", two, dawn.Add(-time.Hour)) // older than any deployment that ECS lists
	a.tasks[annalsService] = []Task{old, new, newest, replaced, leaving, undated}
	h := historyOf(t, a, HistoryOptions{})
	var got []int
	for _, e := range h.Deployments {
		got = append(got, e.Running)
	}
	if want := []int{1, 2, 1, 1, 0}; !slices.Equal(got, want) {
		t.Errorf("running = %v, want %v", got, want)
	}
	if !h.Deployments[2].Again || h.Deployments[3].Again || h.Deployments[4].Again {
		t.Errorf("again = %+v, want the third deployment of image one to have brought it back", h.Deployments)
	}
	if h = historyOf(t, a, HistoryOptions{Limit: 1}); h.Deployments[0].Running != 1 {
		t.Errorf("with a limit, the newest runs %d, want 1: tasks of those not shown must not count for it", h.Deployments[0].Running)
	}
}

// multiPlatform pushes an index with one manifest, which ECS names in its place.
func multiPlatform(a *annals, name string, tags ...string) (index, manifest Digest) {
	index = a.push(name, false, tags...)
	manifest = digestNamed(name + " on arm64")
	image := a.images[index]
	image.Manifests, image.Platforms = []Digest{manifest}, []string{"linux/arm64"}
	a.images[index] = image
	a.images[manifest] = Image{Repository: annalsHost, Digest: manifest, Labels: image.Labels, Platforms: image.Platforms}
	return index, manifest
}

func TestAPlatformsManifestLeadsToItsIndex(t *testing.T) {
	a := newAnnals()
	index, manifest := multiPlatform(a, "one", "latest")
	a.rolled(annalsService, index, statusSuccessful) // ECS names the index here, and the manifest in tasks
	a.runs(annalsService, manifest, "t1")
	i := a.inspector()
	for range 3 {
		h, err := i.History(t.Context(), annalsTarget(), HistoryOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if e := h.Deployments[0]; e.Digest != index || e.Running != 1 || !slices.Equal(e.Tags, []string{"latest"}) {
			t.Fatalf("entry = %+v, want the index with its tag and its task", e)
		}
		s, err := i.Status(t.Context(), annalsTarget())
		if err != nil {
			t.Fatal(err)
		}
		if one := s.Services[0]; one.Digests[index] != 1 || len(one.Drift) > 0 {
			t.Fatalf("status = %+v, want the index and no drift", one)
		}
	}
	if a.calls["List"] != 1 {
		t.Errorf("the repository was listed %d times, want once: which index lists a manifest never changes", a.calls["List"])
	}
}

// TestHistoryOfAHundredDeployments counts what a long history asks for: it must not grow with its length.
func TestHistoryOfAHundredDeployments(t *testing.T) {
	a := newAnnals()
	for n := range 100 {
		name := fmt.Sprint("release ", n)
		status := statusSuccessful
		if n%3 == 1 {
			status = statusRollbackSuccessful
		}
		a.rolled(annalsService, a.push(name, false, "git-"+shaNamed(name)), status)
	}
	a.runs(annalsService, digestNamed("release 99"), "t1", "t2")
	if h := historyOf(t, a, HistoryOptions{}); len(h.Deployments) != 100 || h.Deployments[0].Running != 2 {
		t.Fatalf("%d deployments, newest %+v", len(h.Deployments), h.Deployments[0])
	}
	t.Logf("asked for 100 deployments: %v", a.calls)
	for call, most := range map[string]int{"Past": 1, "Tasks": 1, "Images": 1, "WayBack": 1, "Known": 1, "Image": 0, "List": 0, "Service": 0} {
		if a.calls[call] != most {
			t.Errorf("%s was called %d times, want %d", call, a.calls[call], most)
		}
	}
}

func TestInspectorTellsWhatFailed(t *testing.T) {
	broken := errors.New("broken")
	for call, words := range map[string]string{"Past": "history of web", "Tasks": "tasks of web", "Images": "", "WayBack": "look up rollbacks", "Known": "in git"} {
		a := threeReleases(t)
		a.failing[call] = broken
		_, err := a.inspector().History(t.Context(), annalsTarget(), HistoryOptions{})
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s failed: %v, want it to say %q", call, err, words)
		}
	}
}

func TestSideBySideEndsTheOthers(t *testing.T) {
	broken := errors.New("broken")
	err := sideBySide(t.Context(), 100, func(ctx context.Context, n int) error {
		if n == 0 {
			return broken
		}
		if n < abreast {
			<-ctx.Done() // those that had begun hear of it
		}
		return nil
	})
	if !errors.Is(err, broken) {
		t.Errorf("err = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := sideBySide(ctx, 3, func(context.Context, int) error { t.Error("it was done"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v, want the interrupt", err)
	}
}
