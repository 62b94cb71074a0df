package rehearsal

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
)

// Wire is a TCP forward that counts what clients send, and can be cut.
type Wire struct {
	listener net.Listener
	sent     atomic.Int64 // bytes from clients
	cutAt    atomic.Int64 // of sent; 0: never

	mu       sync.Mutex
	upstream string
	conns    map[net.Conn]bool
}

// StartWire listens on a free port. What connects before Forward was called is refused.
func StartWire(ctx context.Context) (*Wire, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start a wire: %w", err)
	}
	w := &Wire{listener: listener, conns: map[net.Conn]bool{}}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // closed
			}
			go w.carry(conn)
		}
	}()
	return w, nil
}

// Address is HOST:PORT where clients connect.
func (w *Wire) Address() string { return w.listener.Addr().String() }

// Forward says where connections go: HOST:PORT.
func (w *Wire) Forward(upstream string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.upstream = upstream
}

// CutAfter breaks all connections once, when clients have sent n more bytes: what is under way is lost, and from then on
// everything is refused until Restore.
func (w *Wire) CutAfter(n int64) { w.cutAt.Store(w.sent.Load() + n) }

// IsCut reports whether the wire was cut.
func (w *Wire) IsCut() bool { return w.cutAt.Load() < 0 }

// Restore lets clients through again.
func (w *Wire) Restore() { w.cutAt.Store(0) }

// Sent is how many bytes clients have sent so far.
func (w *Wire) Sent() int64 { return w.sent.Load() }

// Close breaks everything for good.
func (w *Wire) Close() error {
	err := w.listener.Close()
	w.breakAll()
	return err
}

// carry forwards one connection to its end.
func (w *Wire) carry(client net.Conn) {
	w.mu.Lock()
	upstream := w.upstream
	w.mu.Unlock()
	server, err := net.Dial("tcp", upstream)
	if err != nil || w.IsCut() {
		sever(client)
		if err == nil {
			sever(server)
		}
		return
	}
	w.mu.Lock()
	w.conns[client], w.conns[server] = true, true
	w.mu.Unlock()
	go func() {
		_, _ = io.Copy(client, server) // ends with the connection
		_ = client.Close()
	}()
	_, _ = io.Copy(server, &counted{wire: w, conn: client})
	_ = server.Close()
	w.mu.Lock()
	delete(w.conns, client)
	delete(w.conns, server)
	w.mu.Unlock()
}

// counted counts what a client sends, and cuts when it is enough.
type counted struct {
	wire *Wire
	conn net.Conn
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.conn.Read(p)
	sent := c.wire.sent.Add(int64(n))
	if at := c.wire.cutAt.Load(); at > 0 && sent >= at && c.wire.cutAt.CompareAndSwap(at, -1) {
		c.wire.breakAll()
	}
	return n, err
}

func (w *Wire) breakAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for conn := range w.conns {
		sever(conn)
	}
	clear(w.conns)
}

// sever ends a connection so that the other side gets an RST.
func sever(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
