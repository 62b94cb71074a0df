// Command echo is the app that is rolled out under load: it answers with the commit that it was built from, and echoes what
// comes through WebSockets. It ends no connection but in order: a WebSocket is told that the app goes away (status 1001) when
// the app is stopped, and also when it gets old, because nobody tells an app that its load balancer has begun to drain it, and
// at the end of the deregistration delay the load balancer cuts off what is still open.
package main

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/coder/websocket"
)

const (
	address = ":9000"
	// oldest is how long a WebSocket stays open. It must be well below the target group's deregistration delay.
	oldest = 3 * time.Second
	// drainTimeout must be below the container's stopTimeout.
	drainTimeout = 8 * time.Second
)

func main() {
	check := flag.Bool("check", false, "ask the app in this container whether it is healthy, and exit with 0 or 1")
	flag.Parse()
	if *check {
		os.Exit(checkHealth())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if err := serve(ctx, os.Getenv("COMMIT")); err != nil {
		fmt.Println("echo:", err)
		os.Exit(1)
	}
}

func checkHealth() int {
	client := &http.Client{Timeout: 2 * time.Second}
	response, err := client.Get("http://127.0.0.1" + address + "/health")
	if err != nil || response.StatusCode != http.StatusOK {
		fmt.Println("unhealthy:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, commit string) error {
	sockets := &sockets{leaving: ctx}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, "commit %s\n", commit) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /echo", sockets.serve)
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	sockets.open.Wait() // Shutdown knows nothing of them
	return err
}

// sockets are the WebSockets that are open.
type sockets struct {
	leaving context.Context // ends when the app is told to stop
	open    sync.WaitGroup
}

// serve echoes messages until the connection ends.
func (s *sockets) serve(w http.ResponseWriter, r *http.Request) {
	s.open.Add(1)
	defer s.open.Done()
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // it has answered
	}
	defer conn.CloseNow()
	leave := func() { _ = conn.Close(websocket.StatusGoingAway, "going away") }
	old := time.AfterFunc(oldest, leave)
	defer old.Stop()
	defer context.AfterFunc(s.leaving, leave)()
	for {
		kind, message, err := conn.Read(context.Background())
		if err != nil {
			return
		}
		if err := conn.Write(context.Background(), kind, message); err != nil {
			return
		}
	}
}
