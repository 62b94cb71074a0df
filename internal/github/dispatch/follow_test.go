package dispatch_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
	"github.com/medusa-deploy/medusa-deploy/internal/github/githubtest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

var update = flag.Bool("update", false, "write the golden files")

func unix(in time.Duration) string { return strconv.FormatInt(time.Now().Add(in).Unix(), 10) }

// stamped writes a log as the runner does: a time before each line.
func stamped(begin time.Time, lines ...string) string {
	var b strings.Builder
	b.WriteString("\ufeff")
	for i, line := range lines {
		fmt.Fprintf(&b, "%s %s\n", begin.Add(time.Duration(i)*100*time.Millisecond).UTC().Format("2006-01-02T15:04:05.0000000Z"), line)
	}
	return b.String()
}

// deployJob is a job of three steps of two seconds each, of which the second ends with conclusion. Its log has ten lines a
// second apart from each other by 0.5 s.
func deployJob(begin time.Time, conclusion string, said ...string) githubtest.Job {
	second := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	last := "success"
	if conclusion != "success" {
		last = "skipped"
	}
	log := stamped(second(0), "Current runner version: '2.331.0'", "##[group]Operating System", "Ubuntu", "##[endgroup]") +
		strings.TrimPrefix(stamped(second(2), append([]string{"##[group]Run medusa-deploy ship --target production", "medusa-deploy ship --target production", "##[endgroup]"}, said...)...), "\ufeff") +
		strings.TrimPrefix(stamped(second(4), "Post job cleanup.", "[command]/usr/bin/git version"), "\ufeff")
	return githubtest.Job{
		ID: 7, Name: "deploy", Status: "completed", Conclusion: conclusion, StartedAt: begin, CompletedAt: second(6), Log: log,
		Steps: []githubtest.Step{
			{Name: "Set up job", Status: "completed", Conclusion: "success", StartedAt: second(0), CompletedAt: second(2)},
			{Name: "Ship", Status: "completed", Conclusion: conclusion, StartedAt: second(2), CompletedAt: second(4)},
			{Name: "Summary", Status: "completed", Conclusion: last, StartedAt: second(4), CompletedAt: second(4)},
			{Name: "Post checkout", Status: "completed", Conclusion: "success", StartedAt: second(4), CompletedAt: second(6)},
		},
	}
}

// running is the same job while its second step runs.
func running(j githubtest.Job) githubtest.Job {
	j.Status, j.Conclusion, j.CompletedAt = "in_progress", "", time.Time{}
	j.Steps = append([]githubtest.Step(nil), j.Steps...)
	j.Steps[1].Status, j.Steps[1].Conclusion, j.Steps[1].CompletedAt = "in_progress", "", time.Time{}
	for i := range j.Steps[2:] {
		j.Steps[2+i] = githubtest.Step{Name: j.Steps[2+i].Name, Status: "queued"}
	}
	return j
}

// told is a run that is queued, works, and ends.
func told(conclusion string, jobs ...githubtest.Job) *githubtest.Run {
	run := &githubtest.Run{Stages: []githubtest.Stage{{Status: "queued"}}}
	var working []githubtest.Job
	for _, j := range jobs {
		working = append(working, running(j))
	}
	run.Stages = append(run.Stages,
		githubtest.Stage{After: 5 * time.Second, Status: "in_progress", Jobs: working},
		githubtest.Stage{After: 90 * time.Second, Status: "completed", Conclusion: conclusion, Jobs: jobs})
	return run
}

func (w *world) follow(run *githubtest.Run, verbose bool) (dispatch.Result, error) {
	id := w.server.Add(run)
	_, result, err := w.client.Follow(w.t.Context(), id, dispatch.UsualPace(), verbose)
	return result, err
}

func TestFollowEndsAsTheRunDoes(t *testing.T) {
	const code6, code1 = "##[error]Process completed with exit code 6.", "##[error]Process completed with exit code 1."
	cases := []struct {
		name       string
		conclusion string
		said       []string
		outcome    release.Outcome
		exit       int
	}{
		{"green", "success", []string{"done"}, release.OutcomeSucceeded, 0},
		{"neutral", "neutral", nil, release.OutcomeSucceeded, 0},
		{"the release rolled back", "failure", []string{"ship: rolled back", code6}, release.OutcomeRolledBack, 6},
		{"its result says it", "failure", []string{`{"type":"result","outcome":"failed","exit":5,"services":[]}`, code1}, release.OutcomeFailed, 5},
		{"another program failed", "failure", []string{"npm ERR!", code1}, release.OutcomeFailed, 1},
		{"a number of its own", "failure", []string{"##[error]Process completed with exit code 77."}, release.OutcomeFailed, 1},
		{"cancelled", "cancelled", []string{"##[error]The operation was canceled."}, release.OutcomeInterrupted, 130},
		{"timed out", "timed_out", nil, release.OutcomeTimedOut, 9},
		{"timed out, called cancelled", "cancelled", []string{"##[error]The job has exceeded the maximum execution time of 15m0s"}, release.OutcomeTimedOut, 9},
		{"could not begin", "startup_failure", nil, release.OutcomeFailed, 2},
		{"all was skipped", "skipped", nil, release.OutcomeFailed, 1},
		{"stale", "stale", nil, release.OutcomeFailed, 1},
	}
	for _, c := range cases {
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, withNonce)
			got, err := w.follow(told(c.conclusion, deployJob(time.Now(), c.conclusion, c.said...)), false)
			if err != nil || got.Outcome != c.outcome || got.Exit != c.exit || got.Conclusion != c.conclusion {
				t.Errorf("got %+v, %v", got, err)
			}
			if (got.Error == "") != (c.exit == 0) {
				t.Errorf("the error is %q", got.Error)
			}
			if leaks := w.server.Leaks(); len(leaks) > 0 {
				t.Errorf("the token was brought to the storage host: %v", leaks)
			}
		})
	}
}

// TestFollowTells holds what is reported to golden files.
func TestFollowTells(t *testing.T) {
	for name, verbose := range map[string]bool{"failed": false, "verbose": true} {
		bubble(t, name, func(t *testing.T) {
			w := newWorld(t, withNonce)
			job := deployJob(time.Now(), "failure", "pushing", "##[group]Rollout", "task stopped", "##[endgroup]", "##[warning]odd", "##[error]Process completed with exit code 6.")
			build := deployJob(time.Now(), "success")
			build.ID, build.Name = 6, "build"
			skipped := githubtest.Job{ID: 8, Name: "notify", Status: "completed", Conclusion: "skipped"}
			run := told("failure", build, job)
			run.Stages[1].Jobs = append(run.Stages[1].Jobs, githubtest.Job{ID: 8, Name: "notify", Status: "waiting"})
			run.Stages[2].Jobs = append(run.Stages[2].Jobs, skipped)
			result, err := w.follow(run, verbose)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			for _, e := range append(w.events, result) {
				text := dispatch.Words(e, verbose)
				switch e := e.(type) {
				case release.Notice:
					text = e.Level + ": " + e.Text
				case dispatch.Result:
					text = fmt.Sprintf("%s %d: %s", e.Outcome, e.Exit, e.Error)
				}
				if text != "" {
					b.WriteString(text + "\n")
				}
			}
			golden(t, name+".txt", b.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s", path, got)
	}
}

// TestFollowCostsLittle: what has not changed is not sent again, so that it costs nothing of the rate limit.
func TestFollowCostsLittle(t *testing.T) {
	bubble(t, "a long run", func(t *testing.T) {
		w := newWorld(t, withNonce)
		run := told("success", deployJob(time.Now(), "success"))
		run.Stages[2].After = time.Hour
		if _, err := w.follow(run, false); err != nil {
			t.Fatal(err)
		}
		full, all := 0, w.server.Requests("run", "jobs")
		for _, r := range all {
			if r.Status != 304 {
				full++
			}
		}
		if full > 8 || len(all) < 500 || len(all) > 2000 {
			t.Errorf("%d of %d requests counted", full, len(all))
		}
		if said := strings.Join(w.notices(), "\n"); strings.Count(said, "still running after 1m") < 50 || !strings.Contains(said, "deploy: Ship") {
			t.Errorf("it said %q", said)
		}
	})
}

func TestFollowOutlastsAnOutage(t *testing.T) {
	bubble(t, "short", func(t *testing.T) {
		w := newWorld(t, withNonce)
		w.server.Answer("jobs", githubtest.Answer{Status: 502, Times: 40})
		got, err := w.follow(told("success", deployJob(time.Now(), "success")), false)
		if err != nil || got.Exit != 0 {
			t.Errorf("got %+v, %v", got, err)
		}
		if said := w.notices(); len(said) == 0 || !strings.Contains(said[0], "the run goes on") {
			t.Errorf("it said %q", said)
		}
	})
	bubble(t, "long", func(t *testing.T) {
		w := newWorld(t, withNonce)
		w.server.Answer("run", githubtest.Answer{Lost: true})
		_, err := w.follow(told("success"), false)
		if err == nil || !strings.Contains(err.Error(), "has not answered for 10m0s; the run goes on") {
			t.Errorf("got %v", err)
		}
	})
	bubble(t, "token expired", func(t *testing.T) {
		w := newWorld(t, withNonce)
		w.server.Answer("run", githubtest.Answer{Status: 401, Message: "Bad credentials"})
		_, err := w.follow(told("success"), false)
		var refusal *dispatch.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != dispatch.ReasonBadCredentials {
			t.Errorf("got %v", err)
		}
	})
}

func TestARunThatDoesNotShowYet(t *testing.T) {
	bubble(t, "soon", func(t *testing.T) {
		w := newWorld(t, withNonce)
		w.server.Answer("run", githubtest.Answer{Status: 404, Message: "Not Found", Times: 3})
		if got, err := w.follow(told("success"), false); err != nil || got.Exit != 0 || len(w.notices()) > 1 {
			t.Errorf("got %+v, %v, said %q", got, err, w.notices())
		}
	})
	bubble(t, "never", func(t *testing.T) {
		w := newWorld(t, withNonce)
		_, _, err := w.client.Follow(t.Context(), 5, dispatch.UsualPace(), false)
		var refusal *dispatch.Refusal
		if !errors.As(err, &refusal) || refusal.Reason != dispatch.ReasonNoRun || !strings.Contains(err.Error(), "gh run list") {
			t.Errorf("got %v", err)
		}
	})
}

func TestLogsThatAreNotThere(t *testing.T) {
	const said = "##[error]Process completed with exit code 6."
	bubble(t, "not yet", func(t *testing.T) {
		w := newWorld(t, withNonce)
		job := deployJob(time.Now(), "failure", said)
		job.LogAfter = 100 * time.Second
		if got, err := w.follow(told("failure", job), false); err != nil || got.Exit != 6 {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	bubble(t, "never", func(t *testing.T) {
		w := newWorld(t, withNonce)
		job := deployJob(time.Now(), "failure", said)
		job.LogAfter = time.Hour
		got, err := w.follow(told("failure", job), false)
		if err != nil || got.Exit != 1 || !strings.Contains(strings.Join(w.notices(), "\n"), "the log of deploy cannot be had") {
			t.Errorf("got %+v, %v, said %q", got, err, w.notices())
		}
	})
	bubble(t, "expired", func(t *testing.T) {
		w := newWorld(t, withNonce)
		job := deployJob(time.Now(), "failure", said)
		job.LogExpired = true
		got, err := w.follow(told("failure", job), false)
		if err != nil || got.Exit != 1 || !strings.Contains(strings.Join(w.notices(), "\n"), "has expired") {
			t.Errorf("got %+v, %v, said %q", got, err, w.notices())
		}
	})
}

// TestManyJobs: a matrix has more jobs than a page.
func TestManyJobs(t *testing.T) {
	bubble(t, "250", func(t *testing.T) {
		w := newWorld(t, withNonce)
		run := told("success")
		for i := range 250 {
			run.Stages[2].Jobs = append(run.Stages[2].Jobs, githubtest.Job{ID: int64(i + 1), Name: fmt.Sprint("job ", i), Status: "completed", Conclusion: "success"})
		}
		if _, err := w.follow(run, false); err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, e := range w.events {
			if j, ok := e.(dispatch.JobChanged); ok {
				seen[j.Job] = true
			}
		}
		if len(seen) != 250 {
			t.Errorf("%d jobs were reported", len(seen))
		}
	})
}

func TestFollowingStopsWhenAsked(t *testing.T) {
	bubble(t, "interrupt", func(t *testing.T) {
		w := newWorld(t, withNonce)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		begun := time.Now()
		_, _, err := w.client.Follow(ctx, w.server.Add(told("success")), dispatch.UsualPace(), false)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 20*time.Second {
			t.Errorf("got %v after %s", err, time.Since(begun))
		}
	})
}
