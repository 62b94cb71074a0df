package githubtest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Token is the one that the server accepts.
const Token = "ghp_0123456789abcdefghijklmnopqrstuvwx"

// DeployWorkflow is a workflow that can be dispatched, and shows no nonce.
const DeployWorkflow = `name: Deploy
on:
  workflow_dispatch:
    inputs:
      target: {type: choice, options: [production, staging], required: true}
      action: {type: choice, options: [ship, rollback], default: ship}
      release: {type: string}
jobs: {}
`

// AddWorkflow adds .github/workflows/deploy.yml to the branch main.
func (s *Server) AddWorkflow(content string) {
	s.Workflows["deploy.yml"] = &Workflow{
		Path: ".github/workflows/deploy.yml", State: "active", Files: map[string]string{"main": content},
	}
}

// Answer is one that is given instead of the usual one.
type Answer struct {
	Status  int
	Message string
	Header  map[string]string
	Times   int  // how often; 0: always
	Lost    bool // do the work, then break the connection off instead of answering
}

// Server is a GitHub with one repository. Its fields are set before it is used.
type Server struct {
	Owner, Name   string
	DefaultBranch string
	Archived      bool
	Private       bool
	Scopes        *string // X-OAuth-Scopes, of classic tokens; nil: the token has none
	NoPush        bool    // the token's user may only read
	Login         string  // of the token's user; empty: it has none, as a workflow's
	Refs          []string
	Workflows     map[string]*Workflow
	OldServer     bool // does not know return_run_details
	NoDetails     bool // answers 204 although details are asked for
	NewRun        func(inputs map[string]string) *Run

	Accept       string // the token that is accepted; empty: Token
	Fork         bool
	OwnerType    string // "Organization" or "User"
	Settings            // of the repository
	Organization Settings
	Environments map[string]Settings // by name in lower case

	mu       sync.Mutex
	answers  map[string]*Answer
	runs     []*Run
	requests []Request
	noted    chan struct{} // closed with the next request; nil when nobody waits for it
	leaks    []string
	storage  string // base URL of the storage host
}

// Workflow is a workflow file.
type Workflow struct {
	Path  string
	State string            // "active", "disabled_manually", …; empty: not on the default branch
	Files map[string]string // content by ref
}

// Request is one that the server got.
type Request struct {
	Kind   string // "repository", "workflow", "contents", "dispatch", "runs", "run", "jobs", "log", "user", "storage", …
	Method string
	Path   string
	Header http.Header
	Body   string
	Status int // of the answer; 0: none was given
}

// New is a server with the repository acme/shop.
func New() *Server {
	return &Server{
		Owner: "acme", Name: "shop", DefaultBranch: "main", Refs: []string{"main"}, Login: "ada",
		OwnerType: "Organization",
		Workflows: map[string]*Workflow{}, answers: map[string]*Answer{}, storage: "https://storage.example",
	}
}

// Answer has requests of a kind answered otherwise.
func (s *Server) Answer(kind string, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[kind] = &a
}

// Requests are those of some kinds, in their order; of all kinds when none is named.
func (s *Server) Requests(kinds ...string) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Request
	for _, r := range s.requests {
		if len(kinds) == 0 || strings.Contains(" "+strings.Join(kinds, " ")+" ", " "+r.Kind+" ") {
			found = append(found, r)
		}
	}
	return found
}

// note keeps a request, and tells who waits for it. The lock is held.
func (s *Server) note(r Request) {
	s.requests = append(s.requests, r)
	if s.noted != nil {
		close(s.noted)
		s.noted = nil
	}
}

// Await waits for the first request of a kind.
func (s *Server) Await(ctx context.Context, kind string) error {
	for {
		s.mu.Lock()
		if s.noted == nil {
			s.noted = make(chan struct{})
		}
		noted := s.noted
		s.mu.Unlock()
		if len(s.Requests(kind)) > 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no request of kind %s: %w", kind, context.Cause(ctx))
		case <-noted:
		}
	}
}

// Leaks are the requests that brought a token to where none belongs.
func (s *Server) Leaks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.leaks...)
}

// Dispatches are the bodies of the dispatches that were taken.
func (s *Server) Dispatches() []Dispatch {
	var all []Dispatch
	for _, r := range s.Requests("dispatch") {
		var d Dispatch
		if json.Unmarshal([]byte(r.Body), &d) == nil && (r.Status == http.StatusOK || r.Status == http.StatusNoContent || r.Status == 0) {
			all = append(all, d)
		}
	}
	return all
}

// Dispatch is what a dispatch asks for.
type Dispatch struct {
	Ref              string            `json:"ref"`
	Inputs           map[string]string `json:"inputs"`
	ReturnRunDetails bool              `json:"return_run_details"`
}

// lost is what an answer is when the connection breaks.
const lost = 0

// ServeHTTP is the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	s.mu.Lock()
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3")
	kind, id := s.route(r.Method, path)
	record := httptest.NewRecorder()
	s.answer(record, r, kind, id, body)
	breaks := false
	if a := s.answers[kind]; a != nil && a.Lost {
		breaks = s.spend(kind, a)
	}
	answered := record.Code
	if breaks {
		answered = lost
	}
	s.note(Request{Kind: kind, Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: string(body), Status: answered})
	s.mu.Unlock()
	if breaks {
		panic(http.ErrAbortHandler)
	}
	for name, values := range record.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(record.Code)
	if record.Body.Len() == 0 {
		return // some statuses allow none
	}
	if _, err := w.Write(record.Body.Bytes()); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// spend counts one use of an answer.
func (s *Server) spend(kind string, a *Answer) bool {
	if a.Times > 0 {
		if a.Times--; a.Times == 0 {
			delete(s.answers, kind)
		}
	}
	return true
}

// route tells what a request is about.
func (s *Server) route(method, path string) (kind, id string) {
	if path == "/user" {
		return "user", ""
	}
	rest, ours := strings.CutPrefix(path, "/repos/"+s.Owner+"/"+s.Name)
	if !ours {
		return "elsewhere", path
	}
	parts := strings.Split(strings.Trim(rest, "/"), "/")
	for i, part := range parts {
		if plain, err := url.PathUnescape(part); err == nil {
			parts[i] = plain
		}
	}
	is := func(pattern string) bool {
		want := strings.Split(pattern, "/")
		if len(want) != len(parts) {
			return false
		}
		for i := range want {
			if want[i] == "*" {
				id = parts[i]
			} else if want[i] != parts[i] {
				return false
			}
		}
		return true
	}
	switch {
	case rest == "":
		return "repository", ""
	case parts[0] == "contents":
		return "contents", strings.Join(parts[1:], "/")
	case method == http.MethodPost && is("actions/workflows/*/dispatches"):
		return "dispatch", id
	case is("actions/workflows"):
		return "workflows", ""
	case is("actions/workflows/*"):
		return "workflow", id
	case is("actions/workflows/*/runs"):
		return "runs", id
	case is("actions/runs/*/jobs"):
		return "jobs", id
	case is("actions/runs/*"):
		return "run", id
	case is("actions/jobs/*/logs"):
		return "log", id
	case is("actions/secrets"), is("actions/variables"), is("actions/organization-secrets"), is("actions/organization-variables"):
		return parts[1], ""
	case is("environments/*/secrets"), is("environments/*/variables"):
		return "environment-" + parts[2], id
	}
	return "unknown", path
}

// answer writes what GitHub would.
func (s *Server) answer(w *httptest.ResponseRecorder, r *http.Request, kind, id string, body []byte) {
	w.Header().Set("Date", time.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("X-RateLimit-Limit", "5000")
	w.Header().Set("X-RateLimit-Remaining", "4999")
	if a := s.answers[kind]; a != nil && !a.Lost && s.spend(kind, a) {
		for name, value := range a.Header {
			w.Header().Set(name, value)
		}
		problem(w, a.Status, a.Message)
		return
	}
	if r.Header.Get("User-Agent") == "" {
		problem(w, http.StatusForbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header (https://docs.github.com/rest/overview/resources-in-the-rest-api#user-agent-required).")
		return
	}
	_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ") // "Bearer", or gh's "token"
	if token != cmp.Or(s.Accept, Token) {
		problem(w, http.StatusUnauthorized, "Bad credentials")
		return
	}
	if s.Scopes != nil {
		w.Header()["X-Oauth-Scopes"] = []string{*s.Scopes}
	}
	handle, known := map[string]func(http.ResponseWriter, *http.Request, string, []byte){
		"repository": s.repository, "user": s.user, "workflows": s.list, "workflow": s.workflow, "contents": s.contents,
		"dispatch": s.dispatch, "runs": s.listRuns, "run": s.run, "jobs": s.jobs, "log": s.log,
		"secrets": s.secrets, "organization-secrets": s.organizationSecrets, "environment-secrets": s.environmentSecrets,
		"variables": s.variables, "organization-variables": s.organizationVariables, "environment-variables": s.environmentVariables,
	}[kind]
	if !known {
		problem(w, http.StatusNotFound, "Not Found")
		return
	}
	handle(w, r, id, body)
}

// problem writes an error as GitHub does.
func problem(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	write(w, map[string]string{
		"message": message, "documentation_url": "https://docs.github.com/rest", "status": fmt.Sprint(status),
	})
}

func write(w io.Writer, body any) {
	if err := json.NewEncoder(w).Encode(body); err != nil {
		panic(err)
	}
}
