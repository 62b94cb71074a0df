package databases

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	pollEvery  = 50 * time.Millisecond
	stopLimit  = 30 * time.Second // between asking a server to end and killing it
	logExcerpt = 2000             // bytes of a server's log that an error shows
)

// server is one program with a directory and a port of its own.
type server struct {
	name      string // of the program, and of its user
	dir       string
	port      int
	addresses []string
	uid, gid  int
	args      []string
	signal    os.Signal                   // ends it
	answers   func(context.Context) error // nil when it serves
	process   *exec.Cmd                   // nil: it does not run
	ended     chan struct{}
}

func newServer(name, dir string, address netip.Addr) (*server, error) {
	uid, gid, err := identity(name)
	if err != nil {
		return nil, err
	}
	s := &server{name: name, dir: dir, uid: uid, gid: gid, addresses: []string{"127.0.0.1", address.String()}}
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, uid, gid)); err != nil {
		return nil, err
	}
	s.port, err = freePort(address)
	return s, err
}

// freePort is one that nobody listens on. Another program may still be quicker; then the server says so.
func freePort(address netip.Addr) (int, error) {
	listener, err := net.Listen("tcp", netip.AddrPortFrom(address, 0).String())
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(port)
}

// write writes a file that the server's user alone can read.
func (s *server) write(name, content string) error {
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Chown(path, s.uid, s.gid)
}

// command runs as the server's user, who sees nothing of this program's environment.
func (s *server) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = s.dir
	command.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=" + s.dir}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(s.uid), Gid: uint32(s.gid)}, Setpgid: true}
	return command
}

// start starts the server and waits until it answers.
func (s *server) start(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	process := s.command(context.WithoutCancel(ctx), s.args[0], s.args[1:]...) // it ends with stop
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = process.Wait() // how it ended is in its log
	}()
	s.process, s.ended = process, ended
	return s.await(ctx)
}

func (s *server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, bootLimit)
	defer cancel()
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("%s ended at once:\n%s", s.name, s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w; %w:\n%s", s.name, context.Cause(ctx), err, s.lastWords())
		case <-ticker.C:
		}
	}
}

func (s *server) lastWords() string {
	raw, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(raw[max(0, len(raw)-logExcerpt):]))
}

// stop ends the server; one that does not run is no error.
func (s *server) stop() error {
	if s.process == nil {
		return nil
	}
	if err := s.process.Process.Signal(s.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-s.ended:
	case <-timer.C:
		if err := syscall.Kill(-s.process.Process.Pid, syscall.SIGKILL); err != nil {
			return fmt.Errorf("kill %s: %w", s.name, err)
		}
		<-s.ended
	}
	s.process = nil
	return nil
}
