package localci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const deployWorkflow = `name: deploy
run-name: ${{ inputs.action || 'ship' }} ${{ github.ref_name }}
on:
  push:
    branches: [main]
  workflow_dispatch:
    inputs:
      action: {type: choice, options: [ship, rollback], default: ship}
      ref: {type: string, default: ''}
jobs:
  deploy:
    name: deploy to ${{ inputs.target || 'production' }}
    runs-on: ubuntu-24.04
    steps:
      - name: Check out
        uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with: {ref: "${{ inputs.ref || github.sha }}", fetch-depth: 0}
      - name: Look around
        env: {PASSWORD: "${{ secrets.PASSWORD }}", COLOUR: "${{ vars.COLOUR }}", ACTION: "${{ inputs.action }}"}
        run: |
          echo "repository $GITHUB_REPOSITORY ref $GITHUB_REF run $GITHUB_RUN_ID token [${{ github.token }}]"
          echo "password $PASSWORD colour $COLOUR action [$ACTION] origin $(git config remote.origin.url)"
          echo "commits $(git rev-list --count HEAD) subject $(git log -1 --format=%s) file $(cat file.txt)"
          echo "home $HOME token ${GH_TOKEN:-none}"
          echo "### done **well**" >> "$GITHUB_STEP_SUMMARY"
      - name: Second
        run: printf '::error file=app.js,line=3::boom\n\033[31mred\033[0m\n'
`

func TestPushRunsTheWorkflow(t *testing.T) {
	t.Setenv("GH_TOKEN", "of-the-user")
	s := newStage(t)
	s.write(workflowsDir+"/deploy.yml", deployWorkflow)
	s.write("file.txt", "one")
	s.commit("first")
	s.write("file.txt", "two")
	sha := s.commit("second")
	out := s.push("main")
	expect(t, out,
		"local ci: run 1 of deploy (.github/workflows/deploy.yml): ship main\n  push of main at "+sha[:12],
		"── deploy to production\n▸ Check out\n  ✓ ",
		"▸ Look around\n  repository acme/shop ref refs/heads/main run 1 token []\n",
		"  password *** colour blue action [] origin https://github.com/acme/shop.git\n",
		"  commits 2 subject second file two\n",
		"  home "+s.dir.home()+" token none\n",
		"▸ Second\n  error: app.js:3: boom\n  red\n  ✓ ",
		"── summary\n  ### done **well**\n",
		"✅ local ci: run 1 of deploy succeeded in ",
	)
	r := s.last()
	if r.Outcome != Success || r.Number != 1 || r.SHA != sha || r.Finished.Before(r.Started) {
		t.Errorf("the record is %+v", r)
	}
	if summary, err := os.ReadFile(r.Summary); err != nil || string(summary) != "### done **well**\n" {
		t.Errorf("the summary is %q (%v)", summary, err)
	}
	if log, err := os.ReadFile(r.Log); err != nil || !strings.Contains(string(log), "commits 2 subject second") {
		t.Errorf("the log is %q (%v)", log, err)
	}
	left, err := filepath.Glob(filepath.Join(string(s.dir), "runs", "*", "scratch"))
	if err != nil || len(left) > 0 {
		t.Errorf("secrets were left in %v (%v)", left, err)
	}
}

func TestAFailingStepIsTold(t *testing.T) {
	s := newStage(t)
	s.write(workflowsDir+"/deploy.yml", `name: deploy
on: {push: {branches: [main]}}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - {name: Fine, run: "true"}
      - {name: Broken, run: "echo no space left; exit 4"}
      - {name: Cleanup, if: failure(), run: "echo cleaning"}
      - {name: Never, run: "echo never"}
  later:
    needs: build
    runs-on: ubuntu-latest
    steps: [{run: "echo later"}]
`)
	s.commit("first")
	out := s.push("main")
	expect(t, out, "▸ Broken\n  no space left\n  ✗ failed after ", "▸ Cleanup\n  cleaning\n  ✓ ", "❌ local ci: run 1 of deploy FAILED after ", ": build: Broken")
	for _, never := range []string{"never", "later"} {
		if strings.Contains(out, never) {
			t.Errorf("it ran on after the failure:\n%s", out)
		}
	}
	if r := s.last(); r.Outcome != Failure || r.Reason != "build: Broken" {
		t.Errorf("the record is %+v", r)
	}
}

// TestWhatAPushStarts pushes branches and tags, and looks which workflows run.
func TestWhatAPushStarts(t *testing.T) {
	s := newStage(t)
	for name, on := range map[string]string{
		"all": "push", "main": "{push: {branches: [main]}}", "releases": "{push: {branches: ['releases/**', '!releases/old/**']}}",
		"tags": "{push: {tags: ['v*']}}", "docs": "{push: {branches: [main], paths: ['docs/**']}}", "hand": "workflow_dispatch",
	} {
		s.write(workflowsDir+"/"+name+".yml", "name: "+name+"\non: "+on+"\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'true'}]}}\n")
	}
	s.write("docs/index.md", "one")
	s.commit("first")
	started := func(refs ...string) string {
		var names []string
		for line := range strings.SplitSeq(s.push(refs...), "\n") {
			if _, after, ok := strings.Cut(line, " of "); ok && strings.HasPrefix(line, "local ci: run") {
				name, _, _ := strings.Cut(after, " ")
				names = append(names, name)
			}
		}
		return strings.Join(names, " ")
	}
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: it runs %q, want %q", what, got, want)
		}
	}
	check("a new branch", started("main"), "all docs main")
	s.commit("nothing of docs")
	check("main without docs", started("main"), "all main")
	s.write("docs/index.md", "two")
	s.commit("docs")
	check("main with docs", started("main"), "all docs main")
	check("a release branch", started("HEAD:refs/heads/releases/1"), "all releases")
	check("an old release branch", started("HEAD:refs/heads/releases/old/1"), "all")
	s.git("tag", "-a", "-m", "one", "v1.0")
	check("a tag", started("v1.0"), "all tags")
	check("a note", started("HEAD:refs/notes/x"), "")
	expect(t, s.push(":refs/heads/releases/1"), "releases/1 is gone: nothing runs")
}

func TestAWorkflowThatGitHubWouldRefuse(t *testing.T) {
	s := newStage(t)
	s.write(workflowsDir+"/deploy.yml", "on: {push: {branches: [main]}}\njobs:\n  a:\n    steps: [\n")
	s.commit("first")
	expect(t, s.push("main"), "❌ local ci: .github/workflows/deploy.yml:", "GitHub would not run it")
}

func TestAJobThatCannotRunHereIsNoSuccess(t *testing.T) {
	s := newStage(t)
	s.write(workflowsDir+"/deploy.yml", `name: deploy
on: {push: {branches: [main]}}
jobs:
  mac: {runs-on: macos-latest, steps: [{run: "true"}]}
`)
	s.commit("first")
	expect(t, s.push("main"), "FAILED", "mac cannot run here: local CI has runners for Ubuntu alone")
}

func TestDispatch(t *testing.T) {
	s := newStage(t)
	s.write(workflowsDir+"/deploy.yml", deployWorkflow)
	s.write("file.txt", "one")
	first := s.commit("first")
	s.write("file.txt", "two")
	s.commit("second")
	if _, _, err := s.dispatch(Request{Workflow: "deploy.yml"}); err == nil || !strings.Contains(err.Error(), "git push local main") {
		t.Errorf("before anything was pushed: %v", err)
	}
	s.push("main")
	record, out, err := s.dispatch(Request{Workflow: "deploy.yml", Inputs: map[string]string{"action": "rollback", "ref": first}})
	if err != nil || record.Outcome != Success {
		t.Fatalf("%v: %+v\n%s", err, record, out)
	}
	expect(t, out, "run 2 of deploy", ": rollback main", "action [rollback]", "commits 1 subject first file one")
	for wrong, want := range map[string]Request{
		`no option "stop" (there is: ship, rollback)`:    {Workflow: "deploy.yml", Inputs: map[string]string{"action": "stop"}},
		`unexpected input "colour"`:                      {Workflow: "deploy.yml", Inputs: map[string]string{"colour": "red"}},
		`no workflow "other.yml" (there is: deploy.yml)`: {Workflow: "other.yml"},
		`no such branch or tag`:                          {Workflow: "deploy.yml", Ref: "elsewhere"},
		`act would evaluate it`:                          {Workflow: "deploy.yml", Inputs: map[string]string{"ref": "${{ secrets.PASSWORD }}"}},
	} {
		if _, out, err := s.dispatch(want); err == nil || !strings.Contains(err.Error(), wrong) || out != "" {
			t.Errorf("%+v: %v, want %q; it printed %q", want, err, wrong, out)
		}
	}
}
