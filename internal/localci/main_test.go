package localci

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for something that takes a second on a quiet machine.
const patience = 2 * time.Minute

// TestMain makes the test binary what the real program is: git's hook, and the program that stand-ins run.
func TestMain(m *testing.M) {
	switch {
	case IsShell(os.Args):
		os.Exit(Shell(os.Args))
	case filepath.Base(os.Args[0]) == HookName:
		os.Exit(hookForTest())
	case len(os.Args) == 4 && os.Args[1] == "local" && os.Args[2] == "standin":
		os.Exit(standinForTest(os.Args[3]))
	}
	os.Exit(m.Run())
}

func hookForTest() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	repository, err := os.Getwd()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	dir := Dir(filepath.Dir(repository))
	if _, err := dir.Push(ctx, worldForTest(dir), os.Stdin, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "hook:", err)
		return 1
	}
	return 0
}

func worldForTest(dir Dir) Surroundings {
	return Surroundings{
		Variables: map[string]string{"TEST_DIR": string(dir)},
		Secrets:   map[string]string{"PASSWORD": "open-sesame"},
		Vars:      map[string]string{"COLOUR": "blue"},
	}
}

func standinForTest(name string) int {
	if name != "checkout" {
		fmt.Printf("stand-in of %s\n", name)
		return 0
	}
	wanted, err := CheckoutInputs(os.Getenv)
	if err == nil {
		_, err = Dir(os.Getenv("TEST_DIR")).Checkout(context.Background(), wanted)
	}
	if err != nil {
		fmt.Println("::error::" + err.Error())
		return 1
	}
	return 0
}

// stage is a work tree with a local CI as its remote.
type stage struct {
	t    *testing.T
	tree string
	dir  Dir
}

func newStage(t *testing.T) *stage {
	t.Helper()
	if testing.Short() {
		t.Skip("runs act")
	}
	act, err := filepath.Abs("../../bin/engine/act")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(act); err != nil {
		t.Fatalf("%v: run `make engine` first", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, tree: t.TempDir(), dir: In(t.TempDir())}
	s.git("init", "--quiet", "--initial-branch=main")
	s.git("remote", "add", "origin", "https://ada:token@github.com/acme/shop.git")
	if err := s.dir.Create(t.Context(), Setup{Program: self, Act: act, WorkTree: s.tree}); err != nil {
		t.Fatal(err)
	}
	if _, added, err := s.dir.AddRemote(t.Context(), s.tree); err != nil || !added {
		t.Fatalf("the remote was not added: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := s.dir.Remove(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

func gitEnvironment() []string {
	return append(withoutGit(os.Environ()), "GIT_CONFIG_GLOBAL="+cmp.Or(os.Getenv("GIT_CONFIG_GLOBAL"), os.DevNull), "GIT_CONFIG_SYSTEM="+os.DevNull,
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.com", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@example.com")
}

func (s *stage) git(args ...string) string {
	s.t.Helper()
	command := exec.Command("git", args...)
	command.Dir, command.Env = s.tree, gitEnvironment()
	out, err := command.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (s *stage) write(name, content string) {
	s.t.Helper()
	path := filepath.Join(s.tree, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// commit commits everything and gives the sha.
func (s *stage) commit(message string) string {
	s.t.Helper()
	s.git("add", "--all")
	s.git("commit", "--quiet", "--allow-empty", "--message", message)
	return strings.TrimSpace(s.git("rev-parse", "HEAD"))
}

// push pushes refs to the local CI and gives what the pusher saw, without git's prefix.
func (s *stage) push(refs ...string) string {
	s.t.Helper()
	out := s.git(append([]string{"push", RemoteName}, refs...)...)
	var lines []string
	for line := range strings.SplitSeq(out, "\n") {
		if text, ok := strings.CutPrefix(line, "remote: "); ok {
			lines = append(lines, strings.TrimRight(text, " \x1b[K"))
		}
	}
	return strings.Join(lines, "\n")
}

// last is the record of the newest run.
func (s *stage) last() Record {
	s.t.Helper()
	runs, err := s.dir.Runs(1)
	if err != nil || len(runs) == 0 {
		s.t.Fatalf("there is no run: %v", err)
	}
	return runs[0]
}

func (s *stage) dispatch(q Request) (Record, string, error) {
	s.t.Helper()
	var out bytes.Buffer
	record, err := s.dir.Dispatch(s.t.Context(), worldForTest(s.dir), q, &out)
	return record, out.String(), err
}

func expect(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
}

// eventually waits for a condition, looking often.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: not within %s", what, patience)
		case <-tick.C:
		}
	}
}
