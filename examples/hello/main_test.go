package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestHandler(t *testing.T) {
	for _, tc := range []struct {
		path   string
		faults faults
		status int
		body   string
	}{
		{"/", faults{}, 200, greeting + "\ncommit abc\n"},
		{"/health", faults{}, 200, "ok\n"},
		{"/health", faults{unhealthy: true}, 503, "unhealthy: UNHEALTHY is set\n"},
		{"/", faults{unhealthy: true}, 200, greeting + "\ncommit abc\n"},
		{"/other", faults{}, 404, "404 page not found\n"},
	} {
		recorder := httptest.NewRecorder()
		newHandler("abc", tc.faults).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, tc.path, nil))
		if recorder.Code != tc.status || recorder.Body.String() != tc.body {
			t.Errorf("GET %s with %+v = %d %q, want %d %q", tc.path, tc.faults, recorder.Code, recorder.Body, tc.status, tc.body)
		}
	}
}

func TestCheckHealth(t *testing.T) {
	for unhealthy, wantErr := range map[bool]string{false: "", true: "503"} {
		server := httptest.NewServer(newHandler("abc", faults{unhealthy: unhealthy}))
		err := checkHealth(context.Background(), server.URL+"/health")
		server.Close()
		if (err != nil) != unhealthy || (err != nil && !strings.Contains(err.Error(), wantErr)) {
			t.Errorf("unhealthy %v: %v", unhealthy, err)
		}
	}
	if err := checkHealth(context.Background(), "http://127.0.0.1:0/health"); err == nil {
		t.Error("nobody listens, and it is healthy")
	}
}

func TestRunThatEndsByItself(t *testing.T) {
	busy, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	_, busyPort, err := net.SplitHostPort(busy.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		env  []string
		code int
		out  string
	}{
		{[]string{"CRASH=3"}, 3, "exiting with 3"},
		{[]string{"CRASH=0"}, 0, "exiting with 0"},
		{[]string{"PORT=0", "CRASH_AFTER=1ms"}, 1, "CRASH_AFTER 1ms is over, exiting with 1"},
		{[]string{"PORT=0", "CRASH_AFTER=1ms", "CRASH=7", "EAT_MEMORY=1"}, 7, "exiting with 7"},
		{[]string{"CRASH=x"}, 2, `CRASH is "x"`},
		{[]string{"CRASH=256"}, 2, "from 0 to 255"},
		{[]string{"CRASH_AFTER=soon"}, 2, `CRASH_AFTER is "soon"`},
		{[]string{"EAT_MEMORY=lots"}, 2, `EAT_MEMORY is "lots"`},
		{[]string{"PORT=" + busyPort}, 1, "address already in use"},
	} {
		var out strings.Builder
		if code := run(context.Background(), environment(tc.env...), &out); code != tc.code || !strings.Contains(out.String(), tc.out) {
			t.Errorf("%v: exit %d, %q; want %d, %q", tc.env, code, out.String(), tc.code, tc.out)
		}
	}
}

// TestStopFinishesRequests: a request in flight gets its answer, a new connection is refused, and the exit code is 0.
func TestStopFinishesRequests(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-release
		fmt.Fprint(w, "done")
	})
	ctx, stop := context.WithCancel(context.Background())
	said, say := io.Pipe()
	exit := make(chan int, 1)
	go func() {
		exit <- serve(ctx, listener, slow, faults{}, say)
		say.Close()
	}()
	answer := make(chan string, 1)
	go func() { answer <- get("http://" + listener.Addr().String()) }()
	<-entered
	stop()
	lines := bufio.NewScanner(said)
	if !lines.Scan() || !strings.Contains(lines.Text(), "stopping") {
		t.Fatalf("said %q", lines.Text())
	}
	waitRefused(t, listener.Addr().String())
	close(release)
	if got := <-answer; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if !lines.Scan() || lines.Text() != "hello: stopped" {
		t.Errorf("said %q", lines.Text())
	}
	if code := <-exit; code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func get(url string) string {
	response, err := http.Get(url)
	if err != nil {
		return err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err.Error()
	}
	return string(body)
}

// waitRefused waits until nobody accepts connections any more.
func waitRefused(t *testing.T, address string) {
	t.Helper()
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		connection.Close()
	}
	t.Error("it still accepts connections")
}
