package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// commandConn is a connection over the standard input and output of a program, which lives as long as the connection.
type commandConn struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	said  *lastWords
	close func() error
}

var _ net.Conn = (*commandConn)(nil)

// dialCommand starts the program. It outlives ctx, which is only about the start: Close ends it.
func dialCommand(ctx context.Context, argv []string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:gosec // the user's own Docker client
	c := &commandConn{cmd: cmd, said: &lastWords{}}
	cmd.Stderr = c.said
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if c.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c.close = sync.OnceValue(c.end)
	return c, nil
}

// Read gives what the program prints. When it ends by itself, what it complained of is the error.
func (c *commandConn) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if n == 0 && err != nil {
		if said := c.said.String(); said != "" {
			return 0, fmt.Errorf("%s: %s", c.cmd.Path, said)
		}
	}
	return n, err
}

// Write hands bytes to the program.
func (c *commandConn) Write(p []byte) (int, error) { return c.in.Write(p) }

// Close ends the program.
func (c *commandConn) Close() error { return c.close() }

func (c *commandConn) end() error {
	_ = c.in.Close()
	_ = c.cmd.Process.Kill() // it has nothing to tidy up, and may wait for a network that is gone
	_ = c.cmd.Wait()         // it was killed: how it ended says nothing
	return nil
}

// lastWords keeps the end of what a program says on its standard error.
type lastWords struct {
	mu   sync.Mutex
	said bytes.Buffer
}

const lastWordsMax = 8 << 10 // bytes

func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.said.Write(p)
	if excess := l.said.Len() - lastWordsMax; excess > 0 {
		l.said.Next(excess)
	}
	return len(p), nil
}

func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(l.said.String())
}

type commandAddr string

func (a commandAddr) Network() string { return "stdio" }
func (a commandAddr) String() string  { return string(a) }

func (c *commandConn) LocalAddr() net.Addr  { return commandAddr(c.cmd.Path) }
func (c *commandConn) RemoteAddr() net.Addr { return commandAddr(c.cmd.Path) }

// SetDeadline and its kin bound the reads and writes of a pipe where the system can.
func (c *commandConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *commandConn) SetReadDeadline(t time.Time) error {
	if f, ok := c.out.(*os.File); ok {
		return f.SetReadDeadline(t)
	}
	return os.ErrNoDeadline
}

func (c *commandConn) SetWriteDeadline(t time.Time) error {
	if f, ok := c.in.(interface{ SetWriteDeadline(time.Time) error }); ok {
		return f.SetWriteDeadline(t)
	}
	return os.ErrNoDeadline
}
