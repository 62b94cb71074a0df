package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func hashed(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

func digestOf(name string) release.Digest { return release.Digest("sha256:" + hashed(name)) }
func shaOf(name string) string            { return hashed("commit " + name)[:40] }

func arnOf(kind, service, id string) string {
	return "arn:aws:ecs:eu-west-1:123456789012:" + kind + "/shop/" + service + "/" + id
}

const definition = "arn:aws:ecs:eu-west-1:123456789012:task-definition/medusa:12"

// sampleHistory has a row of every state.
func sampleHistory() release.History {
	h := release.History{Target: "production", Cluster: "shop", Repository: "medusa", Missing: []string{"medusa-unborn"}, More: 12, Deployments: []release.HistoryEntry{}}
	add := func(service string, state release.State, status, name string, change func(*release.HistoryEntry)) {
		n := len(h.Deployments)
		e := release.HistoryEntry{
			Service: service, Deployment: arnOf("service-deployment", service, fmt.Sprintf("NCWGC2ZR-taawPAYr%03d", n)), Revision: arnOf("service-revision", service, fmt.Sprintf("49803064663735%05d", n)),
			TaskDefinition: definition, State: state, Status: status, Started: noon.Add(-time.Duration(n) * time.Hour), Finished: noon.Add(-time.Duration(n)*time.Hour + time.Minute),
			Digest: digestOf(name), Commit: shaOf(name), Subject: "Subject of commit " + name, Tags: []string{"git-" + shaOf(name)},
		}
		if change != nil {
			change(&e)
		}
		h.Deployments = append(h.Deployments, e)
	}
	add("medusa-service", release.StateInFlight, "IN_PROGRESS", "seven", func(e *release.HistoryEntry) { e.Running, e.Finished = 1, time.Time{} })
	add("medusa-service", release.StateRuns, "SUCCESSFUL", "six", func(e *release.HistoryEntry) {
		e.Running, e.Again, e.Tags = 2, true, []string{"latest", "git-" + shaOf("six"), "v1.4.0"}
	})
	add("medusa-worker", release.StateRuns, "SUCCESSFUL", "six", func(e *release.HistoryEntry) { e.Running = 1 })
	add("medusa-service", release.StateRolledBack, "ROLLBACK_SUCCESSFUL", "five", func(e *release.HistoryEntry) {
		e.Reason = "ECS deployment circuit breaker: tasks failed to start."
		e.WentBack = &release.WentBack{Revision: arnOf("service-revision", "medusa-service", "1"), Deployment: arnOf("service-deployment", "medusa-service", "x"), Digest: digestOf("six"), Commit: shaOf("six")}
	})
	add("medusa-service", release.StateRollingBack, "ROLLBACK_IN_PROGRESS", "five", func(e *release.HistoryEntry) {
		e.WentBack = &release.WentBack{Revision: arnOf("service-revision", "medusa-service", "4980306466373577095")}
	})
	add("medusa-worker", release.StateSuperseded, "STOPPED", "four", func(e *release.HistoryEntry) { e.Commit += "-dirty"; e.Tags = nil })
	add("medusa-service", release.StateStopped, "STOPPED", "three", func(e *release.HistoryEntry) { e.Subject = "größer: 世界 界 界 界" })
	add("medusa-service", release.StateRollbackFailed, "ROLLBACK_FAILED", "three", func(e *release.HistoryEntry) { e.Commit, e.Subject = "v3-of-another-tool", "" })
	add("medusa-service", release.StateReplaced, "SUCCESSFUL", "two", func(e *release.HistoryEntry) { e.Gone, e.Commit, e.Subject, e.Tags = true, "", "", nil })
	add("medusa-service", release.StateUnknown, "PONDERING", "one", func(e *release.HistoryEntry) { e.Digest, e.Commit, e.Subject, e.Tags = "", "", "", nil })
	return h
}

func sampleChanges() *release.Changes {
	c := &release.Changes{
		From: shaOf("six"), To: release.Commit{SHA: shaOf("head"), Branch: "main", Time: noon}, Relation: release.RelationDiverged, Count: 14, TakenBack: 1,
		Commits: []release.Commit{}, Lost: []release.Commit{{SHA: shaOf("lost"), Subject: "Mend the cart", Author: "Grace", Time: noon}},
	}
	for n := range 14 {
		c.Commits = append(c.Commits, release.Commit{SHA: shaOf(fmt.Sprint("next ", n)), Subject: fmt.Sprint("Add gift card ", n), Author: "Ada", Time: noon})
	}
	return c
}

// sampleStatus has a service that is well, one in flight, one with every trouble, and one that does not exist.
func sampleStatus() release.Status {
	six, seven := digestOf("six"), digestOf("seven")
	return release.Status{
		Target: "production", Cluster: "shop", Repository: "medusa", Tag: "latest", Tagged: six, Commit: shaOf("six"), Next: sampleChanges(),
		Drift: []release.Drift{{Kind: release.DriftServices, Text: "the services run different images: a x; b y", Cure: "bring one to all of them"}},
		Services: []release.ServiceStatus{
			{
				Name: "medusa-service", Status: "ACTIVE", Desired: 2, Running: 2, TaskDefinition: definition, Deployment: arnOf("service-deployment", "medusa-service", "a"),
				Digests: map[release.Digest]int{six: 2}, Commit: shaOf("six"), URL: "http://127.0.0.1:8080",
				Runs:    []release.Running{{Digest: six, Tasks: 2, Commit: shaOf("six"), Subject: "Subject of commit six", Tags: []string{"latest"}}},
				Rollout: &release.RolloutStatus{Deployment: arnOf("service-deployment", "medusa-service", "a"), State: release.StateRuns, Status: "SUCCESSFUL", Digest: six, Commit: shaOf("six"), Started: noon, Finished: noon},
			},
			{
				Name: "medusa-worker", Status: "ACTIVE", Desired: 2, Running: 3, Pending: 1, TaskDefinition: definition, Deployment: arnOf("service-deployment", "medusa-worker", "b"), InFlight: true,
				Digests: map[release.Digest]int{six: 2, seven: 1}, Commit: shaOf("six"),
				Runs:    []release.Running{{Digest: six, Tasks: 2, Commit: shaOf("six")}, {Digest: seven, Tasks: 1, Commit: shaOf("seven") + "-dirty"}},
				Rollout: &release.RolloutStatus{Deployment: arnOf("service-deployment", "medusa-worker", "b"), State: release.StateInFlight, Status: "IN_PROGRESS", Stage: "SCALE_UP", Digest: seven, Commit: shaOf("seven"), Started: noon, Desired: 2, Running: 1, Pending: 1, Failed: 3},
			},
			{
				Name: "medusa-admin", Status: "ACTIVE", Desired: 1, Running: 1, TaskDefinition: definition, Digests: map[release.Digest]int{digestOf("gone"): 1},
				Runs: []release.Running{{Digest: digestOf("gone"), Tasks: 1, Gone: true}},
				Rollout: &release.RolloutStatus{Deployment: arnOf("service-deployment", "medusa-admin", "c"), State: release.StateRolledBack, Status: "ROLLBACK_SUCCESSFUL", Digest: seven, Started: noon, Finished: noon.Add(time.Minute),
					Reason: "ECS deployment circuit breaker: tasks failed to start."},
				Drift: []release.Drift{
					{Kind: release.DriftTag, Text: ":latest names " + six.Short() + ", but " + digestOf("gone").Short() + " runs", Cure: "keep what runs: …"},
					{Kind: release.DriftFiles, Text: "it differs from its files in 12 places: cpu and more", Differences: manyDifferences(12)},
				},
				Unchecked: []string{"could not compare it with ecs/task-definition.json: denied"},
			},
			{Name: "medusa-unborn", Missing: true, Digests: map[release.Digest]int{}, Runs: []release.Running{}},
		},
	}
}

func manyDifferences(n int) []release.Difference {
	all := []release.Difference{{Where: "task definition medusa", Path: "cpu", From: `"256"`, To: `"512"`}, {Where: "task definition medusa", Path: "containerDefinitions[medusa].environment[NEW]", To: `"1"`}}
	for len(all) < n {
		all = append(all, release.Difference{Where: "service medusa-admin", Path: fmt.Sprint("setting", len(all)), From: "true"})
	}
	return all
}

func sampleTrace() release.Trace {
	six := digestOf("six")
	return release.Trace{
		Ref: "main", Kinds: []release.RefKind{release.RefCommit, release.RefTag}, Name: shaOf("six")[:12], Commit: shaOf("six"),
		Source: &release.Commit{SHA: shaOf("six"), Subject: "Subject of commit six", Author: "Ada", Time: noon},
		Image: release.Image{
			Repository: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/medusa", Digest: six, Manifests: []release.Digest{digestOf("amd64"), digestOf("arm64")},
			Tags: []string{"git-" + shaOf("six"), "latest", "v1.4.0"}, Platforms: []string{"linux/amd64", "linux/arm64"}, PushedAt: noon, SizeBytes: 123_456_789,
			Labels: map[string]string{release.LabelRevision: shaOf("six")},
		},
		Deployments: sampleHistory().Deployments[1:3], Definitions: []string{definition},
		Tasks: []release.TraceTask{
			{Service: "medusa-service", ID: hashed("t1")[:32], Definition: definition, Status: "RUNNING", Health: "HEALTHY", Started: noon},
			{ID: hashed("t2")[:32], Definition: definition, Status: "PENDING", Health: "UNKNOWN"},
			{Service: "medusa-service", ID: hashed("t3")[:32], Definition: definition, Status: "STOPPED", Started: noon, Stopped: noon.Add(time.Hour), StopCode: "EssentialContainerExited", Reason: "Essential container in task exited"},
		},
		Attestations: []release.Attestation{
			{Kind: release.AttestationProvenance, Digest: digestOf("provenance"), Subject: six, Predicate: "https://slsa.dev/provenance/v1", Created: noon},
			{Kind: release.AttestationSignature, Digest: digestOf("signature"), Subject: six, Predicate: "https://sigstore.dev/cosign/sign/v1", Signer: "key sha256:17722fb9ff65", Created: noon},
			{Kind: release.AttestationOther, Digest: digestOf("chart"), Subject: six, ArtifactType: "application/vnd.cncf.helm.config.v1+json"},
			{Kind: release.AttestationUnreadable, Subject: six, Problem: "it is no Sigstore bundle"},
		},
		Also:  []release.Sibling{{Digest: digestOf("six and more"), Tags: []string{"git-" + shaOf("six") + "-dirty-1234abcd"}, Dirty: true}, {Digest: digestOf("six again")}},
		Notes: []string{"main is also something else"},
	}
}

func goneTrace() release.Trace {
	return release.Trace{
		Ref: "sha256:" + hashed("gone")[:12], Kinds: []release.RefKind{release.RefDigest}, Name: string(digestOf("gone")), Gone: true,
		Image: release.Image{Repository: "medusa", Digest: digestOf("gone")}, Deployments: []release.HistoryEntry{}, Definitions: []string{}, Tasks: []release.TraceTask{},
	}
}

func TestFoundGolden(t *testing.T) {
	empty := release.History{Target: "local", Cluster: "c", Repository: "r", Deployments: []release.HistoryEntry{}}
	own := sampleHistory()
	own.Deployments, own.Missing, own.More = own.Deployments[1:2], nil, 0
	unlabelled, unpushed := sampleTrace(), sampleStatus()
	unlabelled.Commit, unlabelled.Source, unlabelled.Image.Tags, unlabelled.Deployments = "", nil, nil, nil
	unpushed.Services, unpushed.Drift, unpushed.Tagged, unpushed.Next = unpushed.Services[3:], nil, "", &release.Changes{To: release.Commit{SHA: shaOf("x")}, Relation: release.RelationUnknown, Reason: "why", Cure: "git fetch"}
	for name, write := range map[string]func(Page) error{
		"history":          func(p Page) error { return History(p, sampleHistory()) },
		"history-service":  func(p Page) error { return History(p, own) },
		"history-empty":    func(p Page) error { return History(p, empty) },
		"status":           func(p Page) error { return Status(p, sampleStatus()) },
		"status-unborn":    func(p Page) error { return Status(p, unpushed) },
		"trace":            func(p Page) error { return Trace(p, sampleTrace()) },
		"trace-gone":       func(p Page) error { return Trace(p, goneTrace()) },
		"trace-unlabelled": func(p Page) error { return Trace(p, unlabelled) },
	} {
		for face, page := range map[string]Page{
			"plain": {Kind: Plain}, "80": {Kind: Terminal, Width: 80}, "120": {Kind: Terminal, Width: 120}, "color": {Kind: Terminal, Color: true, Verbose: true, Width: 160}, "github": {Kind: GitHub},
		} {
			t.Run(name+"/"+face, func(t *testing.T) {
				var out bytes.Buffer
				page.Out, page.Location = &out, time.UTC
				if err := write(page); err != nil {
					t.Fatal(err)
				}
				golden(t, filepath.Join("testdata", "found", name+"."+face), out.String())
			})
		}
	}
}

func TestHistoryFitsEveryTerminal(t *testing.T) {
	for width := 1; width < 200; width++ {
		var out bytes.Buffer
		if err := History(Page{Out: &out, Width: width, Location: time.UTC}, sampleHistory()); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
		for _, l := range lines[1 : len(lines)-1] { // the table, without what stands above and below
			if n := columnsIn(l); width >= 73 && n >= width {
				t.Errorf("at %d columns a line has %d: %q", width, n, l)
			}
		}
	}
}

func TestFoundTextIsHarmless(t *testing.T) {
	for _, text := range []string{"::add-path::/evil", "x ##[error]evil", "a\n::stop-commands::t", "\x1b[2J\x1b]0;title\x07", "\u202eevil", "\xff\xfe::x::", "\u00a0::set-env name=X::1"} {
		checkFoundHarmless(t, text)
	}
}

func FuzzFoundText(f *testing.F) {
	f.Add("::error file=a,line=1::b\n\x1b[31m##[group]")
	f.Fuzz(func(t *testing.T, text string) {
		if ours.MatchString(text) {
			t.Skip("what we write ourselves cannot be told from it here")
		}
		checkFoundHarmless(t, text)
	})
}

// checkFoundHarmless puts text wherever foreign text can come from: git, tags, ECS's reasons.
func checkFoundHarmless(t *testing.T, text string) {
	t.Helper()
	h, s, tr := sampleHistory(), sampleStatus(), sampleTrace()
	for n := range h.Deployments {
		e := &h.Deployments[n]
		e.Subject, e.Reason, e.Tags, e.Commit = text, text, []string{text}, text
	}
	for n := range s.Services {
		one := &s.Services[n]
		one.Name, one.URL, one.Unchecked = text, text, []string{text}
		for m := range one.Runs {
			one.Runs[m].Subject, one.Runs[m].Commit = text, text
		}
		for m := range one.Drift {
			one.Drift[m].Text, one.Drift[m].Cure = text, text
			for k := range one.Drift[m].Differences {
				one.Drift[m].Differences[k] = release.Difference{Where: text, Path: text, From: text, To: text}
			}
		}
		if one.Rollout != nil {
			one.Rollout.Reason, one.Rollout.Stage = text, text
		}
	}
	for n := range s.Next.Commits {
		s.Next.Commits[n].Subject, s.Next.Commits[n].Author = text, text
	}
	s.Next.Reason, s.Next.Cure, s.Next.To.Branch = text, text, text
	tr.Ref, tr.Name, tr.Notes, tr.Source.Subject, tr.Source.Author, tr.Image.Tags = text, text, []string{text}, text, text, []string{text}
	for n := range tr.Tasks {
		tr.Tasks[n].Reason, tr.Tasks[n].Service = text, text
	}
	for _, kind := range []Kind{Plain, GitHub, Terminal} {
		var out, trouble bytes.Buffer
		page := Page{Out: &out, Kind: kind, Location: time.UTC, Verbose: true}
		watch := NewWatch(Plain, WatchOptions{Page: page, Err: &trouble, Now: func() time.Time { return noon }})
		if err := errors.Join(History(page, h), Status(page, s), Trace(page, tr), watch.Show(s), watch.Trouble(errors.New(text))); err != nil {
			t.Fatal(err)
		}
		all := out.String() + trouble.String()
		if i := strings.IndexFunc(all, func(r rune) bool { return r != '\n' && unsafe(r) }); i >= 0 {
			t.Errorf("%s: %q lets a control character through: %q", kind, text, all[max(0, i-40):min(len(all), i+40)])
		}
		for l := range strings.Lines(out.String()) {
			if kind == GitHub && (strings.Contains(l, "##[") || strings.HasPrefix(strings.TrimLeftFunc(l, blank), "::") && !ours.MatchString(l)) {
				t.Errorf("%q gives a command: %q", text, l)
			}
		}
	}
}

// failing takes nothing.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errors.New("the pipe is closed") }

func TestFoundTellsWhatItCouldNotWrite(t *testing.T) {
	page := Page{Out: failing{}, Location: time.UTC}
	for name, err := range map[string]error{
		"history": History(page, sampleHistory()), "status": Status(page, sampleStatus()), "trace": Trace(page, sampleTrace()),
		"watch, plain": NewWatch(Plain, WatchOptions{Page: page}).Show(sampleStatus()), "watch, terminal": NewWatch(Terminal, WatchOptions{Page: page}).Show(sampleStatus()),
		"watch, JSON": NewWatch(JSON, WatchOptions{Page: page}).Show(sampleStatus()),
	} {
		if err == nil {
			t.Errorf("%s: a closed pipe is no error", name)
		}
	}
}

// settled is a status of one service.
func settled(n int, drift ...release.Drift) release.Status {
	s := sampleStatus()
	s.Services, s.Drift, s.Next = s.Services[:1], nil, nil
	s.Services[0].Running, s.Services[0].Drift = n, drift
	return s
}

func TestPlainWatchTellsWhatChanged(t *testing.T) {
	var out, trouble bytes.Buffer
	w := NewWatch(Plain, WatchOptions{Page: Page{Out: &out, Location: time.UTC}, Err: &trouble, Now: func() time.Time { return noon }})
	drift := release.Drift{Kind: release.DriftCount, Text: "1 of 2 tasks run"}
	flight := sampleStatus()
	flight.Services, flight.Next = append(flight.Services[1:2], flight.Services[3]), nil
	for _, err := range []error{
		w.Show(settled(2)), w.Show(settled(2)), w.Trouble(errors.New("throttled")), w.Trouble(errors.New("throttled")), w.Show(settled(1, drift)),
		w.Trouble(errors.New("throttled")), w.Show(settled(2)), w.Show(flight),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	golden(t, filepath.Join("testdata", "found", "watch.plain"), out.String())
	if want := strings.Repeat("could not look, and will again: throttled\n", 2); trouble.String() != want {
		t.Errorf("trouble = %q, want it once for each time that it began", trouble.String())
	}
}

func TestJSONWatchHasAStatusALine(t *testing.T) {
	var out, trouble bytes.Buffer
	w := NewWatch(JSON, WatchOptions{Page: Page{Out: &out}, Err: &trouble})
	for _, err := range []error{w.Show(settled(2)), w.Show(settled(2)), w.Trouble(errors.New("x")), w.Show(settled(2)), w.Show(settled(1))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if lines := strings.Split(strings.TrimSpace(out.String()), "\n"); len(lines) != 2 || !strings.Contains(lines[1], `"running":1`) {
		t.Errorf("got %q, want two lines", out.String())
	}
	if !strings.Contains(trouble.String(), "could not look") {
		t.Errorf("trouble = %q", trouble.String())
	}
}

// screen plays a terminal that understands what the watch writes.
type screen struct {
	columns int
	rows    []string
}

func (s *screen) write(t *testing.T, text string) {
	t.Helper()
	if after, ok := strings.CutPrefix(text, "\r\x1b["); ok {
		up := 0
		if _, err := fmt.Sscanf(after, "%dA", &up); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if up > len(s.rows) {
			t.Fatalf("the cursor goes up %d lines, and the frame has %d", up, len(s.rows))
		}
		_, text, _ = strings.Cut(after, "\x1b[J")
		s.rows = s.rows[:len(s.rows)-up]
	}
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, "\n")
		if n := columnsIn(l); n >= s.columns {
			t.Errorf("a line of %d columns on a terminal of %d: %q", n, s.columns, l)
		}
		s.rows = append(s.rows, l)
	}
}

// narrow breaks the lines that are on the screen, as a terminal does that becomes narrower.
func (s *screen) narrow(columns int) {
	var rows []string
	for _, l := range s.rows {
		runes := []rune(l) // none of them is wide
		for len(runes) > columns {
			rows, runes = append(rows, string(runes[:columns])), runes[columns:]
		}
		rows = append(rows, string(runes))
	}
	s.columns, s.rows = columns, rows
}

func TestTerminalWatchDrawsInPlace(t *testing.T) {
	tty := &screen{columns: 70}
	rows := 40
	var out bytes.Buffer
	w := NewWatch(Terminal, WatchOptions{
		Page: Page{Out: &out, Location: time.UTC}, Every: 2 * time.Second, Now: func() time.Time { return noon },
		Screen: func() (int, int) { return tty.columns, rows },
	})
	draw := func(err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		tty.write(t, out.String())
		out.Reset()
		return strings.Join(tty.rows, "\n")
	}
	first := draw(w.Show(settled(2)))
	if again := draw(w.Show(settled(2))); again != first {
		t.Errorf("the same status is drawn otherwise: %s", cmp.Diff(first, again))
	}
	long := sampleStatus()
	long.Next = nil
	if all := draw(w.Show(long)); strings.Count(all, "medusa-service") != 1 || !strings.Contains(all, "12:00:00, every 2s; Ctrl-C ends") {
		t.Errorf("the longer frame:\n%s", all)
	}
	rows = 12
	if all := draw(w.Show(long)); len(tty.rows) > rows-1 || !strings.Contains(all, "more lines") {
		t.Errorf("%d lines on a terminal of %d:\n%s", len(tty.rows), rows, all)
	}
	rows = 40
	draw(w.Show(settled(2)))
	tty.narrow(23)
	if all := draw(w.Trouble(errors.New("throttled\nmore"))); strings.Count(all, "shop on production") != 1 {
		t.Errorf("after the terminal became narrower:\n%s", all)
	}
	tty.columns = 70
	if all := draw(w.Trouble(errors.New("throttled\nmore"))); !strings.Contains(all, "could not look, and will again: thr…") || strings.Contains(all, "more") {
		t.Errorf("with trouble:\n%s", all)
	}
}
