//go:build linux

package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	dockerdBoot  = time.Minute      // until it answers, on a busy machine
	dockerdGrace = 30 * time.Second // between SIGTERM, which has it stop its containers, and SIGKILL
)

// Dockerd is a Docker Engine of its own: its state, socket, bridge and cgroup are apart from any other's on the machine.
// It writes no iptables rule, so its containers reach the host and each other, and nothing beyond. Needs root.
type Dockerd struct {
	Dir     string // of everything it keeps
	Host    string // DOCKER_HOST
	Gateway string // the host's address as its containers see it

	program string
	group   string
	bridge  string // interface, and name of the cgroup
	command *exec.Cmd
	done    chan struct{} // closed when the daemon has ended
}

// FindDockerd says where the machine's dockerd is; the cure is in the error.
func FindDockerd() (string, error) {
	for _, path := range []string{"dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd"} {
		if found, err := exec.LookPath(path); err == nil {
			return found, nil
		}
	}
	return "", errors.New("there is no dockerd\n  install Debian's docker.io")
}

// StartDockerd starts a daemon whose socket the members of group may use (empty: root alone), and waits until it answers.
// Stop it.
func StartDockerd(ctx context.Context, group string) (*Dockerd, error) {
	program, err := FindDockerd()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "dockerd-") // short: Unix sockets live in it
	if err != nil {
		return nil, fmt.Errorf("make a directory for dockerd: %w", err)
	}
	d := &Dockerd{Dir: dir, Host: "unix://" + filepath.Join(dir, "docker.sock")}
	if err := d.start(ctx, program, group); err != nil {
		return nil, errors.Join(err, d.Stop())
	}
	return d, nil
}

func (d *Dockerd) start(ctx context.Context, program, group string) error {
	if err := os.Chmod(d.Dir, 0o711); err != nil { // the group reaches the socket
		return fmt.Errorf("open dockerd's directory: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.Dir, "daemon.json"), []byte("{}"), 0o600); err != nil {
		return fmt.Errorf("configure dockerd: %w", err)
	}
	d.bridge = "dk" + strings.TrimPrefix(filepath.Base(d.Dir), "dockerd-")
	gateway, err := addBridge(d.bridge)
	if err != nil {
		return err
	}
	d.Gateway, d.program, d.group = gateway, program, group
	return d.Restart(ctx)
}

// Restart starts the daemon again after Kill, on what it left, and waits until it answers.
func (d *Dockerd) Restart(ctx context.Context) error {
	// Its containerd died with it. Where nobody reaps orphans it stays as a zombie, which dockerd takes for alive.
	if err := os.RemoveAll(filepath.Join(d.Dir, "exec", "containerd", "containerd.pid")); err != nil {
		return fmt.Errorf("start dockerd again: %w", err)
	}
	output, err := os.OpenFile(d.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("make dockerd's log: %w", err)
	}
	defer output.Close()
	d.done = make(chan struct{})
	d.command = exec.Command(d.program, d.arguments(d.group)...)
	d.command.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + d.Dir, "TMPDIR=" + d.Dir}
	d.command.Stdout, d.command.Stderr = output, output
	d.command.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // an interrupt is for its user, who stops it in order
	if err := d.command.Start(); err != nil {
		d.command = nil
		return fmt.Errorf("start dockerd: %w", err)
	}
	go func(command *exec.Cmd, done chan struct{}) { _ = command.Wait(); close(done) }(d.command, d.done) // how it ended is in its log
	return d.answers(ctx)
}

// arguments keep it off everything that another daemon, or the machine, has.
func (d *Dockerd) arguments(group string) []string {
	args := []string{
		"--host", d.Host, "--config-file", filepath.Join(d.Dir, "daemon.json"), "--pidfile", filepath.Join(d.Dir, "dockerd.pid"),
		"--data-root", filepath.Join(d.Dir, "data"), "--exec-root", filepath.Join(d.Dir, "exec"),
		"--bridge", d.bridge, "--iptables=false", "--ip6tables=false", "--ip-masq=false", "--ip-forward=false",
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/" + d.bridge,
	}
	if group != "" {
		args = append(args, "--group", group)
	}
	return args
}

func (d *Dockerd) log() string { return filepath.Join(d.Dir, "dockerd.log") }

// answers waits until the daemon answers.
func (d *Dockerd) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, dockerdBoot)
	defer cancel()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", strings.TrimPrefix(d.Host, "unix://"))
	}}}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/_ping", nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-d.done:
			return fmt.Errorf("dockerd ended at once:\n%s", d.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("dockerd does not answer: %w\n%s", context.Cause(ctx), d.lastWords())
		case <-tick.C:
		}
	}
}

// lastWords are the end of the daemon's log.
func (d *Dockerd) lastWords() string {
	raw, err := os.ReadFile(d.log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(raw)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// Kill ends the daemon as a crash would, without giving its containers away; Stop still clears up.
func (d *Dockerd) Kill() error {
	if d.command == nil {
		return nil
	}
	if err := d.command.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill dockerd: %w", err)
	}
	<-d.done
	return nil
}

// Stop ends the daemon with all its containers, and leaves no process, mount, interface, cgroup or file of it.
func (d *Dockerd) Stop() error {
	if d.command != nil {
		_ = d.command.Process.Signal(syscall.SIGTERM) // one that has ended is what is wanted
		grace := time.NewTimer(dockerdGrace)
		defer grace.Stop()
		select {
		case <-d.done:
		case <-grace.C:
			if err := d.Kill(); err != nil {
				return err
			}
		}
	}
	return errors.Join(d.killRest(), d.unmount(), removeBridge(d.bridge), removeCgroups(d.bridge), os.RemoveAll(d.Dir))
}
