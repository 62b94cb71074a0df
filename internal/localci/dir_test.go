package localci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCreateAgain(t *testing.T) {
	s := newStage(t)
	s.write("file.txt", "one")
	sha := s.commit("first")
	s.push("main")
	before, err := s.dir.load()
	if err != nil {
		t.Fatal(err)
	}
	if before.Name != "acme/shop" || before.Origin != "https://github.com/acme/shop.git" {
		t.Errorf("the settings are %+v", before)
	}
	if err := s.dir.Create(t.Context(), Setup{Program: before.Program, Act: before.Act, WorkTree: s.tree}); err != nil {
		t.Fatal(err)
	}
	if head, err := git(t.Context(), s.dir.Repository(), "rev-parse", "refs/heads/main"); err != nil || strings.TrimSpace(head) != sha {
		t.Errorf("what was pushed is lost: %s (%v)", head, err)
	}
	if url, added, err := s.dir.AddRemote(t.Context(), s.tree); err != nil || added || url != s.dir.Repository() {
		t.Errorf("the remote was added again: %v %s %v", added, url, err)
	}
}

func TestARemoteThatIsTaken(t *testing.T) {
	s := newStage(t)
	s.git("remote", "set-url", RemoteName, "git@example.com:x/y.git")
	if url, added, err := s.dir.AddRemote(t.Context(), s.tree); err != nil || added || url != "git@example.com:x/y.git" {
		t.Errorf("%q %v %v", url, added, err)
	}
	if url, added, err := s.dir.AddRemote(t.Context(), t.TempDir()); err != nil || added || url != "" {
		t.Errorf("outside of a repository: %q %v %v", url, added, err)
	}
}

// TestAUsersOwnHooks: a global core.hooksPath would hide ours, and its hooks are not for our checkouts.
func TestAUsersOwnHooks(t *testing.T) {
	s := newStage(t)
	config := filepath.Join(t.TempDir(), "gitconfig")
	hooks := t.TempDir()
	for name, content := range map[string]string{
		config:                                "[core]\n\thooksPath = " + hooks + "\n",
		filepath.Join(hooks, "post-checkout"): "#!/bin/sh\ntouch " + hooks + "/canary\n",
		filepath.Join(hooks, "post-receive"):  "#!/bin/sh\ntouch " + hooks + "/canary\n",
	} {
		if err := os.WriteFile(name, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	s.write(workflowsDir+"/deploy.yml", "name: deploy\non: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{uses: actions/checkout@v7}]}}\n")
	s.commit("first")
	command := s.push("main")
	expect(t, command, "✅ local ci: run 1 of deploy succeeded")
	if _, err := os.Stat(filepath.Join(hooks, "canary")); err == nil {
		t.Error("a hook of the user's was run")
	}
}

func TestWhatStandsInTheWay(t *testing.T) {
	if err := In(t.TempDir()).Problem(); err == nil || !strings.Contains(err.Error(), "local up --ci") {
		t.Errorf("without a local CI: %v", err)
	}
	if err := In(t.TempDir()).Create(t.Context(), Setup{Program: "/bin/true", Act: "/nowhere/act"}); err == nil || !strings.Contains(err.Error(), "make engine") {
		t.Errorf("without act: %v", err)
	}
	s := newStage(t)
	if err := os.Remove(s.dir.hook()); err != nil {
		t.Fatal(err)
	}
	if err := s.dir.Problem(); err == nil || !strings.Contains(err.Error(), "a push starts no workflow") {
		t.Errorf("without its hook: %v", err)
	}
}

func TestSecretsOfTheUsersOwn(t *testing.T) {
	s := newStage(t)
	for path, content := range map[string]string{s.dir.secrets(): `{"PASSWORD": "of-my-own", "EXTRA": "more"}`, s.dir.variables(): `{"SHAPE": "round"}`} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.write(workflowsDir+"/deploy.yml", `name: deploy
on: push
jobs:
  a:
    runs-on: ubuntu-latest
    steps: [{run: 'echo "${#PASSWORD} ${#EXTRA} $SHAPE $COLOUR"', env: {PASSWORD: "${{ secrets.PASSWORD }}", EXTRA: "${{ secrets.EXTRA }}", SHAPE: "${{ vars.SHAPE }}", COLOUR: "${{ vars.COLOUR }}"}}]
`)
	s.commit("first")
	expect(t, s.push("main"), "  9 4 round blue\n")
	if err := os.WriteFile(s.dir.secrets(), []byte("PASSWORD=x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.commit("second")
	expect(t, s.push("main"), "FAILED", "secrets.json: expected a JSON object of texts")
}

func TestCheckoutInputs(t *testing.T) {
	for wrong, env := range map[string]map[string]string{
		"is not below the workspace":                  {"STANDIN_PATH": "../x"},
		"local CI has only the workflow's own":        {"STANDIN_REPOSITORY": "other/one"},
		"submodules: local CI's checkout cannot":      {"STANDIN_SUBMODULES": "recursive"},
		"sparse-checkout: local CI's checkout cannot": {"STANDIN_SPARSE_CHECKOUT": "docs"},
		"is not a number of commits":                  {"STANDIN_FETCH_DEPTH": "all"},
	} {
		_, err := CheckoutInputs(func(name string) string {
			if value, ok := env[name]; ok {
				return value
			}
			return map[string]string{"GITHUB_WORKSPACE": "/w", "STANDIN_FETCH_DEPTH": "1", "GITHUB_REPOSITORY": "acme/shop", "STANDIN_SUBMODULES": "false"}[name]
		})
		if err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%v: %v, want %q", env, err, wrong)
		}
	}
}

func TestOldRunsAreForgotten(t *testing.T) {
	dir := In(t.TempDir())
	for range keptRuns + 3 {
		number, _, err := dir.nextRun()
		if err == nil {
			err = writeJSON(dir.recordPath(number), Record{Number: number, Outcome: Success})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.sweep(); err != nil {
		t.Fatal(err)
	}
	runs, err := dir.Runs(1000)
	if err != nil || len(runs) != keptRuns || runs[0].Number != keptRuns+3 || runs[keptRuns-1].Number != 4 {
		t.Errorf("%d runs are kept (%v)", len(runs), err)
	}
}
