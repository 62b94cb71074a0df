package dispatch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Pace says how often is looked.
type Pace struct {
	Min, Max time.Duration // between two looks: Min after something happened, up to Max when nothing does
	Quiet    time.Duration // after which it is said that the run goes on
	Logs     time.Duration // how long a log is waited for after its job has ended
	Patience time.Duration // how long GitHub may not answer at all
}

// UsualPace is that of a person who watches. What has not changed costs nothing of GitHub's rate limit.
func UsualPace() Pace {
	return Pace{Min: time.Second, Max: 5 * time.Second, Quiet: time.Minute, Logs: time.Minute, Patience: 10 * time.Minute}
}

// job is one of a run's jobs.
type job struct {
	ID          int64     `json:"id"`
	Name        string    `json:"name"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion"`
	URL         string    `json:"html_url"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
	Steps       []step    `json:"steps"`
}

type step struct {
	Number      int       `json:"number"`
	Name        string    `json:"name"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
}

func (j job) failed() bool { return failing(j.Conclusion) }

func failing(conclusion string) bool {
	return conclusion == "failure" || conclusion == "timed_out" || conclusion == "cancelled"
}

// Run gives a run by its id.
func (c *Client) Run(ctx context.Context, id int64) (Run, error) {
	var run Run
	_, err := c.poll(ctx, c.repositoryPath(fmt.Sprintf("/actions/runs/%d", id)), &run)
	return run, place{repository: c.Repository, token: c.Token}.explain(atRun, err)
}

// follower is one run that is followed.
type follower struct {
	*Client
	id      int64
	pace    Pace
	verbose bool
	jobs    map[int64]job
	due     []dueLog // logs that are not there yet
	changed bool     // by the last look
	spoke   time.Time
	over    time.Time // since when the run is completed
	inner   int       // exit code of the release inside
	late    bool      // a job ran out of its time
}

type dueLog struct {
	job   job
	until time.Time
}

// Follow reports what happens in a run until it ends, and gives how it ended. With verbose the logs of all jobs are
// reported, else those of failed steps. When ctx ends the run goes on without being watched.
func (c *Client) Follow(ctx context.Context, id int64, pace Pace, verbose bool) (Run, Result, error) {
	f := &follower{Client: c, id: id, pace: pace, verbose: verbose, jobs: map[int64]job{}, spoke: time.Now()}
	wait, begun, lost := pace.Min, time.Now(), time.Time{}
	for {
		run, err := f.look(ctx)
		switch {
		case ctx.Err() != nil:
			return run, Result{}, context.Cause(ctx)
		case err == nil && run.Status == "completed" && f.settled():
			return run, f.result(run, time.Since(begun)), nil
		case missing(err) && time.Since(begun) < newborn:
			// A run that was dispatched a moment ago may not show yet.
		case err == nil:
			lost = time.Time{}
		default:
			if lost, err = f.forgive(lost, err); err != nil {
				return run, Result{}, err
			}
		}
		f.breathe(run)
		if wait = min(wait*5/4, pace.Max); f.changed {
			wait = pace.Min
		}
		if err := pause(ctx, wait); err != nil {
			return run, Result{}, err
		}
	}
}

// newborn is how long a run that was just dispatched may not be known yet.
const newborn = 30 * time.Second

func missing(err error) bool {
	var refused *Refusal
	return errors.As(err, &refused) && refused.Reason == ReasonNoRun
}

// settled reports whether a run that is completed has nothing more to tell: its jobs may say so a little later, and
// their logs later still.
func (f *follower) settled() bool {
	if f.over.IsZero() {
		f.over = time.Now()
	}
	open := slices.ContainsFunc(f.sorted(), func(j job) bool { return j.Status != "completed" })
	return len(f.due) == 0 && (!open || time.Since(f.over) > f.pace.Logs)
}

// forgive lets a run be followed through a time in which GitHub does not answer. It gives when that began.
func (f *follower) forgive(since time.Time, err error) (time.Time, error) {
	var refused *Refusal
	if errors.As(err, &refused) && refused.Reason != ReasonRateLimit {
		return since, err
	}
	if since.IsZero() {
		since = time.Now()
		f.notice("warning", "GitHub does not answer; the run goes on: %v", err)
		return since, nil
	}
	if time.Since(since) > f.pace.Patience {
		return since, fmt.Errorf("GitHub has not answered for %s; the run goes on: %w", f.pace.Patience, err)
	}
	return since, nil
}

// look reads the run and its jobs once, and reports what has changed. The run is read first: what it had done when it was
// completed the jobs then have, too.
func (f *follower) look(ctx context.Context) (Run, error) {
	f.changed = false
	run, err := f.Run(ctx, f.id)
	if err != nil {
		return run, err
	}
	jobs, err := f.list(ctx)
	if err != nil {
		return run, err
	}
	for _, j := range jobs {
		f.compare(f.jobs[j.ID], j)
		f.jobs[j.ID] = j
	}
	return run, f.fetchLogs(ctx)
}

// list gives all jobs of the run's latest attempt.
func (f *follower) list(ctx context.Context) ([]job, error) {
	var all []job
	const perPage = 100
	for page := 1; ; page++ {
		var list struct {
			Total int   `json:"total_count"`
			Jobs  []job `json:"jobs"`
		}
		path := f.repositoryPath(fmt.Sprintf("/actions/runs/%d/jobs?filter=latest&per_page=%d&page=%d", f.id, perPage, page))
		if _, err := f.poll(ctx, path, &list); err != nil {
			return nil, place{repository: f.Repository, token: f.Token}.explain(atRun, err)
		}
		all = append(all, list.Jobs...)
		if len(list.Jobs) < perPage || len(all) >= list.Total {
			return all, nil
		}
	}
}

// compare reports how a job differs from what was known of it.
func (f *follower) compare(before, now job) {
	known := map[int]step{}
	for _, s := range before.Steps {
		known[s.Number] = s
	}
	if before.Status != now.Status && now.Status != "completed" {
		f.report(JobChanged{Job: now.Name, ID: now.ID, Status: now.Status, URL: now.URL})
	}
	for _, s := range now.Steps {
		was := known[s.Number]
		if s.Status == "queued" || s.Status == "pending" || was.Status == s.Status && was.Conclusion == s.Conclusion {
			continue
		}
		f.report(StepChanged{
			Job: now.Name, Number: s.Number, Step: s.Name, Status: s.Status, Conclusion: s.Conclusion,
			Seconds: took(s.StartedAt, s.CompletedAt),
		})
	}
	if before.Status != "completed" && now.Status == "completed" {
		f.report(JobChanged{
			Job: now.Name, ID: now.ID, Status: now.Status, Conclusion: now.Conclusion, URL: now.URL,
			Seconds: took(now.StartedAt, now.CompletedAt),
		})
		if now.failed() || f.verbose && now.Conclusion != "skipped" {
			f.due = append(f.due, dueLog{now, time.Now().Add(f.pace.Logs)})
		}
	}
}

func took(from, to time.Time) float64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(to.Sub(from).Seconds(), 0)
}

func (f *follower) report(e release.Event) {
	f.changed = true
	f.spoke = time.Now()
	f.Emit(e)
}

// breathe says that the run goes on when nothing else was said for a while.
func (f *follower) breathe(run Run) {
	if time.Since(f.spoke) < f.pace.Quiet {
		return
	}
	text := strings.ReplaceAll(run.Status, "_", " ")
	for _, j := range f.sorted() {
		for _, s := range j.Steps {
			if s.Status == "in_progress" {
				text = j.Name + ": " + s.Name
			}
		}
	}
	f.notice("info", "still running after %s without news: %s", time.Since(f.spoke).Round(time.Second), text)
	f.spoke = time.Now()
}

// fetchLogs reports the logs that have become available.
func (f *follower) fetchLogs(ctx context.Context) error {
	var later []dueLog
	for i, due := range f.due {
		content, err := f.log(ctx, due.job.ID)
		var failed *APIError
		switch {
		case err == nil:
			f.show(due.job, parseLog(content))
		case errors.As(err, &failed) && failed.Status == http.StatusGone:
			f.notice("warning", "the log of %s has expired: GitHub keeps it for as long as the repository's settings say", due.job.Name)
		case errors.As(err, &failed) && failed.Status == http.StatusNotFound && time.Now().Before(due.until):
			later = append(later, due)
		case errors.As(err, &failed):
			f.notice("warning", "the log of %s cannot be had: %v\n  it may be on its page: %s", due.job.Name, err, due.job.URL)
		default:
			f.due = append(later, f.due[i:]...)
			return err
		}
	}
	f.due = later
	return nil
}

// log gives a job's log. GitHub answers with the address of a storage host, which needs no token and must not see one.
// https://docs.github.com/en/rest/actions/workflow-jobs#download-job-logs-for-a-workflow-run
func (c *Client) log(ctx context.Context, id int64) (string, error) {
	a, err := c.do(ctx, request{method: http.MethodGet, accept: jsonBody, path: c.repositoryPath(fmt.Sprintf("/actions/jobs/%d/logs", id))})
	return string(a.body), err
}

// show reports the lines of a job's log: of failed steps, or of all.
func (f *follower) show(j job, lines []logLine) {
	owner := bySteps(lines, j.Steps)
	shown := 0
	for i, s := range j.Steps {
		var own []logLine
		for n, line := range lines {
			if owner[n] == i {
				own = append(own, line)
			}
		}
		if failing(s.Conclusion) {
			f.learn(s, own)
		}
		if failing(s.Conclusion) || f.verbose {
			shown += f.lines(j, s.Name, own)
		}
	}
	if shown == 0 && j.failed() { // no step is known to have failed, or none has lines: then all of it tells
		f.learn(step{Name: j.Name}, lines)
		f.lines(j, "", lines)
	}
}

// learn keeps what a failed step's lines tell of how the release in it ended.
func (f *follower) learn(s step, lines []logLine) {
	if exit := innerExit(s.Name, lines); exit != 0 {
		f.inner = exit
	}
	for _, line := range lines {
		f.late = f.late || strings.HasPrefix(line.text, "##[error]") && strings.Contains(line.text, overTime)
	}
}

func (f *follower) lines(j job, step string, lines []logLine) int {
	all := readable(lines)
	if len(all) > 0 {
		f.notice("info", "log of %s:", strings.TrimSuffix(j.Name+": "+step, ": "))
	}
	for _, line := range all {
		f.report(JobLog{Job: j.Name, Step: step, At: line.at, Text: line.text})
	}
	return len(all)
}

// result is the run's end.
func (f *follower) result(run Run, took time.Duration) Result {
	conclusion := run.Conclusion
	if f.late && conclusion != "success" {
		conclusion = "timed_out" // GitHub calls such a run cancelled, or failed
	}
	outcome, exit := verdict(conclusion, f.inner)
	r := Result{
		Outcome: outcome, Exit: exit, Command: "trigger", Repository: f.Repository.String(), Run: run.ID, URL: run.URL,
		Conclusion: run.Conclusion, Seconds: took.Seconds(),
	}
	if exit != release.ExitDone {
		r.Error = f.why(run.Conclusion)
	}
	return r
}

// why names the jobs and steps because of which a run is not green.
func (f *follower) why(conclusion string) string {
	text := "the run ended with " + strings.ReplaceAll(conclusion, "_", " ")
	if f.late {
		text += " because a job ran out of its time"
	}
	for _, j := range f.sorted() {
		if !j.failed() {
			continue
		}
		text += "\n  " + j.Name + ": " + strings.ReplaceAll(j.Conclusion, "_", " ")
		for _, s := range j.Steps {
			if failing(s.Conclusion) {
				text += ", in step " + s.Name
			}
		}
	}
	return text
}

// sorted are the jobs in the order in which GitHub made them.
func (f *follower) sorted() []job {
	return slices.SortedFunc(maps.Values(f.jobs), func(a, b job) int { return cmp.Compare(a.ID, b.ID) })
}
