package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/shop"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// show is a shop before an audience.
type show struct {
	*shop.Shop
	stage
	url      string // of the shop
	email    string // of the clerk
	password string // of the clerk
	clerk    *shop.Client
	counter  *shop.Counter
	layers   map[string]int64 // of the first image, with their sizes in bytes
	commits  []string         // that have been shipped with success, in turn
}

// stage is where it is said and done.
type stage struct {
	out  io.Writer // the audience's, and the transcript's
	text *bytes.Buffer
}

func newStage(audience io.Writer) stage {
	text := &bytes.Buffer{}
	return stage{out: io.MultiWriter(audience, text), text: text}
}

func (s stage) say(format string, args ...any)  { fmt.Fprintf(s.out, "\n── "+format+"\n", args...) }
func (s stage) tell(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }
func (s stage) typed(command string)            { fmt.Fprintf(s.out, "$ %s\n", command) }

// do runs the program before the audience; it must end with that exit code. What it printed is given as well.
func (s *show) do(ctx context.Context, exit int, args ...string) (string, error) {
	s.typed("medusa-deploy " + strings.Join(args, " "))
	return s.perform(s.Command(ctx, args...), exit)
}

func (s *show) perform(command *exec.Cmd, exit int) (string, error) {
	var heard bytes.Buffer
	both := io.MultiWriter(s.out, &heard)
	command.Stdout, command.Stderr = both, both
	err := command.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return "", fmt.Errorf("%s: %w", strings.Join(command.Args, " "), err)
	}
	if got := command.ProcessState.ExitCode(); got != exit {
		return "", fmt.Errorf("%s: exit %d, want %d", strings.Join(command.Args, " "), got, exit)
	}
	if exit != 0 {
		s.tell("exit code %d", exit)
	}
	return heard.String(), nil
}

// git runs git in the shop's work tree.
func (s *show) git(ctx context.Context, args ...string) *exec.Cmd {
	like := s.Command(ctx)
	command := exec.CommandContext(ctx, "git", args...)
	command.Dir, command.Env = like.Dir, like.Env
	return command
}

// Traffic while a release is under way: clients that ask without a pause longer than this.
const (
	visitors   = 4
	visitEvery = 25 * time.Millisecond
)

// underLoad does something while visitors ask for a page that says the version and for one that reads the database. None
// of their requests may fail.
func (s *show) underLoad(ctx context.Context, what func() error) (rehearsal.LoadReport, error) {
	pages := rehearsal.StartTraffic(ctx, rehearsal.Traffic{URL: s.url + "/version", KeepAlive: visitors, Fresh: visitors, Every: visitEvery})
	database := rehearsal.StartTraffic(ctx, rehearsal.Traffic{URL: s.url + "/ready", KeepAlive: visitors, Every: visitEvery})
	err := what()
	seen, ready := pages.Stop(), database.Stop()
	seen.Sent, seen.Failed, seen.Failures = seen.Sent+ready.Sent, seen.Failed+ready.Failed, append(seen.Failures, ready.Failures...)
	seen.Slowest = max(seen.Slowest, ready.Slowest)
	if err != nil {
		return seen, err
	}
	s.tell("requests sent meanwhile: %d, failed: %d, slowest: %.1f s", seen.Sent, seen.Failed, seen.Slowest.Seconds())
	if seen.Failed > 0 || seen.Sent == 0 {
		return seen, fmt.Errorf("requests failed: %q", seen.Failures)
	}
	return seen, nil
}

// answers checks which commit answers, and that all tasks run it.
func (s *show) answers(ctx context.Context, commit, greeting string) error {
	version, err := shop.Anyone(s.url).Version(ctx)
	if err != nil {
		return err
	}
	s.typed("curl " + s.url + "/version")
	s.tell(`{"greeting":%q,"commit":%q}`, version.Greeting, version.Commit)
	if version.Commit != commit || version.Greeting != greeting {
		return fmt.Errorf("want %q of commit %s", greeting, commit)
	}
	return s.Runs(ctx, commit)
}

// shipped is what a good release leaves: the commit is the newest.
func (s *show) shipped(commit string) { s.commits = append(s.commits, commit) }

func (s *show) newest() string { return s.commits[len(s.commits)-1] }

// end closes the shop, and looks for what is left.
func (s *show) end(ctx context.Context) error {
	s.say("everything stopped")
	if err := s.Close(ctx); err != nil {
		return err
	}
	s.tell("no process, mount or interface is left; %.1f minutes in all", time.Since(s.Began).Minutes())
	return nil
}

// change writes files into the shop and commits them.
func (s *show) change(subject string, files map[string]string) (string, error) {
	for name, content := range files {
		if err := s.Write(name, []byte(content)); err != nil {
			return "", err
		}
	}
	commit, err := s.Commit(subject)
	if err == nil {
		s.typed(fmt.Sprintf("git add -A && git commit -m %q", subject))
	}
	return commit, err
}

// exits of the program.
const (
	exitDone       = release.ExitDone
	exitMigration  = release.ExitMigration
	exitRolledBack = release.ExitRolledBack
)

func megabytes(bytes int64) float64 { return float64(bytes) / 1e6 }
