package rehearsal

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/coder/websocket"
)

// serveEcho serves WebSockets that echo some messages and then end as end says. It gives the address and a channel that is
// closed when so many messages have been echoed in all.
func serveEcho(t *testing.T, each, enough int64, end func(*websocket.Conn)) (url string, seen chan struct{}) {
	t.Helper()
	seen = make(chan struct{})
	var echoed atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		for n := int64(0); n < each; n++ {
			kind, message, err := conn.Read(context.Background())
			if err != nil || conn.Write(context.Background(), kind, message) != nil {
				return
			}
			if echoed.Add(1) == enough {
				close(seen)
			}
		}
		end(conn)
	}))
	t.Cleanup(server.Close)
	return server.URL, seen
}

func TestSocketsFollowAServerThatGoesAway(t *testing.T) {
	url, seen := serveEcho(t, 3, 30, func(conn *websocket.Conn) { _ = conn.Close(websocket.StatusGoingAway, "going away") })
	sockets := StartSockets(t.Context(), url, 2, 0)
	<-seen
	r := sockets.Stop()
	if r.Lost != 0 || r.Broken != 0 || r.Sent < 28 || r.Reconnects < 6 || r.AskedAgain > r.Reconnects || len(r.Failures) > 0 || r.Slowest == 0 {
		t.Errorf("report = %+v, want nothing lost and a new connection after every third echo", r)
	}
}

// TestSocketsThatAreCutOff: an echo that was asked for on a connection that just ends is lost, and one that the server
// closes for any other reason than going away as well. What cannot be known, whether the message was on its way when the
// connection ended, is never taken for a success.
func TestSocketsThatAreCutOff(t *testing.T) {
	for name, end := range map[string]func(*websocket.Conn){
		"connection lost": func(conn *websocket.Conn) {
			if _, _, err := conn.Read(context.Background()); err == nil { // the message is here, and no answer
				_ = conn.CloseNow()
			}
		},
		"internal error": func(conn *websocket.Conn) {
			if _, _, err := conn.Read(context.Background()); err == nil {
				_ = conn.Close(websocket.StatusInternalError, "broken")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			url, seen := serveEcho(t, 4, 12, end)
			sockets := StartSockets(t.Context(), url, 1, 0)
			<-seen
			r := sockets.Stop()
			if r.Lost < 2 || r.Reconnects != 0 || r.AskedAgain != 0 || len(r.Failures) == 0 {
				t.Errorf("report = %+v, want every fifth echo lost", r)
			}
		})
	}
}

func TestSocketsWithNobodyThere(t *testing.T) {
	tried := make(chan struct{})
	var tries atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries.Add(1) == 3 {
			close(tried)
		}
		http.Error(w, "no target", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	sockets := StartSockets(t.Context(), server.URL, 1, 0)
	<-tried
	r := sockets.Stop()
	if r.Broken < 2 || r.Lost != 0 || !strings.Contains(strings.Join(r.Failures, "\n"), "503") {
		t.Errorf("report = %+v, want connections that did not come about", r)
	}
}

func TestSocketsNoticeAWrongEcho(t *testing.T) {
	answered := make(chan struct{})
	var once atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.CloseNow()
		for {
			if _, _, err := conn.Read(context.Background()); err != nil {
				return
			}
			if once.Swap(true) {
				select {
				case <-answered:
				default:
					close(answered)
				}
			}
			if err := conn.Write(context.Background(), websocket.MessageText, []byte("something else")); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	sockets := StartSockets(t.Context(), server.URL, 1, 0)
	<-answered // the second was asked for: the first is told of
	if r := sockets.Stop(); r.Lost < 1 || !strings.Contains(r.Failures[0], `came back as "something else"`) {
		t.Errorf("report = %+v, want a wrong echo to be a lost one", r)
	}
}
