package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/uuid"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// canaries are secrets that no output, log, process or file may ever show.
type canaries map[string]string

// variables are the canaries as the program's environment, where secrets come from in CI.
func (c canaries) variables() []string {
	var env []string
	for name, value := range c {
		env = append(env, name+"="+value)
	}
	return env
}

// in gives the names of the canaries that a text shows, as they are or in base64.
func (c canaries) in(text []byte) []string {
	var found []string
	for name, value := range c {
		encoded := base64.StdEncoding.EncodeToString([]byte(value))
		if bytes.Contains(text, []byte(value)) || bytes.Contains(text, []byte(encoded[:len(encoded)-4])) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// TestNoSecretGetsOut plants secrets in the program's environment and in the app's secrets, walks it through every kind of
// release and every face, and searches what was printed, every process, and every file that is left.
func TestNoSecretGetsOut(t *testing.T) {
	stage := newStage(t)
	planted := canaries{}
	for _, name := range []string{"GITHUB_TOKEN", "COSIGN_PASSWORD", "AWS_SESSION_TOKEN", "DATABASE_PASSWORD", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"} {
		planted[name] = "canary-" + uuid.NewString()
	}
	for _, dir := range []string{"home", "tmp"} {
		if err := os.Mkdir(filepath.Join(stage.Dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	stage.Env = append(planted.variables(), "TMPDIR="+filepath.Join(stage.Dir, "tmp"), "HOME="+filepath.Join(stage.Dir, "home"), "GOCACHE="+goCache(t))
	if err := stage.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	aws := newAWS(t, stage)
	app := canaries{"the app's secret": "canary-" + uuid.NewString()}
	arn := aws.run("secretsmanager", "create-secret", "--name", "app", "--secret-string", app["the app's secret"], "--query", "ARN", "--output", "text")
	if err := stage.Edit("ecs/task-definition.json", `"essential": true,`, `"essential": true, "secrets": [{"name": "DEMO", "valueFrom": "`+arn+`"}],`); err != nil {
		t.Fatal(err)
	}
	if err := stage.Append("medusa-deploy.yaml", "    migrate: {command: [-migrate]}\n"); err != nil {
		t.Fatal(err)
	}
	migrates(t, stage, "MIGRATE_FOR=1s")

	seen := watchProcesses(t, stage, maps.Clone(planted))
	printed := everyCommand(t, stage)
	maps.Copy(planted, app)
	for command, text := range printed {
		if found := planted.in([]byte(text)); len(found) > 0 {
			t.Errorf("%s shows %q:\n%s", command, found, text)
		}
	}
	for _, one := range seen() {
		t.Errorf("%s", one)
	}
	must(t, stage, "local", "down")
	searchFiles(t, stage, planted)
}

// everyCommand runs each kind of release in each face, and what looks at them, and gives what they printed.
func everyCommand(t *testing.T, stage *rehearsal.Stage) map[string]string {
	t.Helper()
	printed := map[string]string{}
	run := func(exit int, args ...string) {
		t.Helper()
		out, err := stage.Run(t.Context(), args...)
		if err != nil {
			t.Fatal(err)
		}
		if out.Exit != exit {
			t.Errorf("medusa-deploy %s: exit %d, want %d\n%s%s", strings.Join(args, " "), out.Exit, exit, out.Stderr, out.Stdout)
		}
		printed[strings.Join(args, " ")] += out.Stdout + out.Stderr
	}
	run(release.ExitDone, "ship", "--output", "plain", "--verbose", "--explain")
	edit(t, stage, "Hello from", "Hello again from")
	run(release.ExitDone, "ship", "--output", "json", "--verbose")
	breakImage(t, stage, "ENV CRASH=3")
	run(release.ExitRolledBack, "ship", "--output", "github", "--verbose", "--explain")
	migrates(t, stage, "MIGRATE_EXIT=3")
	run(release.ExitMigration, "ship", "--verbose")
	run(release.ExitDone, "rollback", "--yes", "--verbose", "--explain")
	for _, args := range [][]string{
		{"check", "--verbose"}, {"status", "--output", "json"}, {"status"}, {"history", "--output", "json"}, {"trace", "HEAD~1"}, {"logs"}, {"local", "status"}, {"build", "--output", "json"},
	} {
		run(release.ExitDone, args...)
	}
	return printed
}

// watchProcesses looks at every process's arguments and environment until it is asked what it saw. The program itself was
// given the secrets, and so was this test. A process whose last argument is the stage's mark is told by a signal whenever
// it was there for the whole of a look.
func watchProcesses(t *testing.T, stage *rehearsal.Stage, planted canaries) (seen func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	found := map[string]bool{}
	var done sync.WaitGroup
	looks := 0
	done.Go(func() {
		for ; ctx.Err() == nil; looks++ {
			waiting := running(markOf(stage))
			for _, one := range exposed(stage, planted) {
				found[one] = true
			}
			for _, pid := range waiting {
				_ = syscall.Kill(pid, syscall.SIGCONT) // nothing, to one that does not wait for it
			}
		}
	})
	return func() []string {
		cancel()
		done.Wait()
		if looks == 0 {
			t.Error("no process was ever looked at")
		}
		var all []string
		for one := range found {
			all = append(all, one)
		}
		return all
	}
}

// markOf is an argument that only processes of the stage have.
func markOf(stage *rehearsal.Stage) string { return filepath.Base(stage.Dir) }

func exposed(stage *rehearsal.Stage, planted canaries) []string {
	var found []string
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return []string{err.Error()}
	}
	for _, entry := range entries {
		if _, err := strconv.Atoi(entry.Name()); err != nil || entry.Name() == strconv.Itoa(os.Getpid()) {
			continue
		}
		dir := filepath.Join("/proc", entry.Name())
		arguments, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || len(arguments) == 0 {
			continue // it is gone, or is the kernel's
		}
		words := strings.Split(string(arguments), "\x00")
		if names := planted.in(arguments); len(names) > 0 {
			found = append(found, fmt.Sprintf("the arguments of %q show %q", words, names))
		}
		if words[0] == stage.Program && !slices.Contains(words, "--foreground") {
			continue // it was given them
		}
		environment, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil {
			continue
		}
		names := planted.in(environment)
		if slices.Contains(words, "build") && strings.HasSuffix(words[0], "go") || strings.Contains(words[0], "/go/") {
			own := []string{"DATABASE_PASSWORD", "NPM_TOKEN"} // a build may need secrets of its own
			names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(own, name) })
		}
		if len(names) > 0 {
			found = append(found, fmt.Sprintf("the environment of %q has %q", words, names))
		}
	}
	return found
}

// searchFiles searches all that the stage's program has left on disk.
func searchFiles(t *testing.T, stage *rehearsal.Stage, planted canaries) {
	t.Helper()
	if files := searchEach(t, stage, planted, func(raw []byte) []byte { return raw }); files < 100 {
		t.Errorf("searched %d files", files)
	}
}

// searchEach searches what content makes of each of the stage's files, and counts those of which it makes something.
func searchEach(t *testing.T, stage *rehearsal.Stage, planted canaries, content func(raw []byte) []byte) (files int) {
	t.Helper()
	err := filepath.WalkDir(stage.Dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		found := content(raw)
		if found == nil {
			return nil
		}
		files++
		if names := planted.in(found); len(names) > 0 {
			t.Errorf("%s has %q", path, names)
		}
		return nil
	})
	if err != nil {
		t.Errorf("searched %d files: %v", files, err)
	}
	return files
}

// goCache keeps builds fast in a home of its own.
func goCache(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
