//go:build linux

package containerd

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	daemonBoot  = 60 * time.Second // until a started daemon answers, on a machine that is busy with other things
	daemonGrace = 10 * time.Second // between SIGTERM and SIGKILL
	adoptTrial  = 10 * time.Second // until a daemon that runs already answers, before it is replaced
	maxLogBytes = 8 << 20          // a daemon's log that is larger is set aside at its next start
)

// daemon is a program that outlives this process: it runs in a session of its own, is found again through its pid
// file, and is replaced when it should run with another configuration.
type daemon struct {
	name   string // of the executable, and of its files in run/
	exe    string
	env    []string
	layout layout
	config string                      // contents of its configuration file
	health func(context.Context) error // nil when it answers
	log    *slog.Logger
}

func (d *daemon) configFile() string { return d.layout.run(d.name + ".toml") }
func (d *daemon) pidFile() string    { return d.layout.run(d.name + ".pid") }
func (d *daemon) logFile() string    { return d.layout.run(d.name + ".log") }

// ensure leaves the daemon running with its configuration and answering: it adopts the one that runs or starts one.
// The caller holds the engine's lock.
func (d *daemon) ensure(ctx context.Context) (process, error) {
	if p, ok := readProcess(d.pidFile()); ok {
		if d.adoptable(ctx, p) {
			d.log.DebugContext(ctx, "adopted daemon", "daemon", d.name, "pid", p.PID)
			return p, nil
		}
		if err := p.stop(ctx, daemonGrace); err != nil {
			return process{}, fmt.Errorf("replace %s: %w", d.name, err)
		}
	}
	if err := d.stopStrays(ctx); err != nil {
		return process{}, err
	}
	return d.start(ctx)
}

// adoptable says whether the running daemon is configured as this one should be, and answers.
func (d *daemon) adoptable(ctx context.Context, p process) bool {
	current, err := os.ReadFile(d.configFile())
	if err != nil || string(current) != d.config {
		d.log.InfoContext(ctx, "replacing daemon: its configuration changed", "daemon", d.name, "pid", p.PID)
		return false
	}
	trial, cancel := context.WithTimeout(ctx, adoptTrial)
	defer cancel()
	if err := d.answers(trial, p); err != nil {
		d.log.WarnContext(ctx, "replacing daemon: it does not answer", "daemon", d.name, "pid", p.PID, "error", err)
		return false
	}
	return true
}

// stopStrays ends daemons that were started here and whose pid file was never written.
func (d *daemon) stopStrays(ctx context.Context) error {
	strays, err := d.layout.daemonProcesses()
	if err != nil {
		return err
	}
	for _, p := range strays {
		if filepath.Base(p.Exe) != d.name {
			continue
		}
		if err := p.stop(ctx, daemonGrace); err != nil {
			return fmt.Errorf("stop leftover %s: %w", d.name, err)
		}
	}
	return nil
}

func (d *daemon) start(ctx context.Context) (process, error) {
	if err := os.WriteFile(d.configFile(), []byte(d.config), 0o600); err != nil {
		return process{}, fmt.Errorf("configure %s: %w", d.name, err)
	}
	out, err := openDaemonLog(d.logFile())
	if err != nil {
		return process{}, err
	}
	defer func() { _ = out.Close() }()
	cmd := exec.Command(d.exe, "--config", d.configFile()) // it must outlive every context of ours
	cmd.Dir = "/"
	cmd.Env = d.env
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return process{}, fmt.Errorf("start %s: %w", d.name, err)
	}
	go func() { _ = cmd.Wait() }() // reaps it if it ends before us
	p, ok := inspect(cmd.Process.Pid)
	if !ok {
		return process{}, d.died()
	}
	if err := writeJSON(d.pidFile(), p); err != nil {
		return process{}, err
	}
	boot, cancel := context.WithTimeout(ctx, daemonBoot)
	defer cancel()
	if err := d.answers(boot, p); err != nil {
		return process{}, err
	}
	d.log.DebugContext(ctx, "started daemon", "daemon", d.name, "pid", p.PID)
	return p, nil
}

// answers waits until the daemon is healthy; it gives up when the process is gone or ctx ends.
func (d *daemon) answers(ctx context.Context, p process) error {
	var last error
	dead := false
	err := poll(ctx, d.name+" to answer", func() bool {
		if dead = !p.alive(); dead {
			return true
		}
		attempt, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		last = d.health(attempt)
		return last == nil
	})
	switch {
	case dead:
		return d.died()
	case err != nil:
		return fmt.Errorf("%w (last answer: %w); see %s", err, last, d.logFile())
	}
	return nil
}

// died explains a daemon that ended by itself with what it wrote last.
func (d *daemon) died() error {
	raw, err := os.ReadFile(d.logFile())
	if err != nil {
		return fmt.Errorf("%s ended at once and left no log: %w", d.name, err)
	}
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	lines = lines[max(0, len(lines)-3):]
	return fmt.Errorf("%s ended at once; its last words in %s:\n%s", d.name, d.logFile(), bytes.Join(lines, []byte("\n")))
}

func openDaemonLog(file string) (*os.File, error) {
	if info, err := os.Stat(file); err == nil && info.Size() > maxLogBytes {
		if err := os.Rename(file, file+".1"); err != nil {
			return nil, fmt.Errorf("set aside %s: %w", file, err)
		}
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open daemon log: %w", err)
	}
	return f, nil
}

// daemonProcesses finds the processes of the engine's programs that work on this layout, pid file or not: containerd
// and buildkitd by their configuration file, shims by containerd's socket.
func (l layout) daemonProcesses() ([]process, error) {
	var found []process
	err := processes(func(p process, args []string) {
		switch filepath.Base(p.Exe) {
		case "containerd", "buildkitd", "containerd-shim-runc-v2", "runc":
		default:
			return
		}
		for _, arg := range args[1:] {
			if strings.HasPrefix(arg, l.path("run")+"/") {
				found = append(found, p)
				return
			}
		}
	})
	return found, err
}

// daemonEnvironment is what a daemon sees: where its helpers are, what the user set for proxies, and nothing else.
func daemonEnvironment(binDir string, l layout) []string {
	env := []string{
		"PATH=" + binDir + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"TMPDIR=" + l.path("tmp"),
		"HOME=" + l.dir,
	}
	for _, name := range []string{
		"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
