package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// callLimit bounds the body of a call, in bytes, that is looked into.
const callLimit = 32 << 20

// Proxy stands between the program and a local AWS that advertises the proxy's address, and lets a share of all calls go
// wrong, those to the registry included. It keeps the Host header, which is signed. What local AWS asks itself, below
// /_local/, always goes through.
type Proxy struct {
	config   ProxyConfig
	listener net.Listener
	server   *http.Server
	forward  http.Handler

	mu       sync.Mutex
	upstream string
	nth      map[string]int // calls so far, by operation
	tokens   map[string]int // calls that are left, by the registry's token
	counts   map[Fault]int
	total    int
	seen     map[string]bool // permissions that the calls needed
}

// ProxyConfig says what goes wrong, and how often.
type ProxyConfig struct {
	Share float64       // of all calls: 0.2 is every fifth
	Seed  uint64        // decides which; the same seed lets the same calls go wrong
	Stall time.Duration // how long a stalled call takes
	Only  []Fault       // what goes wrong with them; empty: everything
}

// StartProxy starts a proxy on a free port. It answers once Forward has said where to.
func StartProxy(ctx context.Context, config ProxyConfig) (*Proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a proxy: %w", err)
	}
	p := &Proxy{config: config, listener: listener, nth: map[string]int{}, tokens: map[string]int{}, counts: map[Fault]int{}, seen: map[string]bool{}}
	quiet := log.New(io.Discard, "", 0) // connections break here on purpose
	p.forward = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host, r.Out.Host = "http", p.target(), r.In.Host
		},
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 32}, ErrorLog: quiet,
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute, ErrorLog: quiet}
	go func() { _ = p.server.Serve(listener) }() // Close ends it
	return p, nil
}

// Address is HOST:PORT of the proxy.
func (p *Proxy) Address() string { return p.listener.Addr().String() }

// Forward says where calls go: HOST:PORT.
func (p *Proxy) Forward(upstream string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.upstream = upstream
}

func (p *Proxy) target() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.upstream
}

// Counts is how many calls came, and how many of them went wrong in which way.
func (p *Proxy) Counts() (calls int, faults map[Fault]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total, maps.Clone(p.counts)
}

// Close breaks all connections.
func (p *Proxy) Close() error { return p.server.Close() }

// ServeHTTP implements http.Handler.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/_local/") {
		p.forward.ServeHTTP(w, r)
		return
	}
	operation, protocol := describe(r, func() string { return peek(r) })
	p.note(r, operation, protocol)
	switch fault := p.next(operation, protocol, r.Header.Get("Authorization")); fault {
	case "":
		p.forward.ServeHTTP(w, r)
	case FaultResetBefore:
		reset(w)
	case FaultStall:
		wait(r.Context(), p.config.Stall)
		reset(w)
	case FaultResetAfter, FaultTruncate:
		answer := newRecorder()
		p.forward.ServeHTTP(answer, r)
		if fault == FaultTruncate {
			answer.sendHalf(w)
		}
		reset(w)
	default:
		refuse(w, r, fault, protocol)
	}
}

// note remembers which permissions a call needs.
func (p *Proxy) note(r *http.Request, operation string, protocol protocol) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range permissions(r, operation, protocol) {
		p.seen[one] = true
	}
}

// Permissions are the IAM actions that the calls so far needed, sorted.
func (p *Proxy) Permissions() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(maps.Keys(p.seen))
}

// Forget forgets the permissions so far.
func (p *Proxy) Forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.seen)
}

// next decides what happens to a call.
func (p *Proxy) next(operation string, protocol protocol, authorization string) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total++
	p.nth[operation]++
	f := p.config.fate(operation, protocol, p.nth[operation])
	if protocol == protocolRegistry && authorization != "" && p.expired(authorization) {
		f = FaultExpired
	}
	if f != "" {
		p.counts[f]++
	}
	return f
}

// expired counts a call against the life of a registry token. The lock is held.
func (p *Proxy) expired(authorization string) bool {
	left, known := p.tokens[authorization]
	if !known {
		left = p.config.lifetime(len(p.tokens) + 1)
	}
	p.tokens[authorization] = max(0, left-1)
	return left == 0
}

// peek gives the body of a call, which stays to be read.
func peek(r *http.Request) string {
	body, err := io.ReadAll(io.LimitReader(r.Body, callLimit))
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), errorReader{err}))
	return string(body)
}

// errorReader ends with an error, or at once.
type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) {
	if r.err == nil {
		return 0, io.EOF
	}
	return 0, r.err
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// refuse answers in AWS's stead. The request's body is read to its end: the connection goes on.
func refuse(w http.ResponseWriter, r *http.Request, f Fault, p protocol) {
	_, _ = io.Copy(io.Discard, r.Body) // a client that stops sending gets its answer all the same
	status, contentType, body := f.refusal(p)
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// reset breaks the connection so that the client gets an RST.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if errors.Is(err, http.ErrHijacked) {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	if err == nil {
		_ = conn.Close()
	}
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func newRecorder() *recorder { return &recorder{header: http.Header{}, status: http.StatusOK} }

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// sendHalf sends the head of the answer and half of its body, and closes the connection in order: the client has to
// notice that something is missing. An answer without a body has no half: then nothing is sent.
func (r *recorder) sendHalf(w http.ResponseWriter) {
	if r.body.Len() < 2 {
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	r.header.Set("Content-Length", strconv.Itoa(r.body.Len()))
	r.header.Del("Transfer-Encoding")
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	_ = r.header.Write(&head)
	head.WriteString("\r\n")
	head.Write(r.body.Bytes()[:r.body.Len()/2])
	_, _ = conn.Write(head.Bytes())
}
