package githubtest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

func (s *Server) repository(w http.ResponseWriter, _ *http.Request, _ string, _ []byte) {
	ok(w, nil, map[string]any{
		"id": 1, "name": s.Name, "full_name": s.Owner + "/" + s.Name, "private": s.Private, "archived": s.Archived,
		"fork": s.Fork, "owner": map[string]any{"login": s.Owner, "type": s.OwnerType},
		"disabled": false, "default_branch": s.DefaultBranch,
		"permissions": map[string]bool{"admin": false, "push": !s.NoPush, "pull": true},
	})
}

func (s *Server) user(w http.ResponseWriter, _ *http.Request, _ string, _ []byte) {
	if s.Login == "" {
		problem(w, http.StatusForbidden, "Resource not accessible by integration")
		return
	}
	ok(w, nil, map[string]any{"login": s.Login})
}

func (s *Server) list(w http.ResponseWriter, _ *http.Request, _ string, _ []byte) {
	var all []map[string]any
	for name, workflow := range s.Workflows {
		if workflow.State != "" {
			all = append(all, facts(name, workflow))
		}
	}
	slices.SortFunc(all, func(a, b map[string]any) int { return strings.Compare(a["path"].(string), b["path"].(string)) })
	ok(w, nil, map[string]any{"total_count": len(all), "workflows": all})
}

func facts(name string, workflow *Workflow) map[string]any {
	return map[string]any{"id": number(name), "name": name, "path": workflow.Path, "state": workflow.State}
}

// number is a workflow's id.
func number(name string) int64 { return int64(crc32.ChecksumIEEE([]byte(name))) }

// find gives a workflow by its file name or its id.
func (s *Server) find(id string) (*Workflow, string) {
	for name, workflow := range s.Workflows {
		if workflow.State != "" && (id == name || id == fmt.Sprint(number(name))) {
			return workflow, name
		}
	}
	return nil, ""
}

func (s *Server) workflow(w http.ResponseWriter, _ *http.Request, id string, _ []byte) {
	workflow, name := s.find(id)
	if workflow == nil {
		problem(w, http.StatusNotFound, "Not Found")
		return
	}
	ok(w, nil, facts(name, workflow))
}

func (s *Server) contents(w http.ResponseWriter, r *http.Request, file string, _ []byte) {
	ref := r.URL.Query().Get("ref")
	if !slices.Contains(s.Refs, ref) {
		problem(w, http.StatusNotFound, "No commit found for the ref "+ref)
		return
	}
	workflow := s.Workflows[path.Base(file)]
	if workflow == nil || workflow.Path != file || workflow.Files[ref] == "" {
		problem(w, http.StatusNotFound, "Not Found")
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "raw") {
		w.Header().Set("Content-Type", "application/vnd.github.raw+json; charset=utf-8")
		if _, err := w.Write([]byte(workflow.Files[ref])); err != nil {
			panic(err)
		}
		return
	}
	ok(w, nil, map[string]any{"path": file, "encoding": "base64", "content": base64.StdEncoding.EncodeToString([]byte(workflow.Files[ref]))})
}

// declared is what a workflow says of being dispatched, read otherwise than the program under test does.
type declared struct {
	On struct {
		Dispatch *struct {
			Inputs map[string]struct {
				Required bool
				Default  any
				Type     string
				Options  []string
			}
		} `yaml:"workflow_dispatch"`
	}
}

// dispatch checks in GitHub's order, and starts a run.
func (s *Server) dispatch(w http.ResponseWriter, _ *http.Request, id string, body []byte) {
	workflow, _ := s.find(id)
	var d Dispatch
	switch {
	case workflow == nil:
		problem(w, http.StatusNotFound, "Not Found")
	case json.Unmarshal(body, &d) != nil:
		problem(w, http.StatusBadRequest, "Problems parsing JSON")
	case s.OldServer && d.ReturnRunDetails:
		problem(w, http.StatusBadRequest, "Invalid request.\n\n\"return_run_details\" is not a permitted key.")
	case workflow.State != "active":
		problem(w, http.StatusUnprocessableEntity, "Cannot trigger a 'workflow_dispatch' on a disabled workflow")
	case !slices.Contains(s.Refs, d.Ref):
		problem(w, http.StatusUnprocessableEntity, "No ref found for: "+d.Ref)
	default:
		if message := refuses(workflow.Files[d.Ref], d.Inputs); message != "" {
			problem(w, http.StatusUnprocessableEntity, message)
			return
		}
		s.start(w, d)
	}
}

// refuses is what GitHub says to a dispatch that does not fit the file; empty when it does.
func refuses(content string, inputs map[string]string) string {
	var file declared
	if err := yaml.Unmarshal([]byte(content), &file); err != nil || file.On.Dispatch == nil {
		return "Workflow does not have 'workflow_dispatch' trigger"
	}
	var unexpected []string
	for name := range inputs {
		if _, known := file.On.Dispatch.Inputs[name]; !known {
			unexpected = append(unexpected, name)
		}
	}
	if len(unexpected) > 0 {
		slices.Sort(unexpected)
		return `Unexpected inputs provided: ["` + strings.Join(unexpected, `", "`) + `"]`
	}
	for name, in := range file.On.Dispatch.Inputs {
		value, given := inputs[name]
		switch {
		case !given && in.Required && in.Default == nil:
			return "Required input '" + name + "' not provided"
		case given && in.Type == "choice" && !slices.Contains(in.Options, value):
			return "Provided value '" + value + "' for input '" + name + "' not in the list of allowed values"
		}
	}
	return ""
}

// start makes a run of a dispatch.
func (s *Server) start(w http.ResponseWriter, d Dispatch) {
	run := &Run{}
	if s.NewRun != nil {
		run = s.NewRun(d.Inputs)
	}
	run.ID, run.Branch, run.created = int64(1000+len(s.runs)), d.Ref, time.Now()
	if run.Title == "" {
		run.Title = "Deploy " + d.Inputs["nonce"]
	}
	if run.Actor == "" {
		run.Actor = s.Login
	}
	s.runs = append(s.runs, run)
	if !d.ReturnRunDetails || s.NoDetails {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	ok(w, nil, map[string]any{
		"workflow_run_id": run.ID, "html_url": s.page(run),
		"run_url": fmt.Sprintf("https://api.github.com/repos/%s/%s/actions/runs/%d", s.Owner, s.Name, run.ID),
	})
}

func (s *Server) page(run *Run) string {
	return fmt.Sprintf("https://github.com/%s/%s/actions/runs/%d", s.Owner, s.Name, run.ID)
}

// ok writes JSON, with an ETag; what the client has already is not sent again when its request r is given.
func ok(w http.ResponseWriter, r *http.Request, body any) {
	record := httptest.NewRecorder()
	write(record, body)
	tag := fmt.Sprintf(`W/"%08x"`, crc32.ChecksumIEEE(record.Body.Bytes()))
	w.Header().Set("ETag", tag)
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if r != nil && r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if _, err := w.Write(record.Body.Bytes()); err != nil {
		panic(err)
	}
}
