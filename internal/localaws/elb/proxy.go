package elb

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// errNoTarget says that a group has no healthy target.
var errNoTarget = errors.New("no healthy target")

// copyBuffer is the size in bytes of the buffers that bodies pass through.
const copyBuffer = 32 << 10

func (g *group) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:       g.rewrite,
		Transport:     g,
		FlushInterval: -1, // each piece of an answer goes on at once: server-sent events, progress, logs
		BufferPool:    &buffers{},
		ErrorHandler:  g.answerError,
		ErrorLog:      slog.NewLogLogger(g.log.Handler(), slog.LevelDebug),
	}
}

// rewrite does to a request's headers what an Application Load Balancer does ("HTTP headers and Application Load
// Balancers" in its user guide). The address comes later, with the target.
func (g *group) rewrite(r *httputil.ProxyRequest) {
	in, out := r.In.Header, r.Out.Header
	for _, kept := range []string{"Forwarded", "X-Forwarded-Host"} { // ReverseProxy drops them
		if values, ok := in[kept]; ok {
			out[kept] = values
		}
	}
	client, _, err := net.SplitHostPort(r.In.RemoteAddr)
	if err != nil {
		client = r.In.RemoteAddr
	}
	out.Set("X-Forwarded-For", strings.Join(append(in.Values("X-Forwarded-For"), client), ", "))
	out.Set("X-Forwarded-Proto", "http")
	port := g.port()
	if local, ok := r.In.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		port = local.Port
	}
	out.Set("X-Forwarded-Port", strconv.Itoa(port))
	r.Out.URL.Scheme = "http"
	r.Out.URL.RawQuery = r.In.URL.RawQuery // nothing here decides by the query: it passes as it is, parsable or not
}

// visit is one request on its way through the group. It ends when nothing is copied any more, which for an upgraded
// connection is when that ends.
type visit struct {
	cancel context.CancelFunc
	at     *target
	unbind func() bool
}

type visitKey struct{}

// ServeHTTP implements http.Handler.
func (g *group) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	v := &visit{cancel: cancel}
	defer v.leave()
	g.proxy.ServeHTTP(w, r.WithContext(context.WithValue(ctx, visitKey{}, v)))
}

// enter makes the visit count as in flight at the next healthy target; false when there is none. Under one lock with
// deregister: a target that is draining gets nothing new.
func (g *group) enter(v *visit, tried []*target) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	v.at = g.rotation.take(tried)
	if v.at == nil {
		return false
	}
	v.at.flights.begin()
	v.unbind = context.AfterFunc(v.at.life, v.cancel)
	return true
}

func (v *visit) leave() {
	if v.at != nil {
		v.unbind()
		v.at.flights.end()
		v.at = nil
	}
}

// RoundTrip implements http.RoundTripper: it sends the request to one healthy target after the other until one has
// accepted the connection. A request of which a target may have seen something is not sent again.
func (g *group) RoundTrip(req *http.Request) (*http.Response, error) {
	v, ok := req.Context().Value(visitKey{}).(*visit)
	if !ok {
		return nil, errors.New("elb: a request that came through no listener")
	}
	body := newOneReader(req.Body)
	failed := errNoTarget
	var tried []*target
	for g.enter(v, tried) {
		resp, err := v.at.transport.RoundTrip(body.attach(req, v.at.address))
		if err == nil {
			return resp, nil
		}
		failed = fmt.Errorf("target %s: %w", v.at.id, err)
		tried = append(tried, v.at)
		if !refused(err) || body.touched() || req.Context().Err() != nil {
			break
		}
		v.leave()
	}
	return nil, failed
}

// refused says that no connection came about, so that nothing was sent.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// oneReader is a request's body that can be offered to several targets as long as none has read from it.
type oneReader struct {
	io.Reader
	read atomic.Bool
}

func newOneReader(body io.ReadCloser) *oneReader {
	if body == nil || body == http.NoBody {
		return nil
	}
	return &oneReader{Reader: body}
}

// Read implements io.Reader.
func (b *oneReader) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.Reader.Read(p)
}

// Close does nothing: the next target may need the body. ReverseProxy closes it.
func (b *oneReader) Close() error { return nil }

func (b *oneReader) touched() bool { return b != nil && b.read.Load() }

// attach makes the request for one target.
func (b *oneReader) attach(req *http.Request, address string) *http.Request {
	out := req.Clone(req.Context())
	out.URL.Host = address
	if b == nil {
		return out
	}
	out.Body = b
	out.GetBody = func() (io.ReadCloser, error) { // lets the transport try again on a connection that turns out closed
		if b.touched() {
			return nil, errors.New("the request's body was read already")
		}
		return b, nil
	}
	return out
}

// answerError answers as an Application Load Balancer does ("Troubleshoot your Application Load Balancers" in its user
// guide): 503 when there is nobody to ask, 504 when a target is silent, 502 when it breaks off. It says why, which AWS
// does not. Unlike AWS it never falls back to unhealthy targets when all are: a page that half works would hide that.
func (g *group) answerError(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && !errors.Is(err, errNoTarget) {
		err = fmt.Errorf("cut off: %w", err) // by the client, or when the deregistration delay had passed
	}
	g.log.Debug("request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	status := http.StatusBadGateway
	var timeout net.Error
	switch {
	case errors.Is(err, errNoTarget):
		status = http.StatusServiceUnavailable
	case errors.As(err, &timeout) && timeout.Timeout():
		status = http.StatusGatewayTimeout
	}
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	why := g.service + ": " + err.Error()
	w.Header().Set("Server", "awselb/2.0")
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<html>\n<head><title>%[1]s</title></head>\n<body>\n<center><h1>%[1]s</h1></center>\n<p>%[2]s</p>\n</body>\n</html>\n",
		title, html.EscapeString(why))
}

// buffers implements httputil.BufferPool.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buffer, ok := b.pool.Get().(*[]byte); ok {
		return *buffer
	}
	return make([]byte, copyBuffer)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }
