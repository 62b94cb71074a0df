package release

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func lookAt(t *testing.T, a *annals, target Target) Status {
	t.Helper()
	s, err := a.inspector().Status(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatusOfWhatIsWell(t *testing.T) {
	a := threeReleases(t)
	s := lookAt(t, a, annalsTarget(annalsService, "unborn"))
	one := s.Services[0]
	if s.Tagged != digestNamed("two") || s.Commit != shaNamed("two") || one.Commit != shaNamed("two") || one.Digests[digestNamed("two")] != 2 {
		t.Errorf("status = %+v", s)
	}
	if len(one.Runs) != 1 || one.Runs[0].Subject != "Subject of two" || one.Runs[0].Tasks != 2 || !slices.Contains(one.Runs[0].Tags, "latest") {
		t.Errorf("runs = %+v", one.Runs)
	}
	if len(one.Drift) > 0 || len(s.Drift) > 0 || one.InFlight || s.InFlight() {
		t.Errorf("drift = %+v, %+v; in flight %v", one.Drift, s.Drift, one.InFlight)
	}
	if one.Rollout == nil || one.Rollout.State != StateRolledBack || one.Rollout.Digest != digestNamed("three") || one.Rollout.Reason == "" {
		t.Errorf("newest rollout = %+v, want the one that was rolled back", one.Rollout)
	}
	if !s.Services[1].Missing || !s.Drifted() {
		t.Errorf("the service that does not exist: %+v", s.Services[1])
	}
	if s.Services = s.Services[:1]; s.Drifted() {
		t.Error("a target whose services are all well has drifted")
	}
}

func TestStatusInFlight(t *testing.T) {
	a := threeReleases(t)
	a.rolled(annalsService, digestNamed("three"), statusInProgress, func(p *PastRollout) { p.Finished = time.Time{} })
	a.seen = Observation{Desired: 2, Running: 1, Pending: 1, Failed: 3, Stage: "SCALE_UP"}
	a.tasks[annalsService] = append(a.tasks[annalsService], a.task(annalsService, "t3", digestNamed("three"), dawn.Add(9*time.Hour)))
	s := lookAt(t, a, annalsTarget())
	one := s.Services[0]
	if !one.InFlight || !s.InFlight() || len(one.Drift) > 0 {
		t.Errorf("in flight %v, drift %+v: nothing has to fit while a rollout is on its way", one.InFlight, one.Drift)
	}
	want := RolloutStatus{
		Deployment: a.past[annalsService][0].Deployment, State: StateInFlight, Status: statusInProgress, Stage: "SCALE_UP",
		Digest: digestNamed("three"), Commit: shaNamed("three"), Started: a.past[annalsService][0].Started, Desired: 2, Running: 1, Pending: 1, Failed: 3,
	}
	if *one.Rollout != want {
		t.Errorf("rollout = %+v, want %+v", *one.Rollout, want)
	}
}

// TestStatusBelievesTheLaterLook: the deployment ended, or began, after the service was looked at.
func TestStatusBelievesTheLaterLook(t *testing.T) {
	for _, status := range []string{statusSuccessful, statusInProgress} {
		a := newAnnals()
		a.rolled(annalsService, a.push("one", false, "latest"), status)
		s := a.services[annalsService]
		s.DeploymentInFlight = status == statusSuccessful // what was true a moment before
		a.services[annalsService] = s
		if got := lookAt(t, a, annalsTarget()).InFlight(); got != (status == statusInProgress) {
			t.Errorf("%s: in flight %v", status, got)
		}
	}
}

// drifting makes one thing not fit, in a service that was well.
type drifting struct {
	change func(t *testing.T, a *annals, target *Target)
	kinds  []DriftKind
	says   string
}

func driftCases() map[string]drifting {
	two := digestNamed("two")
	return map[string]drifting{
		"nothing": {func(*testing.T, *annals, *Target) {}, nil, ""},
		"the tag was moved by hand": {func(_ *testing.T, a *annals, _ *Target) {
			a.push("two", false, "git-"+shaNamed("two"))
			a.push("one", false, "latest")
		}, []DriftKind{DriftTag}, ":latest names " + digestNamed("one").Short() + ", but " + two.Short() + " runs"},
		"the tag is gone": {func(_ *testing.T, a *annals, _ *Target) { a.push("two", false) }, []DriftKind{DriftTag}, ":latest names nothing"},
		"one task runs another image": {func(_ *testing.T, a *annals, _ *Target) {
			a.tasks[annalsService][1].Containers[0].Digest = digestNamed("one")
		}, []DriftKind{DriftMixed, DriftTask}, "1 × "},
		"all tasks run another image": {func(_ *testing.T, a *annals, _ *Target) {
			for n := range a.tasks[annalsService] {
				a.tasks[annalsService][n].Containers[0].Digest = digestNamed("one")
			}
		}, []DriftKind{DriftTag, DriftTask, DriftTask}, "task " + taskID("t1")[:8] + " runs"},
		"the image is gone": {func(_ *testing.T, a *annals, _ *Target) { delete(a.images, two) }, []DriftKind{DriftTag, DriftGone}, "no longer has " + two.Short()},
		"a task is missing": {func(_ *testing.T, a *annals, _ *Target) {
			last := &a.tasks[annalsService][1]
			last.LastStatus, last.DesiredStatus, last.StoppedReason, last.Stopped = "STOPPED", "STOPPED", "OutOfMemoryError: killed", dawn.Add(5*time.Hour)
		}, []DriftKind{DriftCount}, "1 of 2 tasks run, and nothing is being deployed; task " + taskID("t2")[:8] + " was the last to stop: OutOfMemoryError: killed"},
		"a task too many": {func(_ *testing.T, a *annals, _ *Target) {
			a.tasks[annalsService] = append(a.tasks[annalsService], a.task(annalsService, "t3", two, dawn.Add(9*time.Hour)))
		}, []DriftKind{DriftCount}, "3 of 2 tasks run"},
		"another repository": {func(_ *testing.T, a *annals, _ *Target) {
			for n := range a.tasks[annalsService] {
				a.tasks[annalsService][n].Containers[0].Image = "nginx:latest"
			}
		}, []DriftKind{DriftRepository}, "none of their containers comes from repository medusa"},
		"a task definition by hand": {func(_ *testing.T, a *annals, _ *Target) {
			a.rolled(annalsService, two, statusSuccessful, func(p *PastRollout) { p.TaskDefinition = definitionARN(2) })
		}, []DriftKind{DriftDefinition}, "went from medusa:1 to medusa:2 while the image stayed"},
		"a task definition with a release": {func(_ *testing.T, a *annals, _ *Target) {
			three := a.push("three", false, "latest")
			a.push("two", false)
			a.rolled(annalsService, three, statusSuccessful, func(p *PastRollout) { p.TaskDefinition = definitionARN(2) })
			a.tasks[annalsService] = []Task{a.task(annalsService, "t5", three, dawn.Add(9*time.Hour)), a.task(annalsService, "t6", three, dawn.Add(9*time.Hour))}
		}, nil, ""},
		"a task definition that was deployed and is not what the service has": {func(_ *testing.T, a *annals, _ *Target) {
			a.rolled(annalsService, two, statusSuccessful)
			s := a.services[annalsService]
			s.TaskDefinition.ARN = definitionARN(3)
			a.services[annalsService] = s
		}, []DriftKind{DriftDefinition}, "its task definition is medusa:3, but its newest deployment brought medusa:1"},
		"it differs from its files": {func(_ *testing.T, a *annals, target *Target) {
			target.Definitions = annalsFiles()
			a.differences = []Difference{{Path: "cpu", From: "256", To: "512"}, {Path: "a"}, {Path: "b"}, {Path: "c"}}
		}, []DriftKind{DriftFiles}, "differs from its files in 4 places: cpu, a, b and 1 more"},
		"applied by hand from the files": {func(_ *testing.T, a *annals, target *Target) {
			target.Definitions = annalsFiles()
			a.rolled(annalsService, two, statusSuccessful, func(p *PastRollout) { p.TaskDefinition = definitionARN(2) })
		}, nil, ""},
		"pinned, and a tag in the definition": {func(_ *testing.T, _ *annals, target *Target) { target.Strategy = StrategyPinned }, []DriftKind{DriftUnpinned}, "names " + annalsHost + ":latest"},
		"pinned": {func(_ *testing.T, a *annals, target *Target) {
			target.Strategy = StrategyPinned
			for n := range a.past[annalsService] {
				a.past[annalsService][n].Refs["medusa"] = annalsHost + "@" + string(two)
			}
		}, nil, ""},
		"a rollout that failed": {func(_ *testing.T, a *annals, _ *Target) {
			a.rolled(annalsService, digestNamed("three"), statusStopped, func(p *PastRollout) { p.StatusReason = "tasks failed to start." })
		}, []DriftKind{DriftRolloutStopped}, "its newest deployment was stopped (tasks failed to start)"},
		"a way back that failed": {func(_ *testing.T, a *annals, _ *Target) {
			a.rolled(annalsService, digestNamed("three"), statusRollbackFailed)
		}, []DriftKind{DriftRolloutStopped}, "could not be rolled back"},
		"no service deployments at all": {func(_ *testing.T, a *annals, _ *Target) { a.past[annalsService] = nil }, nil, ""},
	}
}

func annalsFiles() map[string]Definition {
	return map[string]Definition{annalsService: {TaskDefinitionPath: "ecs/task-definition.json", TaskDefinition: []byte("{}"), ServicePath: "ecs/service.json"}}
}

func TestDrift(t *testing.T) {
	for name, tt := range driftCases() {
		t.Run(name, func(t *testing.T) {
			a, target := threeReleases(t), annalsTarget()
			tt.change(t, a, &target)
			s := lookAt(t, a, target)
			var kinds []DriftKind
			var text strings.Builder
			for _, d := range s.Services[0].Drift {
				kinds = append(kinds, d.Kind)
				text.WriteString(d.Text + "\n")
				if d.Cure == "" {
					t.Errorf("%s has no cure", d.Kind)
				}
			}
			if !slices.Equal(kinds, tt.kinds) || !strings.Contains(text.String(), tt.says) {
				t.Errorf("drift = %v, want %v with %q:\n%s", kinds, tt.kinds, tt.says, &text)
			}
			if s.Drifted() != (len(tt.kinds) > 0) {
				t.Errorf("drifted = %v", s.Drifted())
			}
		})
	}
}

func TestEveryKindOfDriftIsTested(t *testing.T) {
	all := []DriftKind{DriftTag, DriftMixed, DriftTask, DriftGone, DriftCount, DriftDefinition, DriftFiles, DriftUnpinned, DriftRepository, DriftRolloutStopped}
	for _, kind := range all {
		tested := false
		for _, c := range driftCases() {
			tested = tested || slices.Contains(c.kinds, kind)
		}
		if !tested {
			t.Errorf("no case makes %s", kind)
		}
	}
}

func TestServicesOnDifferentImages(t *testing.T) {
	a := threeReleases(t)
	a.rolled("worker", digestNamed("one"), statusSuccessful)
	a.runs("worker", digestNamed("one"), "w1")
	s := lookAt(t, a, annalsTarget(annalsService, "worker"))
	if len(s.Drift) != 1 || s.Drift[0].Kind != DriftServices || !strings.Contains(s.Drift[0].Text, "web "+digestNamed("two").Short()+"; worker "+digestNamed("one").Short()) {
		t.Errorf("drift = %+v", s.Drift)
	}
	a.rolled("worker", digestNamed("two"), statusInProgress)
	if s = lookAt(t, a, annalsTarget(annalsService, "worker")); len(s.Drift) > 0 {
		t.Errorf("drift = %+v while one of them is being deployed", s.Drift)
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	a, target := threeReleases(t), annalsTarget()
	target.Definitions = annalsFiles()
	a.comparing = errors.New("not available in this version")
	i := a.inspector()
	for range 2 {
		s, err := i.Status(t.Context(), target)
		if err != nil {
			t.Fatal(err)
		}
		want := "could not compare it with ecs/task-definition.json and ecs/service.json: not available in this version"
		if one := s.Services[0]; len(one.Drift) > 0 || !slices.Equal(one.Unchecked, []string{want}) || s.Drifted() {
			t.Fatalf("drift %v, unchecked %v", one.Drift, one.Unchecked)
		}
	}
	if a.calls["Compare"] != 2 {
		t.Errorf("compared %d times: what failed may work the next time", a.calls["Compare"])
	}
	a.comparing = nil
	for range 3 {
		if _, err := i.Status(t.Context(), target); err != nil {
			t.Fatal(err)
		}
	}
	if a.calls["Compare"] != 3 {
		t.Errorf("compared %d times, want once more: nothing but a deployment changes what is compared", a.calls["Compare"])
	}
}

// TestStatusOfAServiceThatSomethingElseDeploys: ECS has no service deployments of it, and is not asked for any.
func TestStatusOfAServiceThatSomethingElseDeploys(t *testing.T) {
	a := threeReleases(t)
	s := a.services[annalsService]
	s.Controller = "CODE_DEPLOY"
	a.services[annalsService] = s
	one := lookAt(t, a, annalsTarget()).Services[0]
	if one.Digests[digestNamed("two")] != 2 || one.Rollout != nil || len(one.Drift) > 0 || a.calls["Past"] > 0 {
		t.Errorf("status = %+v, %d calls of Past", one, a.calls["Past"])
	}
	if len(one.Unchecked) != 1 || !strings.Contains(one.Unchecked[0], "CODE_DEPLOY makes them") {
		t.Errorf("unchecked = %v", one.Unchecked)
	}
}

func TestStatusTellsWhatFailed(t *testing.T) {
	broken := errors.New("broken")
	for call, words := range map[string]string{
		"Image": "look up :latest", "Service": "service web", "Past": "history of web", "Tasks": "tasks of web", "Observe": "rollout of web", "Known": "in git", "Images": "",
	} {
		a := threeReleases(t)
		a.rolled(annalsService, digestNamed("three"), statusInProgress)
		a.failing[call] = broken
		_, err := a.inspector().Status(t.Context(), annalsTarget())
		if !errors.Is(err, broken) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s failed: %v, want it to say %q", call, err, words)
		}
	}
}

func TestNextChanges(t *testing.T) {
	a := threeReleases(t)
	a.head = Commit{SHA: shaNamed("four"), Branch: "main"}
	a.between = Changes{Relation: RelationAhead, Count: 1, Commits: []Commit{a.head}, Lost: []Commit{}}
	i := a.inspector()
	s := lookAt(t, a, annalsTarget())
	next, err := i.NextChanges(t.Context(), annalsTarget(), s)
	if err != nil || next == nil || next.From != shaNamed("two") || next.To.Branch != "main" || next.Relation != RelationAhead {
		t.Fatalf("next = %+v, %v", next, err)
	}
	a.headMissing = true
	if next, err = i.NextChanges(t.Context(), annalsTarget(), s); next != nil || err != nil {
		t.Errorf("without a repository: %+v, %v", next, err)
	}
	i.Commits = nil
	if next, err = i.NextChanges(t.Context(), annalsTarget(), s); next != nil || err != nil {
		t.Errorf("without git: %+v, %v", next, err)
	}
}

func TestMostRun(t *testing.T) {
	s := Status{Services: []ServiceStatus{
		{Runs: []Running{{Digest: "a", Tasks: 2, Commit: "ca"}, {Digest: "b", Tasks: 1, Commit: "cb"}}},
		{Runs: []Running{{Digest: "b", Tasks: 2, Commit: "cb"}}},
	}}
	if got := s.mostRun(); got.Digest != "b" || got.Labels[LabelRevision] != "cb" {
		t.Errorf("most run %+v, want b with 3 tasks", got)
	}
	if got := (Status{}).mostRun(); got.Digest != "" {
		t.Errorf("nothing runs, got %+v", got)
	}
}

func TestChangesTo(t *testing.T) {
	a := newAnnals()
	a.between = Changes{Relation: RelationSame}
	head := Commit{SHA: shaNamed("head"), Branch: "main"}
	tests := map[string]struct {
		runs     Image
		relation Relation
		dirty    bool
	}{
		"nothing runs":     {Image{}, RelationFirst, false},
		"no label":         {Image{Digest: digestNamed("x")}, RelationUnknown, false},
		"a foreign label":  {Image{Digest: digestNamed("x"), Labels: map[string]string{LabelRevision: "v1.2"}}, RelationUnknown, false},
		"a commit":         {Image{Digest: digestNamed("x"), Labels: map[string]string{LabelRevision: shaNamed("x")}}, RelationSame, false},
		"a dirty one":      {Image{Digest: digestNamed("x"), Labels: map[string]string{LabelRevision: shaNamed("x") + "-dirty"}}, RelationSame, true},
		"an abbreviated":   {Image{Digest: digestNamed("x"), Labels: map[string]string{LabelRevision: shaNamed("x")[:7]}}, RelationSame, false},
		"too short for it": {Image{Digest: digestNamed("x"), Labels: map[string]string{LabelRevision: "abc123"}}, RelationUnknown, false},
	}
	for name, tt := range tests {
		got, err := ChangesTo(t.Context(), a, tt.runs, head)
		if err != nil || got.Relation != tt.relation || got.FromDirty != tt.dirty || got.To != head {
			t.Errorf("%s: %+v, %v, want %s", name, got, err, tt.relation)
		}
		if got.Relation == RelationUnknown && (got.Reason == "" || got.Cure == "") {
			t.Errorf("%s: unknown without a reason and a cure: %+v", name, got)
		}
	}
	a.failing["Between"] = errors.New("broken")
	if _, err := ChangesTo(t.Context(), a, tests["a commit"].runs, head); err == nil {
		t.Error("what git could not tell is no error")
	}
}

func TestChangesSummary(t *testing.T) {
	from, to := shaNamed("from"), Commit{SHA: shaNamed("to"), Branch: "main"}
	dirty := to
	dirty.Dirty = true
	head := "main (" + to.Short() + ")"
	tests := []struct {
		c    Changes
		want string
	}{
		{Changes{Relation: RelationSame, To: to}, "nothing: " + head + " is what runs"},
		{Changes{Relation: RelationSame, To: dirty}, "no commits, with uncommitted changes on top"},
		{Changes{Relation: RelationSame, To: to, FromDirty: true}, "no commits; what runs has uncommitted changes of its own on top of " + from[:12]},
		{Changes{Relation: RelationAhead, To: to, Count: 3}, "3 commits"},
		{Changes{Relation: RelationAhead, To: dirty, Count: 1}, "1 commit, with uncommitted changes on top"},
		{Changes{Relation: RelationBehind, To: to, TakenBack: 2}, head + " does not contain what runs (" + from[:12] + "): shipping it would take back 2 commits"},
		{Changes{Relation: RelationDiverged, To: to, TakenBack: 1, Count: 4}, head + " does not contain what runs (" + from[:12] + "): shipping it would take back 1 commit and bring 4 commits"},
		{Changes{Relation: RelationUnrelated, To: to}, head + " and what runs (" + from[:12] + ") have no commit in common"},
		{Changes{Relation: RelationFirst, To: dirty}, head + " would be the first to run, with uncommitted changes on top"},
		{Changes{Relation: RelationUnknown, To: Commit{SHA: to.SHA}, Reason: "why"}, "cannot tell what " + to.Short() + " would change: why"},
	}
	for _, tt := range tests {
		tt.c.From = from
		if got := tt.c.Summary(); got != tt.want {
			t.Errorf("summary = %q, want %q", got, tt.want)
		}
		if tt.c.Backwards() != strings.Contains(tt.want, "take back") {
			t.Errorf("%q: backwards = %v", tt.want, tt.c.Backwards())
		}
	}
}

func FuzzParseRevision(f *testing.F) {
	for _, seed := range []string{"", shaNamed("x"), shaNamed("x") + "-dirty", "abc1234", "v1", "-dirty"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, label string) {
		sha, dirty, ok := ParseRevision(label)
		back := sha
		if dirty {
			back += "-dirty"
		}
		if ok && back != label || !ok && (sha != "" || dirty) {
			t.Errorf("ParseRevision(%q) = %q, %v, %v", label, sha, dirty, ok)
		}
	})
}

// moving is a registry whose tag moves between two questions, a number of times.
type moving struct {
	*annals
	left int
}

func (m *moving) Images(ctx context.Context, repository string, digests []Digest) (map[Digest]Image, error) {
	if m.left > 0 {
		m.left--
		from, to := "one", "two"
		if slices.Contains(m.images[digestNamed("two")].Tags, "latest") {
			from, to = to, from
		}
		m.push(from, false, "git-"+shaNamed(from)) // without any tag it would be searched for among indexes
		m.push(to, false, "latest")
	}
	return m.annals.Images(ctx, repository, digests)
}

// TestStatusWhileTheTagMoves: what the tag names and what the images' tags are is of one moment, unless no moment lasts.
func TestStatusWhileTheTagMoves(t *testing.T) {
	for moves, want := range map[int]struct {
		tagged  string
		drifted bool
		looks   int
	}{1: {"one", true, 2}, 2: {"two", false, 3}, 100: {"two", false, looksAtOnce}} {
		a := threeReleases(t)
		i := a.inspector()
		i.Registry = &moving{annals: a, left: moves}
		s, err := i.Status(t.Context(), annalsTarget())
		if err != nil || s.Tagged != digestNamed(want.tagged) || s.Drifted() != want.drifted || a.calls["Image"] != want.looks {
			t.Errorf("moved %d times: %v names %s, drift %+v, after %d looks; want %+v", moves, err, s.Tagged, s.Services[0].Drift, a.calls["Image"], want)
		}
	}
}
