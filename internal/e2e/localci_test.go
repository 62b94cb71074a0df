package e2e

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

var update = flag.Bool("update", false, "write the transcripts in docs anew")

// ownAction is an action that generated workflows name; local CI has a stand-in for it.
const ownAction = "medusa-deploy/medusa-deploy@0123456789abcdef0123456789abcdef01234567#v1.2.3"

// ciStage is a stage whose app is as someone has it who begins: its source and Dockerfile, and a git repository without a
// commit. init writes the rest; script has what was typed.
func ciStage(t *testing.T) (stage *rehearsal.Stage, script *transcript) {
	t.Helper()
	stage = newStage(t)
	if _, err := os.Stat(filepath.Join(stage.EngineDir, "act")); err != nil {
		t.Fatalf("%v: run `make engine` first", err)
	}
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", strings.TrimSpace(string(cache))) // a runner has a home of its own: everything would be compiled again
	config, err := stage.Read("medusa-deploy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".git", "ecs", "medusa-deploy.yaml"} {
		if err := os.RemoveAll(filepath.Join(stage.App, name)); err != nil {
			t.Fatal(err)
		}
	}
	gitIn(t, stage, "init", "--quiet", "--initial-branch=main")
	gitIn(t, stage, "remote", "add", "origin", "git@github.com:acme/hello.git")
	script = &transcript{}
	script.add("medusa-deploy init --region eu-central-1", must(t, stage, "init", "--yes", "--region", "eu-central-1", "--action", ownAction))
	// The example's Dockerfile copies a binary that is compiled before the build, so that the tests need no base image.
	_, after, found := strings.Cut(config, "  prepare:\n")
	prepare, _, more := strings.Cut(after, "targets:\n")
	if !found || !more {
		t.Fatal("the example has no image.prepare any more")
	}
	if err := stage.Edit("medusa-deploy.yaml", "image:\n", "image:\n  prepare:\n"+prepare); err != nil {
		t.Fatal(err)
	}
	script.add("$EDITOR medusa-deploy.yaml    # image.prepare: compiles what this app's Dockerfile copies", "")
	if _, err := stage.Commit("Deploy with medusa-deploy"); err != nil {
		t.Fatal(err)
	}
	script.add("git add -A && git commit -m 'Deploy with medusa-deploy'", "")
	return stage, script
}

// gitIn runs git in the app's work tree, in the stage's environment, and gives what it printed.
func gitIn(t *testing.T, stage *rehearsal.Stage, args ...string) string {
	t.Helper()
	command := asGit(t.Context(), t, stage, args...)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func asGit(ctx context.Context, t *testing.T, stage *rehearsal.Stage, args ...string) *exec.Cmd {
	t.Helper()
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	prepared := stage.Command(ctx)
	command := exec.CommandContext(ctx, git, args...)
	command.Dir, command.Env = prepared.Dir, prepared.Env
	return command
}

// serviceURL is where the app answers.
func serviceURL(t *testing.T, stage *rehearsal.Stage) string {
	t.Helper()
	var status struct {
		Services []struct{ URL string } `json:"services"`
	}
	decode(t, must(t, stage, "local", "status", "--output", "json"), &status)
	if len(status.Services) != 1 || status.Services[0].URL == "" {
		t.Fatalf("local status tells of the services %v", status.Services)
	}
	return status.Services[0].URL
}

// TestPushToLocalCI goes the way of a team without leaving the machine: push, see it run, push a change, roll back by hand.
// What is typed and printed is the transcript in the docs.
func TestPushToLocalCI(t *testing.T) {
	stage, script := ciStage(t)
	script.add("medusa-deploy local up --ci", must(t, stage, "local", "up", "--ci", "--listen", "127.0.0.1:0"))
	script.add("git push local main", gitIn(t, stage, "push", "local", "main"))
	url := serviceURL(t, stage)
	script.add("curl "+url, page(t, url))
	if text := page(t, url); !strings.HasPrefix(text, "Hello from medusa-deploy") {
		t.Errorf("the app says %q", text)
	}
	edit(t, stage, "Hello from", "Hello again from")
	script.add("git commit -am 'Greet again' && git push local main", gitIn(t, stage, "push", "local", "main"))
	if text := page(t, url); !strings.HasPrefix(text, "Hello again from medusa-deploy") {
		t.Errorf("after the second push the app says %q", text)
	}
	out, err := stage.Must(t.Context(), "trigger", "--target", "local", "--action", "rollback")
	if err != nil {
		t.Fatal(err)
	}
	script.add("medusa-deploy trigger --target local --action rollback", out.Stderr+out.Stdout)
	if text := page(t, url); !strings.HasPrefix(text, "Hello from medusa-deploy") {
		t.Errorf("after the rollback the app says %q", text)
	}
	script.add("medusa-deploy local status", must(t, stage, "local", "status"))
	script.compare(t, filepath.Join(root(t), "docs", "local-ci-transcript.md"), stage)
}

// TestABadPushToLocalCI pushes a version that ends at once: red, with the reason, and the version before serves on.
func TestABadPushToLocalCI(t *testing.T) {
	stage, _ := ciStage(t)
	if err := stage.Up(t.Context(), "--ci"); err != nil {
		t.Fatal(err)
	}
	gitIn(t, stage, "push", "local", "main")
	url := serviceURL(t, stage)
	edit(t, stage, "func main() {", "func main() {\n\tpanic(\"out of coffee\")\n}\n\nfunc unused() {")
	out := gitIn(t, stage, "push", "local", "main")
	for _, part := range []string{"### ❌ ship to production: rolled back", "exit code 2", "✗ failed after", "❌ local ci: run 2 of deploy FAILED after"} {
		if !strings.Contains(out, part) {
			t.Errorf("the pusher does not see %q:\n%s", part, out)
		}
	}
	if text := page(t, url); !strings.HasPrefix(text, "Hello from medusa-deploy") {
		t.Errorf("after the bad push the app says %q", text)
	}
	var status struct {
		CI struct {
			Runs []struct{ Outcome, Reason string } `json:"runs"`
		} `json:"ci"`
	}
	decode(t, must(t, stage, "local", "status", "--output", "json"), &status)
	if runs := status.CI.Runs; len(runs) != 2 || runs[0].Outcome != "failure" || !strings.HasPrefix(runs[0].Reason, "deploy to production: ship: ") || runs[1].Outcome != "success" {
		t.Errorf("local status tells of the runs %+v", runs)
	}
}

// TestLocalDownEndsARun stops local AWS while a pushed release is on its way. Nothing of the run may stay, and resetting
// removes the repository.
func TestLocalDownEndsARun(t *testing.T) {
	stage, _ := ciStage(t)
	if err := stage.Up(t.Context(), "--ci"); err != nil {
		t.Fatal(err)
	}
	if err := stage.Write(".github/workflows/slow.yml", []byte("on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'touch \"$HOME/runs\"; sleep 1000'}]}}\n")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(stage.App, ".github", "workflows", "deploy.yml")); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("slow"); err != nil {
		t.Fatal(err)
	}
	push := asGit(t.Context(), t, stage, "push", "local", "main")
	var out strings.Builder
	push.Stderr = &out
	if err := push.Start(); err != nil {
		t.Fatal(err)
	}
	ci := filepath.Join(stage.State, "ci")
	eventually(t, "the step runs", func() bool {
		_, err := os.Stat(filepath.Join(ci, "home", "runs"))
		return err == nil
	})
	must(t, stage, "local", "down")
	if err := push.Wait(); err != nil {
		t.Errorf("the push: %v", err)
	}
	if !strings.Contains(out.String(), "was cancelled") {
		t.Errorf("the pusher sees:\n%s", out.String())
	}
	must(t, stage, "local", "reset")
	if _, err := os.Stat(ci); !os.IsNotExist(err) {
		t.Errorf("the repository stays after a reset: %v", err)
	}
}

// transcript is what was typed and what was printed.
type transcript struct{ text strings.Builder }

func (s *transcript) add(typed, printed string) {
	fmt.Fprintf(&s.text, "$ %s\n", typed)
	if printed = strings.TrimRight(printed, "\n"); printed != "" {
		s.text.WriteString(printed + "\n")
	}
}

// volatile is what differs from run to run, and what stands for it in the docs.
var volatile = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?m)^(remote: )?\s*\S+ [a-z ]+: \d+ of \d+ running.*\n`), ""}, // how often one looks
	{regexp.MustCompile(`[ \t\x1b\[K]+\n`), "\n"},
	{regexp.MustCompile(`\b(\d+m ?)?\d+(\.\d+)? ?s\b`), "0.1 s"},
	{regexp.MustCompile(`\b(check|build|authenticate|push|deploy|verify|rollback) \d+\.\d\b`), "$1 0.1"},
	{regexp.MustCompile(`pid \d+`), "pid 1234"},
	{regexp.MustCompile(`, \d of \d steps cached`), ""},
}

var (
	identifier = regexp.MustCompile(`\b[0-9a-f]{64}\b|\b[0-9a-f]{40}\b|\b[0-9a-f]{12}\b|\b[0-9a-f]{7}\b`)
	port       = regexp.MustCompile(`127\.0\.0\.1:\d+`)
)

// compare holds what was said against the docs, or writes it there.
func (s *transcript) compare(t *testing.T, path string, stage *rehearsal.Stage) {
	t.Helper()
	text := strings.ReplaceAll(s.text.String(), stage.State, "~/.local/state/medusa-deploy/local")
	for _, v := range volatile {
		text = v.pattern.ReplaceAllString(text, v.instead)
	}
	text = numbered(text)
	got := "<!-- Written by `go test ./internal/e2e -run TestPushToLocalCI -update`, which types all this. Times, ids and ports are made up. -->\n\n```console\n" + text + "```\n"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s is not what happens; if it should be: go test ./internal/e2e -run TestPushToLocalCI -update\n%s", path, diff)
	}
}

// numbered gives ids and ports names that tell which are the same.
func numbered(text string) string {
	var seen []string
	text = identifier.ReplaceAllStringFunc(text, func(id string) string {
		if strings.Trim(id, "0") == "" { // the account
			return id
		}
		at := slices.IndexFunc(seen, func(known string) bool { return strings.HasPrefix(known, id[:7]) })
		if at < 0 {
			at = len(seen)
			seen = append(seen, id)
		}
		return strings.Repeat(fmt.Sprintf("%07x", 0xa000001+at*0x1111111%0x6000000), 10)[:len(id)]
	})
	var ports []string
	return port.ReplaceAllStringFunc(text, func(address string) string {
		at := slices.Index(ports, address)
		if at < 0 {
			at = len(ports)
			ports = append(ports, address)
		}
		return []string{"127.0.0.1:4566", "127.0.0.1:9000", "127.0.0.1:9001"}[min(at, 2)]
	})
}
