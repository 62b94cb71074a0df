package ecr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Registry is the OCI distribution API, to be served under /v2/. Requests authenticate with the password that
// GetAuthorizationToken issues; its region is the region of the request.
func (b *Backend) Registry() http.Handler { return &registry{backend: b} }

type registry struct{ backend *Backend }

// visit is one authenticated request for something in a repository.
type visit struct {
	w    http.ResponseWriter
	r    *http.Request
	at   place
	kind string // blobs, uploads, manifests, tags, referrers
	ref  string // digest, tag or upload id; may be empty for uploads
}

// ServeHTTP implements http.Handler.
func (g *registry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	claim, err := g.authenticate(r)
	if err != nil {
		g.refuse(w, err)
		return
	}
	if strings.Trim(r.URL.Path, "/") == "v2" {
		writeJSON(w, http.StatusOK, "application/json", struct{}{})
		return
	}
	v, ok := route(r.URL.Path)
	if !ok {
		g.fail(w, r, &ociError{http.StatusNotFound, "UNSUPPORTED", "no such resource: " + r.URL.Path})
		return
	}
	v.w, v.r, v.at.region = w, r, claim.Region
	if err := g.serve(v); err != nil {
		g.fail(w, r, err)
	}
}

// authenticate reads the token: of Basic authentication, or in the URL when GetDownloadUrlForLayer made it.
func (g *registry) authenticate(r *http.Request) (token, error) {
	user, password, ok := r.BasicAuth()
	inURL := r.URL.Query().Get("token")
	if inURL != "" && !ok {
		password = inURL
	} else if user != tokenUser {
		return token{}, errBadToken
	}
	t, err := g.backend.redeem(password, time.Now())
	if err != nil {
		return t, err
	}
	reading := r.Method == http.MethodGet || r.Method == http.MethodHead
	if t.Path != "" && (t.Path != r.URL.Path || !reading) || t.Path == "" && !ok {
		return t, errBadToken
	}
	return t, nil
}

// refuse answers an unauthenticated request as ECR does.
func (g *registry) refuse(w http.ResponseWriter, err error) {
	if errors.Is(err, errExpiredToken) {
		writeOCIError(w, &ociError{http.StatusForbidden, "DENIED", "Your authorization token has expired. Reauthenticate and try again."})
		return
	}
	w.Header().Set("Www-Authenticate", fmt.Sprintf(`Basic realm="http://%s/",service="ecr.amazonaws.com"`, g.backend.host))
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte("Not Authorized\n"))
}

// route takes a path apart. Names contain slashes, so that the known words are looked for from the right.
func route(path string) (visit, bool) {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return visit{}, false
	}
	if name, ok := strings.CutSuffix(rest, "/tags/list"); ok {
		return visit{at: place{name: name}, kind: "tags"}, true
	}
	if name, ok := strings.CutSuffix(strings.TrimSuffix(rest, "/"), "/blobs/uploads"); ok {
		return visit{at: place{name: name}, kind: "uploads"}, true
	}
	slash := strings.LastIndexByte(rest, '/')
	if slash < 0 {
		return visit{}, false
	}
	head, ref := rest[:slash], rest[slash+1:]
	for _, known := range []struct{ suffix, kind string }{
		{"/blobs/uploads", "uploads"}, {"/blobs", "blobs"}, {"/manifests", "manifests"}, {"/referrers", "referrers"},
	} {
		if name, ok := strings.CutSuffix(head, known.suffix); ok && ref != "" {
			return visit{at: place{name: name}, kind: known.kind, ref: ref}, true
		}
	}
	return visit{}, false
}

func (g *registry) serve(v visit) error {
	if !validName(v.at.name) {
		return &ociError{http.StatusBadRequest, "NAME_INVALID", "the repository name must match " + namePattern + " and have 2 to 256 characters"}
	}
	if _, err := g.backend.find(v.at); err != nil {
		return err
	}
	handlers := map[string]map[string]func(visit) error{
		"blobs":     {http.MethodGet: g.getBlob, http.MethodHead: g.getBlob, http.MethodDelete: g.deleteBlob},
		"uploads":   {http.MethodGet: g.uploadStatus, http.MethodPatch: g.patchUpload, http.MethodPut: g.putUpload, http.MethodDelete: g.cancelUpload},
		"manifests": {http.MethodGet: g.getManifest, http.MethodHead: g.getManifest, http.MethodPut: g.putManifest, http.MethodDelete: g.deleteManifest},
		"tags":      {http.MethodGet: g.listTags},
		"referrers": {http.MethodGet: g.listReferrers},
	}[v.kind]
	if v.kind == "uploads" && v.ref == "" {
		handlers = map[string]func(visit) error{http.MethodPost: g.startUpload}
	}
	handle := handlers[v.r.Method]
	if handle == nil {
		return &ociError{http.StatusMethodNotAllowed, "UNSUPPORTED", "the method " + v.r.Method + " is not supported here"}
	}
	return handle(v)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, value any) {
	body, _ := json.Marshal(value) // our own types
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
