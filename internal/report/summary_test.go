package report

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// hostile is text that tries to be markup, a mention, a workflow command, the end of a cell, and another output.
const hostile = "x | y\n| <img src=x onerror=alert(1)> [a](http://evil) `code` @everyone ${{ secrets.X }}\n::set-output name=a::b\ndigest=evil\r\n# heading ```"

func summarise(t *testing.T, events ...release.Event) (summary, outputs string) {
	t.Helper()
	var text, s, o bytes.Buffer
	f := WithActions(New(GitHub, Options{Out: &text, Err: &text}), &s, &o, nil)
	for _, e := range events {
		f.Emit(e)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return s.String(), o.String()
}

func TestSummary(t *testing.T) {
	streams := streams()
	for name, events := range streams {
		t.Run(name, func(t *testing.T) {
			summary, _ := summarise(t, events...)
			golden(t, filepath.Join("testdata", name+".summary"), summary)
		})
	}
}

func TestNothingBreaksTheSummary(t *testing.T) {
	code := 1
	commit := release.Commit{SHA: strings.Repeat("a", 40), Subject: hostile, Author: hostile, Branch: hostile}
	summary, outputs := summarise(t,
		release.ChangesFound{Changes: release.Changes{To: commit, Count: 2, Commits: []release.Commit{commit}, TakenBack: 1, Lost: []release.Commit{commit}}},
		release.Found{Finding: release.Finding{Code: "MD001", Severity: release.SeverityWarning, Where: hostile, Problem: hostile, Cure: hostile}},
		release.Result{Command: "ship", Target: hostile, Outcome: release.OutcomeRolledBack, Exit: 6, Commit: commit.SHA, Image: hostile, Error: hostile,
			Services:    []release.ServiceResult{{Name: hostile, URL: hostile, Deployment: hostile}},
			Explanation: &release.Explanation{Cause: hostile, Service: hostile, Task: hostile, StopCode: hostile, Reason: hostile, ExitCode: &code, Log: []string{hostile, "````"}, Next: []string{hostile}}},
	)
	inBlock := ""
	for line := range strings.Lines(summary) {
		line = strings.TrimRight(line, "\n")
		switch {
		case inBlock == "" && strings.HasPrefix(line, "```"):
			inBlock = strings.TrimSuffix(line, "text")
			continue
		case inBlock != "" && line == inBlock:
			inBlock = ""
			continue
		case inBlock != "":
			continue
		}
		bare := strings.NewReplacer("<code>", "", "</code>", "", "<details>", "", "</details>", "", "<summary>", "", "</summary>", "").Replace(line)
		for _, bad := range []string{"<", "`", "@", "[", "${{", "::", "\r"} {
			if strings.Contains(bare, bad) {
				t.Errorf("%q is in a line of the summary: %s", bad, line)
			}
		}
		if cells := strings.Count(line, "|"); strings.HasPrefix(line, "|") && cells != 5 && cells != 2 {
			t.Errorf("a row has %d bars: %s", cells, line)
		}
	}
	if inBlock != "" {
		t.Errorf("a block is not closed:\n%s", summary)
	}
	names := 0
	for block := range strings.SplitSeq(strings.TrimSuffix(outputs, "\n"), "\n") {
		if strings.Contains(block, "<<end-") {
			names++
		}
	}
	if lines := strings.Count(outputs, "\n"); names != 6 || lines != 18 {
		t.Errorf("the outputs have %d names in %d lines:\n%s", names, lines, outputs)
	}
}

func TestOutputs(t *testing.T) {
	_, outputs := summarise(t, release.Result{Outcome: release.OutcomeSucceeded, Digest: "sha256:1", Image: "r@sha256:1", Commit: "c",
		Services: []release.ServiceResult{{Name: "s", Deployment: "arn:d", URL: "http://x"}}})
	got := map[string]string{}
	lines := strings.Split(strings.TrimSuffix(outputs, "\n"), "\n")
	for i := 0; i+2 < len(lines); i += 3 {
		name, delimiter, _ := strings.Cut(lines[i], "<<")
		if lines[i+2] != delimiter {
			t.Fatalf("output %s does not end with its delimiter:\n%s", name, outputs)
		}
		got[name] = lines[i+1]
	}
	for name, want := range map[string]string{"outcome": "succeeded", "digest": "sha256:1", "image": "r@sha256:1", "commit": "c", "deployment-arn": "arn:d", "url": "http://x"} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
}
