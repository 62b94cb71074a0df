package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestFateIsDecidedByTheSeed(t *testing.T) {
	const n = 20_000
	kinds := map[Fault]int{}
	same := 0
	for i := range n {
		f := ProxyConfig{Seed: 1, Share: 0.2}.fate("DescribeServices", protocolJSON, i)
		kinds[f]++
		if f != (ProxyConfig{Seed: 1, Share: 0.2}).fate("DescribeServices", protocolJSON, i) {
			t.Fatal("the same call has two fates")
		}
		if f == (ProxyConfig{Seed: 2, Share: 0.2}).fate("DescribeServices", protocolJSON, i) && f != "" {
			same++
		}
	}
	if share := float64(n-kinds[""]) / n; share < 0.19 || share > 0.21 {
		t.Errorf("%.3f of the calls go wrong, want a fifth", share)
	}
	if len(kinds) != len(weights)+1 {
		t.Errorf("only these are injected: %v", kinds)
	}
	if same > n/50 {
		t.Errorf("another seed decides the same %d times", same)
	}
	if (ProxyConfig{}).fate("x", protocolJSON, 1) != "" || (ProxyConfig{Share: 1}).fate("x", protocolJSON, 1) == "" {
		t.Error("a share of 0 lets everything through, one of 1 nothing")
	}
}

// behind is a proxy that lets everything go wrong in one way, before a server that counts what arrives.
func behind(t *testing.T, fault Fault) (url string, arrived *atomic.Int32) {
	t.Helper()
	arrived = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, r.Host+" got "+string(body)+" from "+r.Header.Get("X-Forwarded-For"))
	}))
	t.Cleanup(server.Close)
	config := ProxyConfig{Share: 1, Stall: 10 * time.Millisecond, Only: []Fault{fault}}
	if fault == "" {
		config.Share = 0
	}
	p, err := StartProxy(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	p.Forward(strings.TrimPrefix(server.URL, "http://"))
	return "http://" + p.Address(), arrived
}

// ask sends a call and gives the status, the body, and the error of either.
func ask(ctx context.Context, url, path, target, body string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if target != "" {
		request.Header.Set("X-Amz-Target", target)
	}
	request.Host = "ecs.example:4566"
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	return response.StatusCode, string(raw), err
}

func TestProxyPassesCallsOnAsTheyAre(t *testing.T) {
	url, arrived := behind(t, "")
	for _, path := range []string{"/", "/v2/", "/_local/status"} {
		status, body, err := ask(t.Context(), url, path, "", "Action=GetCallerIdentity")
		if err != nil || status != 200 || body != "ecs.example:4566 got Action=GetCallerIdentity from " {
			t.Errorf("%s: %d %q %v", path, status, body, err)
		}
	}
	if arrived.Load() != 3 {
		t.Errorf("%d arrived", arrived.Load())
	}
}

func TestProxyFaults(t *testing.T) {
	const target = "AmazonEC2ContainerServiceV20141113.ListTasks"
	cases := []struct {
		fault              Fault
		path, target, body string
		status             int
		says               string
		err                error
		arrives            int32
	}{
		{FaultThrottle, "/", target, "{}", 400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`, nil, 0},
		{FaultThrottle, "/", "", "Action=GetCallerIdentity", 400, "<Code>Throttling</Code>", nil, 0},
		{FaultThrottle, "/v2/x/manifests/latest", "", "", 429, "TOOMANYREQUESTS", nil, 0},
		{FaultServer, "/", target, "{}", 500, "ServerException", nil, 0},
		{FaultUnavailable, "/", target, "{}", 503, "<html>", nil, 0},
		{FaultUnavailable, "/v2/x/blobs/uploads/", "", "", 503, "UNAVAILABLE", nil, 0},
		{FaultExpired, "/", target, "{}", 400, "ExpiredTokenException", nil, 0},
		{FaultExpired, "/", "", "Action=GetCallerIdentity", 403, "<Code>ExpiredToken</Code>", nil, 0},
		{FaultResetBefore, "/", target, "{}", 0, "", syscall.ECONNRESET, 0},
		{FaultResetAfter, "/", target, "{}", 0, "", syscall.ECONNRESET, 1},
		{FaultStall, "/", target, "{}", 0, "", syscall.ECONNRESET, 0},
		{FaultTruncate, "/", target, "{}", 200, "ecs.", io.ErrUnexpectedEOF, 1},
		{FaultThrottle, "/_local/status", "", "", 200, "got", nil, 1},
	}
	for _, c := range cases {
		t.Run(string(c.fault)+" "+c.path+c.target, func(t *testing.T) {
			url, arrived := behind(t, c.fault)
			status, body, err := ask(t.Context(), url, c.path, c.target, c.body)
			if status != c.status || !strings.Contains(body, c.says) || !errors.Is(err, c.err) || arrived.Load() != c.arrives {
				t.Errorf("%d %q %v, %d arrived", status, body, err, arrived.Load())
			}
		})
	}
}

// TestARegistryTokenExpiresForGood: what helps is another one.
func TestARegistryTokenExpiresForGood(t *testing.T) {
	p, err := StartProxy(t.Context(), ProxyConfig{Share: 1, Seed: 3, Only: []Fault{FaultExpired}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	expired := 0
	for n := range 200 {
		token, gone := fmt.Sprint("Basic ", n), false
		for call := range 20 {
			refused := p.next("HEAD blobs", protocolRegistry, token) == FaultExpired
			if refused && call == 0 || gone && !refused {
				t.Fatalf("token %d, call %d: refused %t after it was gone: %t", n, call, refused, gone)
			}
			gone = gone || refused
		}
		if gone {
			expired++
		}
	}
	if expired < 80 || expired > 120 {
		t.Errorf("%d of 200 tokens expired, want half of them", expired)
	}
	if p.next("HEAD blobs", protocolRegistry, "") != "" {
		t.Error("a call without a token cannot have one that expired")
	}
}

func TestProxyCounts(t *testing.T) {
	p, err := StartProxy(t.Context(), ProxyConfig{Share: 0.5, Seed: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	injected := 0
	for range 1000 {
		if p.next("ListTasks", protocolJSON, "") != "" {
			injected++
		}
	}
	calls, faults := p.Counts()
	sum := 0
	for n := range maps.Values(faults) {
		sum += n
	}
	if calls != 1000 || sum != injected || injected < 400 || injected > 600 {
		t.Errorf("%d calls, %d faults counted, %d injected", calls, sum, injected)
	}
}
