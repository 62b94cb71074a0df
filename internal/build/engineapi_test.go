package build

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	loadedID = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	otherID  = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
)

// fakeEngine is a Docker Engine that answers as the handlers do, by method and path.
func fakeEngine(t *testing.T, handlers map[string]http.HandlerFunc) *engine {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, handler := range handlers {
		mux.HandleFunc(pattern, handler)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	e := BuildxConfig{}.engineOf("")
	e.http = server.Client()
	e.http.Transport = &redirected{to: strings.TrimPrefix(server.URL, "http://"), over: e.http.Transport}
	return e
}

// redirected sends every request to one host.
type redirected struct {
	to   string
	over http.RoundTripper
}

func (r *redirected) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host = r.to
	return r.over.RoundTrip(req)
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, body)
	}
}

func TestVerify(t *testing.T) {
	about := engineInfo{ServerVersion: "28.2.2"}
	has := func(id string) http.HandlerFunc {
		return says(http.StatusOK, `{"Id": "`+id+`", "RootFS": {"Layers": []}}`)
	}
	for name, c := range map[string]struct {
		image  http.HandlerFunc
		parts  []string // of the error; none: it is there
		missed bool
	}{
		"there":      {image: has(loadedID)},
		"gone":       {image: says(http.StatusNotFound, `{"message": "No such image: host:5000/app:git-abc"}`), missed: true, parts: []string{"the image is not in the local engine", "Docker Engine 28.2.2 says after it was loaded that there is no host:5000/app:git-abc", "docker system df"}},
		"other":      {image: has(otherID), missed: true, parts: []string{"host:5000/app:git-abc is " + otherID, loadedID, "load it again"}},
		"ill":        {image: says(http.StatusInternalServerError, `{"message": "database is locked"}`), parts: []string{"500 Internal Server Error: database is locked"}},
		"not Docker": {image: says(http.StatusOK, `<html>`), parts: []string{"the Docker Engine's answer to GET /images/"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := fakeEngine(t, map[string]http.HandlerFunc{"GET /images/host:5000/app:git-abc/json": c.image})
			loaded, err := e.verify(t.Context(), about, []string{"host:5000/app:git-abc"}, "", loadedID)
			if len(c.parts) == 0 {
				if err != nil || loaded.ID != release.Digest(loadedID) || loaded.Engine != "Docker Engine 28.2.2" {
					t.Errorf("%+v, %v", loaded, err)
				}
				return
			}
			if err == nil || errors.Is(err, ErrNotLoaded) != c.missed {
				t.Fatalf("got %v", err)
			}
			for _, part := range c.parts {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is missing in %v", part, err)
				}
			}
		})
	}
}

func TestEngineLoad(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"loaded":  {answer: says(http.StatusOK, `{"stream": "Loaded image: a:b\n"}`)},
		"no room": {answer: says(http.StatusOK, `{"errorDetail": {"message": "no space left on device"}, "error": "no space left on device"}`), want: "the Docker Engine cannot load the image: no space left on device"},
		"refused": {answer: says(http.StatusBadRequest, `{"message": "unexpected EOF"}`), want: "400 Bad Request: unexpected EOF"},
		"cut":     {answer: says(http.StatusOK, `{"stream": "Loa`), want: "load the image into the Docker Engine"},
	} {
		t.Run(name, func(t *testing.T) {
			e := fakeEngine(t, map[string]http.HandlerFunc{"POST /images/load": c.answer})
			err := e.load(t.Context(), strings.NewReader("archive"))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOneOf(t *testing.T) {
	engine := engineInfo{ServerVersion: "20.10", OSType: "linux", Architecture: "x86_64"}
	if got, err := engine.oneOf([]string{"linux/arm64", "linux/amd64"}); err != nil || got != "linux/amd64" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := engine.oneOf([]string{"linux/arm64"}); err == nil || !strings.Contains(err.Error(), "Docker Engine 20.10 runs linux/amd64") {
		t.Errorf("got %v", err)
	}
}

func TestSplitName(t *testing.T) {
	for name, want := range map[string][2]string{
		"host:5000/app:git-abc": {"host:5000/app", "git-abc"},
		"host:5000/app":         {"host:5000/app", "latest"},
		"app":                   {"app", "latest"},
		"app:1":                 {"app", "1"},
	} {
		if repository, tag := splitName(name); repository != want[0] || tag != want[1] {
			t.Errorf("%s: %s %s", name, repository, tag)
		}
	}
}
