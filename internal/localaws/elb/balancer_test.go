package elb

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

const (
	testARN = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/medusa/0123456789abcdef"
	// patience is for what takes milliseconds on a quiet machine.
	patience = 30 * time.Second
)

func openStore(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// newBalancer makes a balancer with quick checks.
func newBalancer(t *testing.T, s *store.Store) *Balancer {
	t.Helper()
	b, err := New(Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	b.pace.eager, b.pace.regular = 5*time.Millisecond, 20*time.Millisecond
	b.pace.silentPatience, b.pace.wrongPatience = 200*time.Millisecond, 50*time.Millisecond
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

func ensure(t *testing.T, b *Balancer, tags map[string]string) {
	t.Helper()
	if err := b.Ensure(t.Context(), Group{ARN: testARN, Service: "c/medusa", Tags: tags}); err != nil {
		t.Fatal(err)
	}
}

// serveTarget starts a server and gives it as a target.
func serveTarget(t *testing.T, id string, handler http.Handler) (Target, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	address := server.Listener.Addr().(*net.TCPAddr)
	return Target{ID: id, IP: address.IP.String(), Port: address.Port}, server
}

func named(id string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, id) })
}

func register(t *testing.T, b *Balancer, target Target) {
	t.Helper()
	if err := b.Register(t.Context(), testARN, target); err != nil {
		t.Fatal(err)
	}
}

func awaitState(t *testing.T, b *Balancer, id string, want State) Health {
	t.Helper()
	var h Health
	await(t, "target "+id+" to be "+string(want), func() bool { h = b.Health(testARN, id); return h.State == want })
	return h
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(patience)
	for !done() {
		select {
		case <-ticker.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// get sends one request and gives the status and the body.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestRequestsGoToHealthyTargetsInTurn(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	ensure(t, b, nil)
	if code, body := get(t, b.URL(testARN)); code != 503 || !strings.Contains(body, "503 Service Unavailable") || !strings.Contains(body, "c/medusa: no healthy target") {
		t.Errorf("without a target: %d %s", code, body)
	}
	broken := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", 500) })
	for id, h := range map[string]http.Handler{"a": named("a"), "b": named("b"), "broken": broken} {
		target, _ := serveTarget(t, id, h)
		register(t, b, target)
	}
	awaitState(t, b, "a", Healthy)
	awaitState(t, b, "b", Healthy)
	if h := awaitState(t, b, "broken", Unhealthy); h.Description != "Health checks failed with these codes: [500]" || h.Reason != "Target.ResponseCodeMismatch" {
		t.Errorf("broken: %+v", h)
	}
	seen := map[string]int{}
	for range 20 {
		code, body := get(t, b.URL(testARN))
		seen[fmt.Sprint(code, body)]++
	}
	if seen["200a"] != 10 || seen["200b"] != 10 {
		t.Errorf("not in turn: %v", seen)
	}
	groups := b.Groups()
	if len(groups) != 1 || groups[0].Service != "c/medusa" || groups[0].URL != b.URL(testARN) || len(groups[0].Targets) != 3 {
		t.Errorf("groups = %+v", groups)
	}
	if err := b.Deregister(t.Context(), testARN, "a"); err != nil {
		t.Fatal(err)
	}
	if h := b.Health(testARN, "a"); h.State != Unused || h.Reason != "Target.NotRegistered" {
		t.Errorf("after Deregister: %+v", h)
	}
	if code, body := get(t, b.URL(testARN)); code != 200 || body != "b" {
		t.Errorf("after Deregister: %d %s", code, body)
	}
}

func TestHealthFollowsTheTarget(t *testing.T) {
	var code atomic.Int64
	code.Store(404)
	target, server := serveTarget(t, "a", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ready" && r.UserAgent() == "ELB-HealthChecker/2.0" {
			w.WriteHeader(int(code.Load()))
		}
	}))
	b := newBalancer(t, openStore(t, t.TempDir()))
	ensure(t, b, map[string]string{TagHealthCheckPath: "/ready", TagHealthCheckMatcher: "204"})
	register(t, b, target)
	awaitState(t, b, "a", Unhealthy)
	code.Store(204)
	awaitState(t, b, "a", Healthy)
	code.Store(302)
	if h := awaitState(t, b, "a", Unhealthy); !strings.Contains(h.Description, "[302]") {
		t.Errorf("%+v", h)
	}
	ensure(t, b, map[string]string{TagHealthCheckPath: "/ready", TagHealthCheckMatcher: "302"})
	awaitState(t, b, "a", Healthy)
	server.Close()
	if h := awaitState(t, b, "a", Unhealthy); h.Reason != "Target.FailedHealthChecks" {
		t.Errorf("%+v", h)
	}
}

func TestHeadersAreAnApplicationLoadBalancers(t *testing.T) {
	seen := make(chan *http.Request, 1)
	target, _ := serveTarget(t, "a", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/x" {
			seen <- r
		}
	}))
	b := newBalancer(t, openStore(t, t.TempDir()))
	ensure(t, b, nil)
	register(t, b, target)
	awaitState(t, b, "a", Healthy)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, b.URL(testARN)+"/x?q=1;2", nil)
	req.Host = "shop.example"
	req.Header.Set("X-Forwarded-For", "198.51.100.7")
	req.Header.Set("X-Forwarded-Host", "front.example")
	req.Header.Set("X-Forwarded-Proto", "gopher")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	got := <-seen
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(b.URL(testARN), "http://"))
	for header, want := range map[string]string{
		"X-Forwarded-For": "198.51.100.7, 127.0.0.1", "X-Forwarded-Proto": "http", "X-Forwarded-Port": port, "X-Forwarded-Host": "front.example",
	} {
		if got.Header.Get(header) != want {
			t.Errorf("%s = %q, want %q", header, got.Header.Get(header), want)
		}
	}
	if got.Host != "shop.example" || got.RequestURI != "/x?q=1;2" {
		t.Errorf("host %q, uri %q", got.Host, got.RequestURI)
	}
}

func TestPortSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, dir)
	b := newBalancer(t, s)
	ensure(t, b, nil)
	ensure(t, b, nil)
	url := b.URL(testARN)
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := newBalancer(t, openStore(t, dir))
	if again.URL(testARN) != "" {
		t.Error("a group listens before it is ensured")
	}
	ensure(t, again, nil)
	if again.URL(testARN) != url {
		t.Errorf("answered on %s, and after a restart on %s", url, again.URL(testARN))
	}
	if err := again.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = again.Ensure(t.Context(), Group{ARN: testARN, Service: "c/medusa"})
	if err == nil || !strings.Contains(err.Error(), "is in use by") || !strings.Contains(err.Error(), TagListenPort) || !strings.Contains(err.Error(), "c/medusa") {
		t.Errorf("a taken port: %v", err)
	}
}

func TestAssumeHealthy(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	b.assume = true
	ensure(t, b, nil)
	register(t, b, Target{ID: "a", IP: "127.255.255.254", Port: 1})
	awaitState(t, b, "a", Healthy)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

func TestListenPortTag(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	target, _ := serveTarget(t, "a", named("a"))
	ensure(t, b, nil)
	register(t, b, target)
	awaitState(t, b, "a", Healthy)
	first, port := b.URL(testARN), freePort(t)
	ensure(t, b, map[string]string{TagListenPort: port})
	if b.URL(testARN) != "http://127.0.0.1:"+port {
		t.Errorf("listens on %s, want port %s", b.URL(testARN), port)
	}
	if code, body := get(t, b.URL(testARN)); code != 200 || body != "a" {
		t.Errorf("after the port changed: %d %s", code, body)
	}
	await(t, "the old port to be closed", func() bool {
		resp, err := http.Get(first)
		if err == nil {
			resp.Body.Close()
		}
		return err != nil
	})
	err := b.Ensure(t.Context(), Group{ARN: "arn:other", Service: "c/other", Tags: map[string]string{TagListenPort: port}})
	if err == nil || !strings.Contains(err.Error(), "is the one of c/medusa") {
		t.Errorf("two groups on one port: %v", err)
	}
	err = b.Ensure(t.Context(), Group{ARN: "arn:other", Service: "c/other", Tags: map[string]string{TagListenPort: "x"}})
	if err == nil || !strings.Contains(err.Error(), "load balancer of c/other") {
		t.Errorf("a bad tag: %v", err)
	}
}

func TestDeadTargetIsPassedOver(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	b.pace.regular = time.Hour // health checks do not notice
	ensure(t, b, nil)
	var posted atomic.Int64
	alive, _ := serveTarget(t, "alive", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n, _ := w.Write(body)
		posted.Add(int64(n))
	}))
	dead, server := serveTarget(t, "dead", named("dead"))
	register(t, b, alive)
	register(t, b, dead)
	awaitState(t, b, "alive", Healthy)
	awaitState(t, b, "dead", Healthy)
	server.Close()
	body := strings.Repeat("x", 100_000)
	for range 10 {
		resp, err := http.Post(b.URL(testARN), "text/plain", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != 200 || string(got) != body {
			t.Fatalf("status %d, %d bytes, %v", resp.StatusCode, len(got), err)
		}
	}
	if posted.Load() != int64(10*len(body)) {
		t.Errorf("the target got %d bytes", posted.Load())
	}
	if err := b.Deregister(t.Context(), testARN, "alive"); err != nil {
		t.Fatal(err)
	}
	if code, page := get(t, b.URL(testARN)); code != 502 || !strings.Contains(page, "target dead") {
		t.Errorf("with a dead target alone: %d %s", code, page)
	}
}

func TestBrokenOffAnswerIsNotRepeated(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	ensure(t, b, map[string]string{TagHealthCheckPath: "/health"})
	var calls atomic.Int64
	for _, id := range []string{"a", "b"} {
		target, _ := serveTarget(t, id, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/health" {
				return
			}
			calls.Add(1)
			panic(http.ErrAbortHandler)
		}))
		register(t, b, target)
		awaitState(t, b, id, Healthy)
	}
	resp, err := http.Post(b.URL(testARN), "text/plain", strings.NewReader("order"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 502 || calls.Load() != 1 {
		t.Errorf("status %d after %d calls; want 502 after one", resp.StatusCode, calls.Load())
	}
}

func TestAnswersStream(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	ensure(t, b, map[string]string{TagHealthCheckPath: "/health"})
	next := make(chan struct{})
	target, _ := serveTarget(t, "a", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n", i)
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	}))
	register(t, b, target)
	awaitState(t, b, "a", Healthy)
	resp, err := http.Get(b.URL(testARN) + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	reader := bufio.NewReader(resp.Body)
	for i := range 3 {
		line, err := reader.ReadString('\n')
		if err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("%q %v", line, err)
		}
		next <- struct{}{}
	}
}

func TestMissingGroupsAndTargets(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	if err := b.Register(t.Context(), testARN, Target{ID: "a"}); err == nil {
		t.Error("registered in a group that is not there")
	}
	if b.Deregister(t.Context(), testARN, "a") != nil || b.Remove(t.Context(), testARN) != nil || b.Health(testARN, "a").State != Unused {
		t.Error("what is not there cannot be removed twice")
	}
	ensure(t, b, nil)
	if err := b.Deregister(t.Context(), testARN, "a"); err != nil {
		t.Error(err)
	}
	url := b.URL(testARN)
	if err := b.Remove(t.Context(), testARN); err != nil {
		t.Fatal(err)
	}
	if resp, err := http.Get(url); err == nil {
		resp.Body.Close()
		t.Error("a removed group still answers")
	}
	if _, known, err := b.records.Get(testARN); known || err != nil {
		t.Errorf("a removed group is remembered (%v)", err)
	}
	if _, err := New(Config{}); err == nil {
		t.Error("New without a store succeeded")
	}
}
