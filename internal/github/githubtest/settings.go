package githubtest

import (
	"net/http"
	"strconv"
	"strings"
)

// Settings are the names of the secrets and variables that a repository, an organization or an environment has.
type Settings struct{ Secrets, Variables []string }

// The most that GitHub gives at once, and what it gives when it is not asked for a number.
const (
	mostSecrets, usualSecrets     = 100, 30
	mostVariables, usualVariables = 30, 10
)

func (s *Server) secrets(w http.ResponseWriter, r *http.Request, _ string, _ []byte) {
	listSecrets(w, r, s.Secrets)
}

func (s *Server) variables(w http.ResponseWriter, r *http.Request, _ string, _ []byte) {
	listVariables(w, r, s.Variables)
}

func (s *Server) organizationSecrets(w http.ResponseWriter, r *http.Request, _ string, _ []byte) {
	if s.OwnerType != "Organization" {
		problem(w, http.StatusNotFound, "Not Found")
		return
	}
	listSecrets(w, r, s.Organization.Secrets)
}

func (s *Server) organizationVariables(w http.ResponseWriter, r *http.Request, _ string, _ []byte) {
	if s.OwnerType != "Organization" {
		problem(w, http.StatusNotFound, "Not Found")
		return
	}
	listVariables(w, r, s.Organization.Variables)
}

func (s *Server) environmentSecrets(w http.ResponseWriter, r *http.Request, name string, _ []byte) {
	if own, found := s.Environments[strings.ToLower(name)]; found {
		listSecrets(w, r, own.Secrets)
		return
	}
	problem(w, http.StatusNotFound, "Not Found")
}

func (s *Server) environmentVariables(w http.ResponseWriter, r *http.Request, name string, _ []byte) {
	if own, found := s.Environments[strings.ToLower(name)]; found {
		listVariables(w, r, own.Variables)
		return
	}
	problem(w, http.StatusNotFound, "Not Found")
}

func listSecrets(w http.ResponseWriter, r *http.Request, names []string) {
	entries := []map[string]string{}
	for _, name := range page(r, names, usualSecrets, mostSecrets) {
		entries = append(entries, map[string]string{"name": name, "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z"})
	}
	ok(w, nil, map[string]any{"total_count": len(names), "secrets": entries})
}

func listVariables(w http.ResponseWriter, r *http.Request, names []string) {
	entries := []map[string]string{}
	for _, name := range page(r, names, usualVariables, mostVariables) {
		entries = append(entries, map[string]string{"name": name, "value": "of " + name, "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z"})
	}
	ok(w, nil, map[string]any{"total_count": len(names), "variables": entries})
}

// page is the part of a list that a request asks for.
func page(r *http.Request, names []string, usual, most int) []string {
	size, number := usual, 1
	if n, err := strconv.Atoi(r.URL.Query().Get("per_page")); err == nil && n > 0 {
		size = min(n, most)
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil && n > 0 {
		number = n
	}
	from := min((number-1)*size, len(names))
	return names[from:min(from+size, len(names))]
}
