package build

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/childenv"
)

// commandGrace is how long a program gets to end by itself when its input has ended.
const commandGrace = 3 * time.Second

// commandConn is a connection over the standard input and output of a program, which lives as long as the connection.
type commandConn struct {
	argv  []string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	said  *lastWords
	ended chan struct{}
	close func() error
}

var _ net.Conn = (*commandConn)(nil)

// dialCommand starts the program. It outlives ctx, which is only about the start: Close ends it. It is in a session of
// its own, so that an interrupt at the terminal reaches this program alone, which then says what happened.
func dialCommand(ctx context.Context, argv []string, said *lastWords) (net.Conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:gosec // the user's own Docker client
	cmd.Env = childenv.ForBuild(os.Environ())
	cmd.Stderr = said
	detach(cmd)
	c := &commandConn{argv: argv, cmd: cmd, said: said, ended: make(chan struct{})}
	c.close = sync.OnceValue(c.end)
	var err error
	if c.in, err = cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("run %s: %w", argv[0], err)
	}
	// Not cmd.StdoutPipe, which Wait closes: what was printed last would be lost.
	out, childOut, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", argv[0], err)
	}
	c.out, cmd.Stdout = out, childOut
	err = cmd.Start()
	_ = childOut.Close()
	if err != nil {
		_ = out.Close()
		return nil, &commandError{argv: argv, err: err}
	}
	go func() { _ = cmd.Wait(); close(c.ended) }() // how it ended shows in what it said
	return c, nil
}

// Read gives what the program prints. When it ends by itself, what it complained of is the error.
func (c *commandConn) Read(p []byte) (int, error) {
	n, err := c.out.Read(p)
	if n > 0 || err == nil {
		return n, nil
	}
	<-c.ended // its complaint is complete
	if said := c.said.complaint(); said != "" {
		return 0, &commandError{argv: c.argv, said: said, err: err}
	}
	return 0, err
}

// Write hands bytes to the program.
func (c *commandConn) Write(p []byte) (int, error) { return c.in.Write(p) }

// Close ends the program.
func (c *commandConn) Close() error { return c.close() }

// end lets the program end by itself, as it does when its input ends, and ends it otherwise.
func (c *commandConn) end() error {
	_ = c.in.Close() // it may have closed it itself
	timer := time.NewTimer(commandGrace)
	defer timer.Stop()
	select {
	case <-c.ended:
	case <-timer.C:
		kill(c.cmd)
		<-c.ended
	}
	return c.out.Close()
}

// commandAddr is the program at the other end.
type commandAddr string

// Network implements net.Addr.
func (a commandAddr) Network() string { return "stdio" }

// String implements net.Addr.
func (a commandAddr) String() string { return string(a) }

// LocalAddr implements net.Conn.
func (c *commandConn) LocalAddr() net.Addr { return commandAddr(c.argv[0]) }

// RemoteAddr implements net.Conn.
func (c *commandConn) RemoteAddr() net.Addr { return commandAddr(c.argv[0]) }

// SetDeadline implements net.Conn. A pipe to a program has none: who uses the connection closes it.
func (c *commandConn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements net.Conn, as SetDeadline does.
func (c *commandConn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements net.Conn, as SetDeadline does.
func (c *commandConn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }
