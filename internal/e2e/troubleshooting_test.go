//go:build linux

package e2e

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// updateDocs writes what the tests got into docs/troubleshooting.md.
var updateDocs = flag.Bool("update-docs", false, "write the messages that the tests got into docs/troubleshooting.md")

// manual is docs/troubleshooting.md: a section for each message, with the message as the program prints it in a block that
// begins with the command.
type manual struct {
	path string
	text string
	seen map[string]bool
}

func readManual(t *testing.T) *manual {
	t.Helper()
	path := filepath.Join(root(t), "docs", "troubleshooting.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &manual{path: path, text: string(text), seen: map[string]bool{}}
}

// block finds the block of a section; empty: it has none.
func (m *manual) block(title string) string {
	_, section, found := strings.Cut(m.text, "\n### "+title+"\n")
	if !found {
		return ""
	}
	section, _, _ = strings.Cut(section, "\n### ")
	_, block, _ := strings.Cut(section, "```console\n")
	block, _, _ = strings.Cut(block, "```")
	return block
}

// titles are the sections that show a message.
func (m *manual) titles() []string {
	var all []string
	for _, found := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(m.text, -1) {
		if m.block(found[1]) != "" {
			all = append(all, found[1])
		}
	}
	return all
}

// expect compares what a command printed at its end with what the manual shows.
func (m *manual) expect(t *testing.T, stage *rehearsal.Stage, title string, out rehearsal.Output, args ...string) {
	t.Helper()
	m.seen[title] = true
	got := "$ medusa-deploy " + strings.Join(args, " ") + "\n" + shownText(stage, verdict(out.Stderr))
	want := m.block(title)
	if *updateDocs && want != "" {
		at := strings.Index(m.text, "\n### "+title+"\n")
		m.text = m.text[:at] + strings.Replace(m.text[at:], "```console\n"+want+"```", "```console\n"+got+"```", 1)
		if err := os.WriteFile(m.path, []byte(m.text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(shownText(stage, want), got); diff != "" {
		t.Errorf("docs/troubleshooting.md, %q: (-it says +the program says):\n%s", title, diff)
	}
}

var (
	stepped = regexp.MustCompile(`(?m)^  \[.+ failed: `)
	ended   = regexp.MustCompile(`(?m)^(?:(?:build|ship|push|check): (?:failed|refused) after|medusa-deploy: )`)
	seconds = regexp.MustCompile(`\d+\.\d+ s\b`)
	ports   = regexp.MustCompile(`(127\.0\.0\.1):\d{2,5}`)
	digests = regexp.MustCompile(`\b[0-9a-f]{64}\b`)
	commits = regexp.MustCompile(`\b[0-9a-f]{40}\b`)
	refs    = regexp.MustCompile(`\bref \w+::\w+`)
	engines = regexp.MustCompile(`Docker Engine [0-9][^ ]*`)
	numbers = regexp.MustCompile(`snapshots/\d+`)
)

// verdict is the end of what a command says: from the step that failed, or from where it says that it failed.
func verdict(stderr string) string {
	if step := stepped.FindStringIndex(stderr); step != nil {
		return stderr[step[0]:]
	}
	all := ended.FindAllStringIndex(stderr, -1)
	if len(all) == 0 {
		return stderr
	}
	return stderr[all[len(all)-1][0]:]
}

// shownText puts what differs from run to run in the manual's own words.
func shownText(stage *rehearsal.Stage, text string) string {
	for _, pair := range [][2]string{{stage.App, "/home/ada/shop"}, {stage.State, "/home/ada/.local/state/medusa-deploy"}, {stage.Dir, "/home/ada"}} {
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	text = seconds.ReplaceAllString(text, "0.1 s")
	text = ports.ReplaceAllString(text, "$1:4566")
	text = digests.ReplaceAllString(text, strings.Repeat("0123456789abcdef", 4))
	text = commits.ReplaceAllString(text, "0123456789abcdef0123456789abcdef01234567")
	text = refs.ReplaceAllString(text, "ref 0123456789")
	text = engines.ReplaceAllString(text, "Docker Engine 28.2.2")
	return numbers.ReplaceAllString(text, "snapshots/1")
}

// fails runs a command that must end with exit code 4 and say what the manual says.
func (m *manual) fails(t *testing.T, stage *rehearsal.Stage, title string, args ...string) {
	t.Helper()
	out, err := stage.Run(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	if out.Exit != 4 {
		t.Errorf("medusa-deploy %s: exit %d, want 4\n%s%s", strings.Join(args, " "), out.Exit, out.Stderr, out.Stdout)
	}
	m.expect(t, stage, title, out, args...)
}

// dockerfile writes the app's Dockerfile, and has nothing be compiled before the build.
func dockerfile(t *testing.T, stage *rehearsal.Stage, format string, args ...any) {
	t.Helper()
	if err := stage.Write("Dockerfile", fmt.Appendf(nil, format, args...)); err != nil {
		t.Fatal(err)
	}
}
