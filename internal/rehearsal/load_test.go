package rehearsal

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestTraffic holds each kind of client to what it is for.
func TestTraffic(t *testing.T) {
	for name, tt := range map[string]struct {
		traffic Traffic
		fresh   bool
	}{
		"keep-alive":                 {Traffic{KeepAlive: 2}, false},
		"keep-alive, at a pace":      {Traffic{KeepAlive: 2, Every: time.Millisecond}, false},
		"new connections":            {Traffic{Fresh: 2}, true},
		"new connections, at a pace": {Traffic{Fresh: 2, Every: time.Millisecond}, true},
	} {
		t.Run(name, func(t *testing.T) {
			const enough = 50
			var requests, connections atomic.Int64
			seen := make(chan struct{})
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "page")
				if requests.Add(1) == enough {
					close(seen)
				}
			}))
			server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					connections.Add(1)
				}
			}
			server.Start()
			defer server.Close()
			tt.traffic.URL = server.URL
			load := StartTraffic(t.Context(), tt.traffic)
			<-seen
			r := load.Stop()
			if r.Failed != 0 || r.Sent < enough-2 || len(r.Bodies) != 1 || r.Bodies[0] != "page" || r.P99 > r.Slowest || r.Slowest == 0 {
				t.Errorf("report = %+v", r)
			}
			if want := int64(2); !tt.fresh && connections.Load() != want {
				t.Errorf("%d connections, want %d", connections.Load(), want)
			}
			if tt.fresh && connections.Load() < int64(r.Sent) {
				t.Errorf("%d connections for %d requests", connections.Load(), r.Sent)
			}
		})
	}
}

func TestFailuresAreCounted(t *testing.T) {
	var requests atomic.Int64
	seen := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := requests.Add(1)
		if n%2 == 0 {
			http.Error(w, "broken", http.StatusBadGateway)
		}
		if n == 60 {
			close(seen)
		}
	}))
	defer server.Close()
	load := StartLoad(t.Context(), server.URL, 1)
	<-seen
	r := load.Stop()
	if r.Failed < 29 || r.Sent < 59 || len(r.Failures) != MostFailures || !strings.Contains(r.Failures[0], "502 Bad Gateway: broken") {
		t.Errorf("report = %+v, want every second request to have failed", r)
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, tt := range []struct {
		of   []time.Duration
		p    int
		want time.Duration
	}{
		{nil, 50, 0}, {hundred[:1], 50, 1}, {hundred[:1], 99, 1}, {hundred[:2], 50, 1}, {hundred[:3], 50, 2},
		{hundred[:20], 95, 19}, {hundred, 50, 50}, {hundred, 95, 95}, {hundred, 99, 99}, {hundred, 100, 100}, {hundred, 0, 1},
	} {
		if got := Percentile(tt.of, tt.p); got != tt.want {
			t.Errorf("percentile %d of %d = %d, want %d", tt.p, len(tt.of), got, tt.want)
		}
	}
}

func TestWriteTable(t *testing.T) {
	var out strings.Builder
	WriteTable(&out, []string{"what", "n"}, [][]string{{"größer", "1"}, {"a", "1,000"}})
	const want = "" +
		"| what   | n     |\n" +
		"| ------ | ----- |\n" +
		"| größer | 1     |\n" +
		"| a      | 1,000 |\n"
	if out.String() != want {
		t.Errorf("table:\n%s\nwant:\n%s", out.String(), want)
	}
}
