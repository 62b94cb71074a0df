package localci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

const (
	// stepGrace is how long a step gets to end after its interrupt. GitHub's runner gives 7.5 seconds and then 2.5 more; a
	// release that is told to stop says what goes on without it, which takes longer on a busy machine.
	stepGrace = 30 * time.Second
	// jobGrace is how long the steps that clean up get then (`if: always()`, `if: failure()`).
	jobGrace = 2 * time.Minute
	// killGrace is how long act gets to end after it was told to.
	killGrace = 10 * time.Second
)

// actRun is one call of act.
type actRun struct {
	act       string            // the binary
	source    string            // checkout that holds the workflow
	workflow  string            // its path in there
	event     string            // push, workflow_dispatch
	scratch   string            // directory for this run alone
	home      string            // $HOME of the steps
	bin       string            // see shells
	mark      string            // see trackingVariable
	standins  map[string]string // OWNER/REPO@REF to a directory
	labels    []string          // what jobs ask to run on
	payload   any               // the event's
	variables map[string]string // environment of every step
	secrets   map[string]string
	vars      map[string]string
}

// prepare writes what act reads. Values are JSON, which act reads as YAML: nothing in them can be taken for something else.
func (r actRun) prepare() error {
	if err := os.MkdirAll(r.home, 0o700); err != nil {
		return fmt.Errorf("prepare the run: %w", err)
	}
	variables := maps.Clone(r.variables)
	variables[trackingVariable] = r.mark
	secrets := maps.Clone(r.secrets)
	secrets["GITHUB_TOKEN"] = "" // act would ask gh for the user's
	for name, value := range map[string]any{
		"event.json": r.payload, "env.yml": variables, "secrets.yml": secrets, "vars.yml": r.vars, "input.yml": struct{}{},
	} {
		if err := writeJSON(filepath.Join(r.scratch, name), value); err != nil {
			return err
		}
	}
	return nil
}

func (r actRun) arguments() []string {
	in := func(name string) string { return filepath.Join(r.scratch, name) }
	args := []string{
		r.event, "--json", "--directory", r.source, "--workflows", filepath.Join(r.source, r.workflow), "--no-recurse",
		"--eventpath", in("event.json"), "--env-file", in("env.yml"), "--secret-file", in("secrets.yml"), "--var-file", in("vars.yml"),
		"--input-file", in("input.yml"), "--action-cache-path", in("cache"), "--no-cache-server", "--no-skip-checkout", "--rm", "--actor", actor,
	}
	for _, label := range r.labels {
		args = append(args, "--platform", label+"=-self-hosted")
	}
	for _, action := range slices.Sorted(maps.Keys(r.standins)) {
		args = append(args, "--local-repository", action+"="+r.standins[action])
	}
	return args
}

// inherited are the variables of this process that steps get, by name or by the beginning of it. A runner knows nothing of
// the user's own tokens, profiles and settings; what makes downloads and builds possible at all on this machine stays.
var inherited = []string{
	"LANG", "LC_", "TZ", "TMPDIR", "USER", "LOGNAME", "DOCKER_HOST", "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "AWS_CA_BUNDLE",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"GOPROXY", "GONOSUMDB", "GONOSUMCHECK", "GOSUMDB", "GOFLAGS", "GOCACHE", "GOMODCACHE", "GOTOOLCHAIN", "GOPATH", "GOROOT", "npm_config_", "NPM_CONFIG_",
}

func (r actRun) environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return !slices.ContainsFunc(inherited, func(known string) bool {
			return name == known || strings.HasSuffix(known, "_") && strings.HasPrefix(name, known)
		})
	})
	return append(env, "HOME="+r.home, "XDG_CONFIG_HOME="+filepath.Join(r.home, ".config"), "XDG_CACHE_HOME="+filepath.Join(r.home, ".cache"),
		binVariable+"="+r.bin, "PATH="+r.bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// run runs act and hands its output to out, until it has ended with all that its steps have started. When ctx ends, the
// steps are interrupted as by ctrl-c; steps that clean up still run.
func (r actRun) run(ctx context.Context, out *stream) error {
	if err := r.prepare(); err != nil {
		return err
	}
	// The kernel's word that the parent has died goes by the thread that started the child.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	command := exec.Command(r.act, r.arguments()...)
	command.Dir, command.Env, command.SysProcAttr = r.scratch, r.environment(), apart()
	output, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("run act: %w", err)
	}
	command.Stdout, command.Stderr = writer, writer
	err = command.Start()
	_ = writer.Close()
	if err != nil {
		_ = output.Close()
		return fmt.Errorf("run act: %w", err)
	}
	read := make(chan error, 1)
	go func() { read <- out.read(output) }()
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	var exit error
	select {
	case exit = <-ended:
	case <-ctx.Done():
		exit = r.stop(command.Process, ended)
	}
	signalTracked(tracked(r.mark), r.mark, syscall.SIGKILL) // what steps left behind, as a runner does
	if err := <-read; err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read act's output: %w", err)
	}
	_ = output.Close()
	if failed := (*exec.ExitError)(nil); exit != nil && !errors.As(exit, &failed) {
		return fmt.Errorf("run act: %w", exit)
	}
	return out.conclude(exit)
}

// stop ends act step by step: the steps' processes are interrupted, then what cleans up has its time, then act is told to
// end, and is ended.
func (r actRun) stop(act *os.Process, ended <-chan error) error {
	steps := tracked(r.mark)
	interruptTracked(steps, r.mark)
	if len(steps) == 0 {
		_ = act.Signal(os.Interrupt) // between two steps
	}
	if err, done := within(stepGrace, ended, func() bool { return !slices.ContainsFunc(steps, r.alive) }); done {
		return err
	}
	signalTracked(slices.DeleteFunc(steps, func(pid int) bool { return !r.alive(pid) }), r.mark, syscall.SIGKILL)
	if err, done := within(jobGrace, ended, nil); done {
		return err
	}
	_ = act.Signal(syscall.SIGTERM)
	if err, done := within(killGrace, ended, nil); done {
		return err
	}
	_ = act.Kill()
	return <-ended
}

func (r actRun) alive(pid int) bool { return carries(pid, r.mark) }

// within waits for act's end, at the longest for limit and until enough says so; done tells that act has ended.
func within(limit time.Duration, ended <-chan error, enough func() bool) (err error, done bool) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case err = <-ended:
			return err, true
		case <-deadline.C:
			return nil, false
		case <-tick.C:
			if enough != nil && enough() {
				return nil, false
			}
		}
	}
}
