package elb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestDeregisterWaitsForRequests(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	ensure(t, b, map[string]string{TagHealthCheckPath: "/health"})
	began, finish := make(chan struct{}), make(chan struct{})
	target, _ := serveTarget(t, "a", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" {
			return
		}
		close(began)
		<-finish
		fmt.Fprint(w, "done")
	}))
	register(t, b, target)
	awaitState(t, b, "a", Healthy)
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get(b.URL(testARN) + "/slow")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answer <- string(body)
	}()
	<-began
	drained := make(chan error, 1)
	go func() { drained <- b.Deregister(context.Background(), testARN, "a") }()
	if h := awaitState(t, b, "a", Draining); h.Reason != "Target.DeregistrationInProgress" {
		t.Errorf("%+v", h)
	}
	if code, _ := get(t, b.URL(testARN)+"/new"); code != 503 {
		t.Errorf("a draining target got a request: %d", code)
	}
	select {
	case err := <-drained:
		t.Fatalf("Deregister returned with a request in flight: %v", err)
	default:
	}
	close(finish)
	if got := <-answer; got != "done" {
		t.Errorf("the request in flight got %q", got)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

func TestDeregisterCutsOffAfterTheDelay(t *testing.T) {
	for name, tt := range map[string]struct {
		delay  string
		cancel bool
	}{"delay": {"0", false}, "context": {"3600", true}} {
		t.Run(name, func(t *testing.T) {
			b := newBalancer(t, openStore(t, t.TempDir()))
			ensure(t, b, map[string]string{TagHealthCheckPath: "/health", TagDeregistrationDelay: tt.delay})
			began, gone := make(chan struct{}), make(chan struct{})
			target, _ := serveTarget(t, "a", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/health" {
					return
				}
				close(began)
				<-r.Context().Done()
				close(gone)
			}))
			register(t, b, target)
			awaitState(t, b, "a", Healthy)
			status := make(chan int, 1)
			go func() {
				resp, err := http.Get(b.URL(testARN) + "/endless")
				if err != nil {
					status <- -1
					return
				}
				resp.Body.Close()
				status <- resp.StatusCode
			}()
			<-began
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.cancel {
				cancel()
			}
			err := b.Deregister(ctx, testARN, "a")
			if tt.cancel != errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			<-gone
			if got := <-status; got != 502 {
				t.Errorf("the request that was cut off got %d", got)
			}
		})
	}
}

func TestUpgradedConnectionsCount(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	ensure(t, b, map[string]string{TagHealthCheckPath: "/health"})
	conn, reader := upgrade(t, b)
	drained := make(chan error, 1)
	go func() { drained <- b.Deregister(context.Background(), testARN, "a") }()
	awaitState(t, b, "a", Draining)
	fmt.Fprint(conn, "hello\n")
	if line, err := reader.ReadString('\n'); err != nil || line != "hello\n" {
		t.Fatalf("%q %v", line, err)
	}
	select {
	case err := <-drained:
		t.Fatalf("Deregister returned with an upgraded connection open: %v", err)
	default:
	}
	conn.Close()
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// TestUpgradedConnectionsEndWithTheDelay: whoever keeps one open for longer than the deregistration delay loses it without
// a word, as on AWS: no load balancer can end a protocol that it does not speak in order.
func TestUpgradedConnectionsEndWithTheDelay(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	ensure(t, b, map[string]string{TagHealthCheckPath: "/health", TagDeregistrationDelay: "0"})
	_, reader := upgrade(t, b)
	if err := b.Deregister(context.Background(), testARN, "a"); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(reader); len(rest) > 0 {
		t.Errorf("the connection's end brought %q, %v", rest, err)
	}
}

// upgrade opens a connection that echoes lines, through the load balancer to its one target.
func upgrade(t *testing.T, b *Balancer) (net.Conn, *bufio.Reader) {
	t.Helper()
	target, _ := serveTarget(t, "a", http.HandlerFunc(echoUpgrade))
	register(t, b, target)
	awaitState(t, b, "a", Healthy)
	conn, err := net.Dial("tcp", strings.TrimPrefix(b.URL(testARN), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v %v", resp, err)
	}
	return conn, reader
}

func echoUpgrade(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		return
	}
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	buffered.Flush()
	_, _ = io.Copy(conn, buffered)
}

// TestTargetsComeAndGoUnderLoad is the promise of the package: no request fails while all targets are replaced, again
// and again, under clients that keep their connections.
func TestTargetsComeAndGoUnderLoad(t *testing.T) {
	b := newBalancer(t, openStore(t, t.TempDir()))
	ensure(t, b, map[string]string{TagHealthCheckPath: "/health"})
	targets, servers := map[string]Target{}, map[string]*httptest.Server{}
	start := func(id string) {
		targets[id], servers[id] = serveTarget(t, id, named(id))
		register(t, b, targets[id])
		awaitState(t, b, id, Healthy)
	}
	start("0")
	start("1")
	url := b.URL(testARN)
	stop, failures := make(chan struct{}), make(chan error, 1)
	var clients sync.WaitGroup
	var sent atomic.Int64
	for i := range 8 {
		clients.Go(func() { load(url, i%2 == 0, stop, failures, &sent) })
	}
	for round := 2; round < 20; round++ {
		start(strconv.Itoa(round))
		old := strconv.Itoa(round - 2)
		before := sent.Load()
		if err := b.Deregister(t.Context(), testARN, old); err != nil {
			t.Error(err)
		}
		servers[old].CloseClientConnections() // as a container that is killed does
		servers[old].Close()
		await(t, "some requests", func() bool { return sent.Load() > before+20 || len(failures) > 0 })
	}
	close(stop)
	clients.Wait()
	select {
	case err := <-failures:
		t.Errorf("after %d requests: %v", sent.Load(), err)
	default:
	}
}

// load sends requests until stop is closed or one fails.
func load(url string, post bool, stop <-chan struct{}, failures chan<- error, sent *atomic.Int64) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for {
		select {
		case <-stop:
			return
		default:
		}
		if err := once(client, url, post); err != nil {
			select {
			case failures <- err:
			default:
			}
			return
		}
		sent.Add(1)
	}
}

func once(client *http.Client, url string, post bool) error {
	send := func() (*http.Response, error) { return client.Get(url) }
	if post {
		send = func() (*http.Response, error) { return client.Post(url, "text/plain", strings.NewReader("order")) }
	}
	resp, err := send()
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", resp.StatusCode, body)
	}
	return err
}
