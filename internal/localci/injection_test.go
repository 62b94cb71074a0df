package localci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNothingThatIsPushedIsExecuted tries to get a command run by what a pusher or a dispatcher chooses: the names of
// branches and files, messages, authors and inputs. Each command would leave a canary behind.
func TestNothingThatIsPushedIsExecuted(t *testing.T) {
	s := newStage(t)
	canaries := t.TempDir()
	canary := func(name string) string {
		return "$(touch${IFS}" + canaries + "/" + name + ")`touch${IFS}" + canaries + "/" + name + "2`"
	}
	s.write(workflowsDir+"/deploy.yml", `name: deploy
run-name: ${{ inputs.text || github.event.head_commit.message }} on ${{ github.ref_name }}
on:
  push:
  workflow_dispatch: {inputs: {text: {type: string}, ref: {type: string}}}
env:
  MESSAGE: ${{ github.event.head_commit.message }}
  AUTHOR: ${{ github.event.head_commit.author.name }}
  TEXT: ${{ inputs.text }}
jobs:
  deploy:
    name: deploy ${{ github.ref_name }}
    runs-on: ubuntu-latest
    concurrency: {group: "deploy-${{ github.ref_name }}-${{ inputs.text }}"}
    steps:
      - uses: actions/checkout@v7
        with: {ref: "${{ inputs.ref || github.sha }}"}
      - name: Say ${{ inputs.text }}
        run: |
          ls
          printf 'message [%s]\nauthor [%s]\ntext [%s]\nref [%s]\n' "$MESSAGE" "$AUTHOR" "$TEXT" "$GITHUB_REF_NAME"
          printf '| [%s] | [%s] |\n' "$TEXT" "$GITHUB_REF_NAME" >> "$GITHUB_STEP_SUMMARY"
`)
	s.write("name"+strings.ReplaceAll(canary("file"), "/", "∕"), "x")
	s.write("--upload-pack=touch", "x")
	s.write("-rf", "x")
	s.git("config", "user.name", "x")
	sha := s.commit("subject " + canary("subject") + " ${{ secrets.PASSWORD }}\n\n'; touch " + canaries + "/body; echo '\n::set-env name=PATH::" + canaries + "\n\x1b]0;title\x07")
	branch := "x;touch${IFS}canary&&$(touch${IFS}canary)"
	out := s.push("main", "HEAD:refs/heads/"+branch)
	expect(t, out, "message [subject $(touch${IFS}"+canaries, "$\u200b{{ secrets.PASSWORD }}", "ref ["+branch+"]", "✅ local ci: run 2 of deploy succeeded", "| [] | ["+branch+"] |")
	if strings.Contains(out, "open-sesame") || strings.ContainsAny(out, "\a") {
		t.Errorf("it shows a secret, or controls the terminal:\n%q", out)
	}
	expect(t, s.push("HEAD:refs/heads/${{secrets.PASSWORD}}"), "hook:", "a name with ${{ in it is an expression to act")

	text := "'\"; " + canary("input") + "\n::error::forged\n| a | b |"
	record, shown, err := s.dispatch(Request{Workflow: "deploy.yml", Inputs: map[string]string{"text": text}})
	if err != nil || record.Outcome != Success {
		t.Fatalf("%v: %+v\n%s", err, record, shown)
	}
	expect(t, shown, "text ['\"; $(touch")
	for _, ref := range []string{"--upload-pack=touch " + canaries + "/ref", "main;touch " + canaries + "/ref", "$(touch " + canaries + "/ref)"} {
		if _, _, err := s.dispatch(Request{Workflow: "deploy.yml", Ref: ref}); err == nil || !strings.Contains(err.Error(), "no such branch or tag") {
			t.Errorf("ref %q: %v", ref, err)
		}
		record, shown, err := s.dispatch(Request{Workflow: "deploy.yml", Inputs: map[string]string{"ref": ref}})
		if err != nil || record.Outcome != Failure {
			t.Errorf("input ref %q: %v, %s\n%s", ref, err, record.Outcome, shown)
		}
	}
	found := findCanaries(t, canaries, s.tree, s.dir.Repository(), string(s.dir), s.dir.home())
	if len(found) > 0 {
		t.Errorf("something was executed: %s", found)
	}
	if head := strings.TrimSpace(s.git("rev-parse", "HEAD")); head != sha {
		t.Errorf("the work tree moved to %s", head)
	}
	if _, err := os.Stat(filepath.Join(s.dir.Repository(), "hooks", HookName)); err != nil {
		t.Error(err)
	}
	// The canaries sing: a workflow that puts an input into its script, which check --workflow refuses, is caught.
	s.write(workflowsDir+"/unsafe.yml", `on: {workflow_dispatch: {inputs: {text: {type: string}}}}
jobs: {a: {runs-on: ubuntu-latest, steps: [{run: "echo ${{ inputs.text }}"}]}}
`)
	s.commit("unsafe")
	s.push("main")
	if _, shown, err := s.dispatch(Request{Workflow: "unsafe.yml", Inputs: map[string]string{"text": canary("unsafe")}}); err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	if found := findCanaries(t, canaries); len(found) != 2 {
		t.Errorf("an unsafe workflow leaves %s: this test would find nothing", found)
	}
}

func findCanaries(t *testing.T, canaries string, others ...string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(canaries, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range others {
		more, err := filepath.Glob(filepath.Join(dir, "*canary*"))
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, more...)
	}
	return found
}
