package githubtest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Run is one run, told in stages.
type Run struct {
	ID     int64 // given when it starts
	Title  string
	Branch string
	Actor  string
	Stages []Stage       // by time; the last one stays
	Hidden time.Duration // how long it does not show in lists

	created time.Time
}

// Stage is what is to be seen of a run from some time after its start on.
type Stage struct {
	After      time.Duration
	Status     string
	Conclusion string
	Jobs       []Job
}

// Job is a job as it is in a stage.
type Job struct {
	ID          int64
	Name        string
	Status      string
	Conclusion  string
	StartedAt   time.Time
	CompletedAt time.Time
	Steps       []Step
	Log         string
	LogAfter    time.Duration // after the run's start: before it there is none
	LogExpired  bool
}

// Step is a step as it is in a stage.
type Step struct {
	Name        string
	Status      string
	Conclusion  string
	StartedAt   time.Time
	CompletedAt time.Time
}

// Add adds a run that was not dispatched here, and gives its id.
func (s *Server) Add(run *Run) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	run.ID, run.created = int64(1000+len(s.runs)), time.Now()
	s.runs = append(s.runs, run)
	return run.ID
}

// stage is the one that a run is in.
func (r *Run) stage() Stage {
	now := Stage{Status: "queued"}
	for _, stage := range r.Stages {
		if time.Since(r.created) >= stage.After {
			now = stage
		}
	}
	return now
}

func (s *Server) facts(run *Run) map[string]any {
	stage := run.stage()
	return map[string]any{
		"id": run.ID, "name": "Deploy", "display_title": run.Title, "head_branch": run.Branch, "event": "workflow_dispatch",
		"status": stage.Status, "conclusion": nullable(stage.Conclusion), "html_url": s.page(run), "run_attempt": 1,
		"created_at": run.created.UTC().Format(time.RFC3339), "run_started_at": run.created.UTC().Format(time.RFC3339),
		"actor": map[string]string{"login": run.Actor},
	}
}

// nullable is what GitHub sends where there is nothing to say.
func nullable(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (s *Server) listRuns(w http.ResponseWriter, r *http.Request, _ string, _ []byte) {
	query := r.URL.Query()
	since, err := time.Parse(time.RFC3339, strings.TrimPrefix(query.Get("created"), ">="))
	if err != nil && query.Get("created") != "" {
		problem(w, http.StatusUnprocessableEntity, "Validation Failed")
		return
	}
	all := []map[string]any{}
	for _, run := range s.runs {
		actor := query.Get("actor")
		if time.Since(run.created) >= run.Hidden && !run.created.Truncate(time.Second).Before(since) && (actor == "" || actor == run.Actor) {
			all = append(all, s.facts(run))
		}
	}
	ok(w, r, map[string]any{"total_count": len(all), "workflow_runs": all})
}

func (s *Server) runOf(id string) *Run {
	for _, run := range s.runs {
		if fmt.Sprint(run.ID) == id {
			return run
		}
	}
	return nil
}

func (s *Server) run(w http.ResponseWriter, r *http.Request, id string, _ []byte) {
	run := s.runOf(id)
	if run == nil {
		problem(w, http.StatusNotFound, "Not Found")
		return
	}
	ok(w, r, s.facts(run))
}

// jobs gives a page of a run's jobs.
func (s *Server) jobs(w http.ResponseWriter, r *http.Request, id string, _ []byte) {
	run := s.runOf(id)
	if run == nil {
		problem(w, http.StatusNotFound, "Not Found")
		return
	}
	all := run.stage().Jobs
	size, _ := strconv.Atoi(r.URL.Query().Get("per_page"))
	page, _ := strconv.Atoi(r.URL.Query().Get("page"))
	size, page = max(size, 1), max(page, 1)
	from := min((page-1)*size, len(all))
	shown := []map[string]any{}
	for _, j := range all[from:min(from+size, len(all))] {
		shown = append(shown, jobFacts(j))
	}
	ok(w, r, map[string]any{"total_count": len(all), "jobs": shown})
}

func jobFacts(j Job) map[string]any {
	steps := []map[string]any{}
	for i, step := range j.Steps {
		steps = append(steps, map[string]any{
			"name": step.Name, "number": i + 1, "status": step.Status, "conclusion": nullable(step.Conclusion),
			"started_at": at(step.StartedAt), "completed_at": at(step.CompletedAt),
		})
	}
	return map[string]any{
		"id": j.ID, "name": j.Name, "status": j.Status, "conclusion": nullable(j.Conclusion), "steps": steps,
		"started_at": at(j.StartedAt), "completed_at": at(j.CompletedAt), "html_url": fmt.Sprintf("https://github.com/job/%d", j.ID),
	}
}

func at(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// log redirects to the storage host, with a signed address.
func (s *Server) log(w http.ResponseWriter, _ *http.Request, id string, _ []byte) {
	job, run, found := s.jobOf(id)
	switch {
	case !found || job.Status != "completed" || time.Since(run.created) < job.LogAfter:
		problem(w, http.StatusNotFound, "Not Found")
	case job.LogExpired:
		problem(w, http.StatusGone, "Not Found")
	default:
		w.Header().Set("Location", s.storage+"/logs/"+id+"?sig=s3cr3tsignature")
		w.WriteHeader(http.StatusFound)
	}
}

func (s *Server) jobOf(id string) (Job, *Run, bool) {
	for _, run := range s.runs {
		for _, j := range run.stage().Jobs {
			if fmt.Sprint(j.ID) == id {
				return j, run, true
			}
		}
	}
	return Job{}, nil, false
}

// Storage is the host that keeps logs. It is another origin than the API's, and notes each token that is brought to it.
func (s *Server) Storage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.note(Request{Kind: "storage", Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Status: http.StatusOK})
		if r.Header.Get("Authorization") != "" {
			s.leaks = append(s.leaks, r.URL.Path)
		}
		job, _, found := s.jobOf(strings.TrimPrefix(r.URL.Path, "/logs/"))
		if !found || r.URL.Query().Get("sig") == "" {
			http.Error(w, "<Error><Code>AuthenticationFailed</Code></Error>", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		if _, err := w.Write([]byte(job.Log)); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
}
