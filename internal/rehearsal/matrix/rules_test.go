package main

import (
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	oldCommit, newCommit = "0000000000000000000000000000000000000001", "0000000000000000000000000000000000000002"
	page                 = "Hello\ncommit "
)

var oldDigest, newDigest = release.Digest("sha256:" + strings.Repeat("1", 64)), release.Digest("sha256:" + strings.Repeat("2", 64))

// lostWithNew is a request that was lost with a task of the new version.
const lostWithNew = "after 5s: http://127.0.0.1:20000: 502 Bad Gateway: c10/c10: target feed: connection reset by peer"

func kindNamed(t *testing.T, name string) kind {
	t.Helper()
	for _, k := range kinds() {
		if k.name == name {
			return k
		}
	}
	t.Fatalf("there is no kind %q", name)
	return kind{}
}

// flawless is what a cell of two tasks shows when all is as it must be.
func flawless(k kind) seen {
	s := seen{crashed: []string{"cafe", "feed"}, load: rehearsal.LoadReport{Sent: 10, Bodies: []string{page + oldCommit}}}
	s.good.Result = release.Result{Outcome: release.OutcomeSucceeded, Commit: oldCommit, Digest: oldDigest}
	s.shipped.Result = release.Result{Outcome: k.outcome, Exit: k.exit, Commit: newCommit, Digest: newDigest}
	if k.cause != "" {
		s.shipped.Explanation = &release.Explanation{Cause: "say, " + k.cause}
	}
	runs := oldDigest
	s.page = page + oldCommit
	if k.name == good {
		runs, s.page = newDigest, page+newCommit
	}
	s.digests, s.tagged = []string{string(runs), string(runs)}, string(runs)
	return s
}

func TestNoViolation(t *testing.T) {
	for _, k := range kinds() {
		if found := violations(k, 2, flawless(k)); len(found) > 0 {
			t.Errorf("%s: %v", k.name, found)
		}
	}
}

func TestViolations(t *testing.T) {
	for name, tt := range map[string]struct {
		kind  string
		spoil func(s *seen)
		want  string
	}{
		"a bad version is green":         {"OOM", func(s *seen) { s.shipped.Outcome, s.shipped.Exit = release.OutcomeSucceeded, 0 }, "outcome succeeded, exit 0; want rolled_back, exit 6"},
		"another exit code":              {"OOM", func(s *seen) { s.shipped.Exit = 7 }, "exit 7; want rolled_back, exit 6"},
		"a good version is not green":    {good, func(s *seen) { s.shipped.Outcome, s.shipped.Exit = release.OutcomeTimedOut, 9 }, "outcome timed_out"},
		"no explanation":                 {"OOM", func(s *seen) { s.shipped.Explanation = nil }, "there is no explanation"},
		"another cause":                  {"OOM", func(s *seen) { s.shipped.Explanation.Cause = "bad luck" }, `the explanation is "bad luck"`},
		"an explanation of nothing":      {good, func(s *seen) { s.shipped.Explanation = &release.Explanation{Cause: "bad luck"} }, "although nothing is wrong"},
		"a task of the bad version":      {"OOM", func(s *seen) { s.digests[1] = string(newDigest) }, "want 2 of " + string(oldDigest)},
		"a task of the old version":      {good, func(s *seen) { s.digests[1] = string(oldDigest) }, "want 2 of " + string(newDigest)},
		"a task is missing":              {"OOM", func(s *seen) { s.digests = s.digests[:1] }, "the tasks run"},
		"a task is pending":              {"OOM", func(s *seen) { s.digests[0] = "a task that is PENDING" }, "a task that is PENDING"},
		"no tasks and no digest":         {"OOM", func(s *seen) { s.digests, s.good.Digest = []string{"", ""}, "" }, "the tasks run"},
		":latest on the bad version":     {"OOM", func(s *seen) { s.tagged = string(newDigest) }, ":latest names"},
		":latest is gone":                {"OOM", func(s *seen) { s.tagged = "" }, `:latest names ""`},
		":latest on the old version":     {good, func(s *seen) { s.tagged = string(oldDigest) }, ":latest names"},
		"a request failed":               {"OOM", func(s *seen) { s.load.Failed, s.load.Failures = 1, []string{"503"} }, "1 of 10 requests failed: 503"},
		"a request failed, good":         {good, func(s *seen) { s.load.Failed = 1 }, "requests failed"},
		"no request":                     {"OOM", func(s *seen) { s.load.Sent = 0 }, "no request was sent"},
		"the bad version answered":       {"OOM", func(s *seen) { s.load.Bodies = append(s.load.Bodies, page+newCommit) }, "answered by something else"},
		"somebody else answered":         {good, func(s *seen) { s.load.Bodies = append(s.load.Bodies, "Apache") }, "answered by something else"},
		"nobody knows who answered":      {"OOM", func(s *seen) { s.good.Commit = "" }, "answered by something else"},
		"the bad version serves":         {"OOM", func(s *seen) { s.page = page + newCommit }, "what is served afterwards"},
		"nothing serves":                 {"OOM", func(s *seen) { s.page = "no page: refused" }, "no page: refused"},
		"the old version serves, good":   {good, func(s *seen) { s.page = page + oldCommit }, "what is served afterwards"},
		"a late crash that stays":        {afterTakeover, func(s *seen) { s.digests[0] = string(newDigest) }, "the tasks run"},
		"a late crash that is green":     {afterTakeover, func(s *seen) { s.shipped.Outcome, s.shipped.Exit = release.OutcomeSucceeded, 0 }, "outcome succeeded"},
		"a timely crash that interrupts": {"crash after 5 s", func(s *seen) { s.load.Failed = 1 }, "1 of 10 requests failed"},
		"one more than the crash's own": {"crash after 5 s", func(s *seen) {
			s.load.Failed, s.load.Failures = 2, []string{lostWithNew, "503 Service Unavailable: no healthy target"}
		}, "1 of 10 requests failed"},
		"lost with the old version": {"crash after 5 s", func(s *seen) {
			s.load.Failed, s.load.Failures = 1, []string{strings.ReplaceAll(lostWithNew, "feed", "beef")}
		}, "1 of 10 requests failed"},
		"lost with a new one, good": {good, func(s *seen) { s.load.Failed, s.load.Failures = 1, []string{lostWithNew} }, "1 of 10 requests failed"},
	} {
		t.Run(name, func(t *testing.T) {
			k := kindNamed(t, tt.kind)
			s := flawless(k)
			tt.spoil(&s)
			if found := strings.Join(violations(k, 2, s), "\n"); !strings.Contains(found, tt.want) {
				t.Errorf("found %q, want %q in it", found, tt.want)
			}
		})
	}
}

// TestWhatIsNoViolation: what comes with a version that passes its checks before it crashes.
func TestWhatIsNoViolation(t *testing.T) {
	for _, name := range []string{"crash after 5 s", afterTakeover, good} {
		k := kindNamed(t, name)
		s := flawless(k)
		s.load.Bodies = append(s.load.Bodies, page+newCommit)
		if k.name != good {
			s.load.Failed, s.load.Failures = 1, []string{lostWithNew}
		}
		if k.late {
			s.load.Failed = 3 // ECS had taken the old version away
		}
		if found := violations(k, 2, s); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// TestCells: the matrix is whole, and the reduced one still has every kind and every value of the rest.
func TestCells(t *testing.T) {
	all := (options{}).cells()
	distinct := map[combination]bool{}
	for _, c := range all {
		distinct[c.combination] = true
	}
	if want := len(kinds()) * 2 * 2 * 2; len(all) != want || len(distinct) != want {
		t.Errorf("%d cells, %d different ones, want %d", len(all), len(distinct), want)
	}
	values := map[any]bool{}
	reduced := (options{reduced: true}).cells()
	for _, c := range reduced {
		for _, v := range []any{c.Kind, c.Strategy, c.Breaker, c.Tasks} {
			values[v] = true
		}
	}
	if want := len(kinds()) + 2 + 2 + 2; len(reduced) != len(kinds()) || len(values) != want {
		t.Errorf("the reduced matrix has %d cells with %d different values, want %d with %d", len(reduced), len(values), len(kinds()), want)
	}
	for only, want := range map[string]int{"OOM": 8, "OOM, latest": 4, "pinned, breaker off, 4 tasks": len(kinds()), "no such": 0} {
		if got := len((options{only: only}).cells()); got != want {
			t.Errorf("-only %q: %d cells, want %d", only, got, want)
		}
	}
}

func TestRow(t *testing.T) {
	k := kindNamed(t, "OOM")
	s := flawless(k)
	s.digests[1] = string(newDigest)
	s.tagged = ""
	s.shipped.Explanation.Cause = strings.Repeat("ü", 100)
	r := newRow(k, combination{Kind: k.name, Strategy: "latest", Tasks: 2}, s)
	got := strings.Join(r.columns(), "|")
	if want := "OOM|latest|off|2|rolled_back|6|0.0 s|0.0 s|1 old, 1 new|nothing|10|0|0|" + strings.Repeat("ü", causeWidth) + "…"; got != want {
		t.Errorf("columns = %s\nwant      %s", got, want)
	}
}
