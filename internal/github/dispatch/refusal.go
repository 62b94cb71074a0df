package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"
)

// APIError is an answer of GitHub's that is no success.
type APIError struct {
	Status  int
	Message string // GitHub's own words
	header  http.Header
}

// Error gives GitHub's words with its status.
func (e *APIError) Error() string {
	if e.Message == "" {
		return fmt.Sprintf("GitHub answered %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("GitHub answered %d: %s", e.Status, e.Message)
}

// problem is the error that an answer is, if it is one.
func (a answer) problem() error {
	if a.status < 300 || a.status == http.StatusNotModified {
		return nil
	}
	var body struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(a.body, &body) != nil {
		body.Message = "" // a proxy's page, or a storage host's XML
	}
	return &APIError{Status: a.status, Message: strings.TrimSpace(body.Message), header: a.header}
}

// Refusal says why GitHub will not run the workflow, or did not. Nothing was started.
type Refusal struct {
	Reason Reason
	Cause  string
	Cure   string
	Err    error // GitHub's answer; nil when the refusal was foreseen
}

// Error gives the cause, the cure, and what GitHub said.
func (r *Refusal) Error() string {
	text := r.Cause + "\n  " + strings.ReplaceAll(r.Cure, "\n", "\n  ")
	if r.Err != nil {
		text += "\n  " + r.Err.Error()
	}
	return text
}

// Unwrap gives GitHub's answer.
func (r *Refusal) Unwrap() error { return r.Err }

// place is what a refusal is about.
type place struct {
	repository Repository
	token      Token
	workflow   string // file name
	ref        string
}

// refuse makes the refusal of a reason. detail stands where the reason's words have {detail}.
func (p place) refuse(reason Reason, detail string, err error) *Refusal {
	row := explained(reason)
	r := strings.NewReplacer(
		"{host}", p.repository.Host, "{web}", p.repository.Web(), "{repository}", p.repository.String(),
		"{workflow}", p.workflow, "{ref}", p.ref, "{token}", p.token.String(), "{detail}", detail)
	return &Refusal{Reason: reason, Cause: r.Replace(row.Cause), Cure: r.Replace(row.Cure), Err: err}
}

// stage is which of the requests was refused: 404 means something else at each.
type stage int

const (
	atRepository stage = iota
	atWorkflow
	atFile
	atDispatch
	atRun
	atNames // of secrets and variables
)

// explain turns GitHub's answer into the refusal that it is. Other errors are given back as they are.
func (p place) explain(at stage, err error) error {
	var failed *APIError
	if !errors.As(err, &failed) {
		return err
	}
	reason, detail := p.reason(at, failed)
	if reason == "" {
		return fmt.Errorf("%s: %w", p.repository, err)
	}
	return p.refuse(reason, detail, failed)
}

func (p place) reason(at stage, e *APIError) (Reason, string) {
	switch e.Status {
	case http.StatusUnauthorized:
		return ReasonBadCredentials, ""
	case http.StatusForbidden, http.StatusTooManyRequests:
		return forbidden(e)
	case http.StatusNotFound:
		return notFound(at, e)
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return invalid(e)
	}
	return "", ""
}

// forbidden tells the reasons for 403 from one another, by GitHub's words.
func forbidden(e *APIError) (Reason, string) {
	has := func(words string) bool { return strings.Contains(strings.ToLower(e.Message), words) }
	switch {
	case strings.HasPrefix(e.header.Get("X-GitHub-SSO"), "required"), has("saml enforcement"):
		return ReasonSSO, ssoPage(e.header)
	case has("rate limit"), e.Status == http.StatusTooManyRequests:
		return ReasonRateLimit, ""
	case has("resource not accessible by integration"):
		return ReasonIntegration, ""
	case has("resource not accessible by personal access token"):
		return ReasonTokenPermission, ""
	case has("archived"):
		return ReasonArchived, ""
	case has("ip allow list"):
		return ReasonIPAllowList, ""
	case has("admin rights"), has("write access"):
		return ReasonNoWrite, ""
	}
	return ReasonForbidden, ""
}

var ssoURL = regexp.MustCompile(`url=(https://\S+)`)

// ssoPage is where a token is let in, as GitHub's header has it.
func ssoPage(h http.Header) string {
	if m := ssoURL.FindStringSubmatch(h.Get("X-GitHub-SSO")); m != nil {
		return m[1]
	}
	return "the token's Configure SSO button"
}

func notFound(at stage, e *APIError) (Reason, string) {
	switch {
	case at == atRepository:
		return ReasonNoRepository, ""
	case at == atWorkflow:
		return ReasonNoWorkflow, ""
	case at == atFile && strings.HasPrefix(e.Message, "No commit found for the ref"):
		return ReasonNoRef, ""
	case at == atFile:
		return ReasonNotAtRef, ""
	case at == atRun:
		return ReasonNoRun, ""
	}
	return ReasonHidden, ""
}

// invalid tells the reasons for 422 (and 400) from one another, by GitHub's words.
func invalid(e *APIError) (Reason, string) {
	for _, known := range []struct {
		words  string
		reason Reason
	}{
		{"No ref found for", ReasonNoRef},
		{"does not have 'workflow_dispatch' trigger", ReasonNoTrigger},
		{"on a disabled workflow", ReasonDisabled},
		{"Unexpected inputs provided", ReasonUnknownInput},
		{"Required input", ReasonMissingInput},
		{"Provided value", ReasonBadValue},
		{"inputs are too large", ReasonTooLarge},
		{"Actions has been disabled", ReasonActionsOff},
	} {
		if strings.Contains(e.Message, known.words) {
			return known.reason, e.Message
		}
	}
	return ReasonInvalid, ""
}

// base is the name by which the API knows a workflow.
func base(workflow string) string { return path.Base(workflow) }
