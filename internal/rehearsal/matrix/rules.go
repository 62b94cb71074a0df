package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// violations are what a cell showed and must not have: empty when all that must hold does. It is pure.
func violations(k kind, tasks int, s seen) []string {
	var found []string
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	bad := s.shipped
	if bad.Outcome != k.outcome || bad.Exit != k.exit {
		add("outcome %s, exit %d; want %s, exit %d: %s", bad.Outcome, bad.Exit, k.outcome, k.exit, bad.Error)
	}
	for _, v := range []string{wrongCause(k, s), wrongRunning(k, tasks, s), wrongTag(k, s), wrongAnswers(k, s)} {
		if v != "" {
			add("%s", v)
		}
	}
	if commit := expected(k, s).Commit; commit == "" || !strings.Contains(s.page, commit) {
		add("what is served afterwards is not commit %q: %s", commit, s.page)
	}
	return found
}

// expected is the version that must run afterwards.
func expected(k kind, s seen) release.Result {
	if k.outcome == release.OutcomeSucceeded {
		return s.shipped.Result
	}
	return s.good.Result
}

func wrongCause(k kind, s seen) string {
	e := s.shipped.Explanation
	switch {
	case k.cause == "" && e == nil:
		return ""
	case k.cause == "":
		return "it is explained although nothing is wrong: " + e.Cause
	case e == nil:
		return "there is no explanation"
	case !strings.Contains(e.Cause, k.cause):
		return fmt.Sprintf("the explanation is %q, want %q in it", e.Cause, k.cause)
	}
	return ""
}

// wrongRunning wants as many tasks as the service has, all with the digest of the version that must run.
func wrongRunning(k kind, tasks int, s seen) string {
	want := expected(k, s).Digest
	ok := want.Valid() && len(s.digests) == tasks
	for _, d := range s.digests {
		ok = ok && d == string(want)
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("the tasks run %v, want %d of %s", s.digests, tasks, want)
}

func wrongTag(k kind, s seen) string {
	if want := expected(k, s).Digest; s.tagged != string(want) {
		return fmt.Sprintf(":latest names %q, but %s runs", s.tagged, want)
	}
	return ""
}

// wrongAnswers wants that every request was answered, by the old version or, where it may, by the new one.
func wrongAnswers(k kind, s seen) string {
	if s.load.Sent == 0 {
		return "no request was sent"
	}
	if n := s.load.Failed - takenDown(k, s); n > 0 && !k.late {
		return fmt.Sprintf("%d of %d requests failed: %s", n, s.load.Sent, strings.Join(s.load.Failures, "; "))
	}
	for _, body := range s.load.Bodies {
		old := s.good.Commit != "" && strings.Contains(body, s.good.Commit)
		fresh := s.shipped.Commit != "" && strings.Contains(body, s.shipped.Commit)
		if !old && (!fresh || !k.answers) {
			return fmt.Sprintf("a request was answered by something else: %q", body)
		}
	}
	return ""
}

// takenDown counts the requests that the load balancer had given to a task of the new version, and that went down with it
// when it crashed. They are none of the old version's doing, and no load balancer can ask again on its own: the request may
// have had its effect.
func takenDown(k kind, s seen) int {
	if !k.answers || k.outcome == release.OutcomeSucceeded {
		return 0
	}
	n := 0
	for _, failure := range s.load.Failures {
		if slices.ContainsFunc(s.crashed, func(id string) bool {
			return strings.Contains(failure, "502 Bad Gateway") && strings.Contains(failure, "target "+id)
		}) {
			n++
		}
	}
	return n
}
