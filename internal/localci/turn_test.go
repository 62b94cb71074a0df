package localci

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// gated is a workflow whose step says that it runs, and goes on when the test opens its gate: both are files named by the
// commit's subject. sleep.pid holds the id of a process that the step has started.
const gated = `name: deploy
on: {push: {branches: [main]}}
concurrency: {group: "deploy-${{ github.ref_name }}", cancel-in-progress: %t}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v7
      - name: Wait
        shell: bash
        env: {GATES: %q}
        run: |
          name=$(git log -1 --format=%%s)
          sleep 1000 & echo $! > "$GATES/$name.pid"
          touch "$GATES/$name.runs"
          until test -e "$GATES/$name.open"; do read -rt 0.05 <> <(:) || :; done
          kill %%1
      - name: Tidy up
        if: always()
        run: touch "$GATES/tidy"
        env: {GATES: %q}
`

type gates struct {
	*stage
	path string
}

func newGates(t *testing.T, cancel bool) *gates {
	t.Helper()
	g := &gates{newStage(t), t.TempDir()}
	g.write(workflowsDir+"/deploy.yml", fmt.Sprintf(gated, cancel, g.path, g.path))
	return g
}

func (g *gates) there(name string) bool {
	_, err := os.Stat(filepath.Join(g.path, name))
	return err == nil
}

func (g *gates) open(name string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.path, name+".open"), nil, 0o600); err != nil {
		g.t.Fatal(err)
	}
}

// push commits and pushes in the background. The id is of git's own process group.
func (g *gates) push(name string) *pushing {
	g.t.Helper()
	g.commit(name)
	p := &pushing{command: exec.Command("git", "push", RemoteName, "main")}
	p.command.Dir, p.command.Env = g.tree, gitEnvironment()
	p.command.Stdout, p.command.Stderr = p, p
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.command.Start(); err != nil {
		g.t.Fatal(err)
	}
	return p
}

type pushing struct {
	command *exec.Cmd
	mu      sync.Mutex
	out     bytes.Buffer
}

func (p *pushing) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(b)
}

func (p *pushing) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func (p *pushing) says(part string) func() bool {
	return func() bool { return strings.Contains(p.text(), part) }
}

func TestRunsOfOneGroupTakeTurns(t *testing.T) {
	g := newGates(t, false)
	one := g.push("one")
	eventually(t, "the first run", func() bool { return g.there("one.runs") })
	two := g.push("two")
	eventually(t, "the second waits", two.says(`waits for run 1: both are of the concurrency group "deploy-main"`))
	three := g.push("three")
	eventually(t, "the third waits", three.says("waits for run 1"))
	eventually(t, "the second is replaced", two.says("was cancelled"))
	if err := two.command.Wait(); err != nil {
		t.Errorf("the push of a run that was replaced fails: %v", err)
	}
	expect(t, two.text(), "replaced by run 3")
	if g.there("three.runs") || g.there("two.runs") {
		t.Error("a run began while another one was in progress")
	}
	g.open("one")
	eventually(t, "the third run", func() bool { return g.there("three.runs") })
	g.open("three")
	for _, p := range []*pushing{one, three} {
		if err := p.command.Wait(); err != nil {
			t.Errorf("%v\n%s", err, p.text())
		}
		expect(t, p.text(), "✅ local ci")
	}
	var outcomes []Outcome
	runs, err := g.dir.Runs(10)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		outcomes = append(outcomes, r.Outcome)
	}
	if got := fmt.Sprint(outcomes); got != "[success cancelled success]" {
		t.Errorf("the outcomes, newest first, are %s", got)
	}
}

func TestCancelInProgress(t *testing.T) {
	g := newGates(t, true)
	one := g.push("one")
	eventually(t, "the first run", func() bool { return g.there("one.runs") })
	g.open("two")
	two := g.push("two")
	if err := two.command.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, two.text())
	}
	if err := one.command.Wait(); err != nil {
		t.Errorf("%v\n%s", err, one.text())
	}
	expect(t, one.text(), "run 1 of deploy was cancelled")
	expect(t, two.text(), "✅ local ci: run 2")
	g.gone("one")
}

// gone fails when what a step has started still lives.
func (g *gates) gone(name string) {
	g.t.Helper()
	raw, err := os.ReadFile(filepath.Join(g.path, name+".pid"))
	if err != nil {
		g.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		g.t.Fatal(err)
	}
	eventually(g.t, "the step's process is gone", func() bool {
		command, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
		return err != nil || !strings.Contains(string(command), "sleep")
	})
}

// TestWhoeverPushesGoesAway ends the pusher in three ways while a step runs. Nothing of the run may stay.
func TestWhoeverPushesGoesAway(t *testing.T) {
	for name, end := range map[string]func(*gates, *pushing) error{
		"interrupt":  func(_ *gates, p *pushing) error { return syscall.Kill(-p.command.Process.Pid, syscall.SIGINT) },
		"hang-up":    func(_ *gates, p *pushing) error { return syscall.Kill(-p.command.Process.Pid, syscall.SIGHUP) },
		"local down": func(g *gates, _ *pushing) error { return g.dir.Stop(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGates(t, false)
			p := g.push("one")
			eventually(t, "the run", func() bool { return g.there("one.runs") })
			if err := end(g, p); err != nil {
				t.Fatal(err)
			}
			_ = p.command.Wait() // by its signal, or in order
			eventually(t, "the run has ended", func() bool { return g.last().Outcome != "" })
			if r := g.last(); r.Outcome != Cancelled || r.Reason == "its process was killed" {
				t.Errorf("the record is %+v", r)
			}
			g.gone("one")
			if !g.there("tidy") {
				t.Error("the step that cleans up did not run")
			}
		})
	}
}

// TestTheHookIsKilled: what stays then is found by whatever comes next.
func TestTheHookIsKilled(t *testing.T) {
	g := newGates(t, false)
	p := g.push("one")
	eventually(t, "the run", func() bool { return g.there("one.runs") })
	if err := syscall.Kill(-p.command.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = p.command.Wait()
	eventually(t, "the run is known to be dead", func() bool { return g.last().Outcome != "" })
	if err := g.dir.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.gone("one")
	if _, err := os.Stat(g.dir.scratch(1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its secrets stay: %v", err)
	}
	if r := g.last(); r.Outcome != Cancelled || r.Reason != "its process was killed" {
		t.Errorf("the record is %+v", r)
	}
}
