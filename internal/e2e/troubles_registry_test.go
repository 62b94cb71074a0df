//go:build linux

package e2e

import (
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// refusal answers in the registry's, or ECR's, stead.
type refusal struct {
	when   func(*http.Request) bool
	status int
	kind   string // Content-Type
	body   string
}

// registryError is an answer of a registry.
func registryError(when func(*http.Request) bool, status int, code, message string) *refusal {
	return &refusal{when, status, "application/json", `{"errors":[{"code":"` + code + `","message":"` + message + `"}]}`}
}

func puts(part string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == http.MethodPut && strings.Contains(r.URL.Path, part) }
}

// troubledRegistry: the registry does not take the image. What real ECR alone answers is answered in its stead.
func troubledRegistry(t *testing.T, m *manual) {
	stage := newStage(t)
	withProgram(t, stage)
	unprepared(t, stage)
	var refusing atomic.Pointer[refusal]
	upBehind(t, stage, &refusing)
	refuse := func(title string, r *refusal) {
		t.Helper()
		refusing.Store(r)
		m.fails(t, stage, title, "push")
		refusing.Store(nil)
	}
	refuse("The login is refused", &refusal{
		when: func(r *http.Request) bool {
			return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetAuthorizationToken")
		}, status: http.StatusBadRequest, kind: "application/x-amz-json-1.1",
		body: `{"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:GetAuthorizationToken on resource: *"}`,
	})
	refuse("The repository cannot be made", &refusal{
		when: func(r *http.Request) bool {
			return strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".CreateRepository")
		}, status: http.StatusBadRequest, kind: "application/x-amz-json-1.1",
		body: `{"__type":"AccessDeniedException","message":"User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:CreateRepository on resource: arn:aws:ecr:us-east-1:123456789012:repository/medusa"}`,
	})
	writes := func(r *http.Request) bool {
		return r.Method == http.MethodPost && strings.Contains(r.URL.Path, "/blobs/uploads/")
	}
	refuse("The registry refuses the push", registryError(func(r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/v2/medusa/") && (writes(r) || r.Method == http.MethodPut)
	},
		http.StatusForbidden, "DENIED", "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:InitiateLayerUpload on resource: arn:aws:ecr:us-east-1:123456789012:repository/medusa"))
	refuse("The repository is gone", registryError(writes, http.StatusNotFound, "NAME_UNKNOWN", "The repository with name 'medusa' does not exist in the registry with id '123456789012'"))
	refuse("The repository is full", registryError(puts("/manifests/"), http.StatusForbidden, "DENIED",
		"The repository with name 'medusa' in registry with id '123456789012' already has the maximum allowed number of images which is '20000'"))
	if pushed := green(t, stage, release.OutcomeSucceeded, "push"); pushed.Digest == "" {
		t.Error("nothing was pushed after all that")
	}
}

// upBehind starts a local AWS that is reached through a proxy, which refuses what it is told to.
func upBehind(t *testing.T, stage *rehearsal.Stage, refusing *atomic.Pointer[refusal]) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := stage.Up(t.Context(), "--advertise", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	status, err := stage.LocalStatus(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	upstream := &url.URL{Scheme: "http", Host: status.Info.Listen}
	forward := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream); r.Out.Host = r.In.Host }} // Host is signed
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := refusing.Load()
		if one == nil || !one.when(r) {
			forward.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", one.kind)
		w.WriteHeader(one.status)
		_, _ = w.Write([]byte(one.body))
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}
