package dispatch

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseRepository(t *testing.T) {
	for text, want := range map[string]string{
		"acme/shop": "acme/shop", "acme/shop.git": "acme/shop", "ghe.example.com/acme/shop": "ghe.example.com/acme/shop",
		"127.0.0.1:8443/acme/shop": "127.0.0.1:8443/acme/shop", "GitHub.com/acme/shop": "acme/shop",
		"shop": "", "": "", "acme/": "", "/shop": "", "a/b/c/d": "", "acme/..": "", "acme/sh op": "", "-h/acme/shop": "", "h:/a/b": "",
		"acme/shop?x": "", "https://github.com/acme/shop": "",
	} {
		got, err := ParseRepository(text, PublicHost)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q = %s, %v; want %q", text, got, err, want)
		}
	}
}

func TestRepositoryOfRemote(t *testing.T) {
	for remote, want := range map[string]string{
		"https://github.com/acme/shop.git": "acme/shop", "https://github.com/acme/shop/": "acme/shop",
		"git@github.com:acme/shop.git": "acme/shop", "ssh://git@github.com/acme/shop": "acme/shop",
		"ssh://git@ssh.github.com:443/acme/shop.git": "acme/shop", "ssh://git@ghe.example.com:2222/acme/shop.git": "ghe.example.com/acme/shop",
		"https://ghe.example.com:8443/acme/shop": "ghe.example.com:8443/acme/shop", "work:acme/shop": "work/acme/shop",
		"https://gitlab.com/group/sub/shop": "", "/srv/git/shop.git": "", "": "", "file:///srv/shop": "", "git@github.com:shop": "",
	} {
		got, err := RepositoryOfRemote(remote)
		if (err == nil) != (want != "") || err == nil && got.String() != want {
			t.Errorf("%q = %s, %v; want %q", remote, got, err, want)
		}
	}
}

func TestAPIBase(t *testing.T) {
	for host, want := range map[string]string{
		"github.com": "https://api.github.com", "acme.ghe.com": "https://api.acme.ghe.com", "ghe.example.com": "https://ghe.example.com/api/v3",
	} {
		if got := apiBase(host); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}

func TestParseTrigger(t *testing.T) {
	cases := map[string]struct {
		content string
		want    Trigger
	}{
		"a word":       {"on: workflow_dispatch\n", Trigger{Dispatchable: true}},
		"another word": {"on: push\n", Trigger{}},
		"a list":       {"on: [push, workflow_dispatch]\n", Trigger{Dispatchable: true}},
		"nothing":      {"on:\n  push:\n  workflow_dispatch:\n", Trigger{Dispatchable: true}},
		"quoted":       {"\"on\":\n  workflow_dispatch: {}\n", Trigger{Dispatchable: true}},
		"none":         {"name: x\n", Trigger{}},
		"inputs": {"run-name: a ${{ inputs.nonce }}\non:\n  workflow_dispatch:\n    inputs:\n      b: {type: choice, options: [x, 1, true], default: x, required: true}\n      nonce:\n      n: {type: number, default: 0}\n",
			Trigger{Dispatchable: true, ShowsNonce: true, Inputs: []Input{
				{Name: "b", Type: "choice", Required: true, Default: "x", Options: []string{"x", "1", "true"}},
				{Name: "nonce", Type: "string"}, {Name: "n", Type: "number", Default: "0"},
			}}},
		"a nonce that does not show": {"run-name: a\non: {workflow_dispatch: {inputs: {nonce: {}}}}\n",
			Trigger{Dispatchable: true, Inputs: []Input{{Name: "nonce", Type: "string"}}}},
	}
	for name, c := range cases {
		got, err := ParseTrigger([]byte(c.content))
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for _, content := range []string{"", "[", "- a\n", "on: *a\n", "a: b: c"} {
		if got, err := ParseTrigger([]byte(content)); err == nil {
			t.Errorf("%q = %+v", content, got)
		}
	}
}

// lineAt makes a line of a log, so many tenths of a second after the beginning.
func lineAt(begin time.Time, tenths int, text string) string {
	return begin.Add(time.Duration(tenths)*100*time.Millisecond).Format("2006-01-02T15:04:05.0000000Z") + " " + text + "\n"
}

func TestLogsAreCutIntoSteps(t *testing.T) {
	begin := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	second := func(n int) time.Time { return begin.Add(time.Duration(n) * time.Second) }
	steps := []step{
		{Name: "set up", Conclusion: "success", StartedAt: second(0)}, {Name: "left out", Conclusion: "skipped", StartedAt: second(1)},
		{Name: "quick", Conclusion: "success", StartedAt: second(1)}, {Name: "composite", Conclusion: "failure", StartedAt: second(1)},
		{Name: "post", Conclusion: "success", StartedAt: second(4)}, {Name: "silent", StartedAt: time.Time{}},
		{Name: "complete", Conclusion: "success", StartedAt: second(5)},
	}
	log := "\ufeff" + lineAt(begin, 1, "runner") + lineAt(begin, 11, "still set up") + lineAt(begin, 12, "##[group]Run quick") + "no time\n" +
		lineAt(begin, 14, "##[group]Run composite") + lineAt(begin, 30, "##[group]Run inner") + lineAt(begin, 42, "##[error]no") +
		lineAt(begin, 43, "Post job cleanup.") + lineAt(begin, 61, "Cleaning up orphan processes")
	lines := parseLog(log)
	owner := bySteps(lines, steps)
	if want := []int{0, 0, 2, 2, 3, 3, 3, 4, 6}; !slices.Equal(owner, want) {
		t.Errorf("the lines are of %v, want %v", owner, want)
	}
	if lines[3].text != "no time" || !lines[3].at.Equal(lines[2].at) {
		t.Errorf("a line without a time is %+v", lines[3])
	}
	if got := bySteps(lines, nil); slices.Contains(got, 0) {
		t.Errorf("without steps the lines are of %v", got)
	}
}

func TestInnerExit(t *testing.T) {
	result := `{"type":"result","outcome":"superseded","exit":8,"services":[]}`
	cases := []struct {
		step, log string
		want      int
	}{
		{"Ship", "##[group]Run medusa-deploy ship\n##[error]Process completed with exit code 7.", 7},
		{"medusa-deploy ship", "##[error]Process completed with exit code 9.", 9},
		{"Ship", result + "\n##[error]Process completed with exit code 1.", 8},
		{"Ship", "##[group]Run npm test\n##[error]Process completed with exit code 7.", 0},
		{"Ship", "##[group]Run medusa-deploy ship\n##[error]Process completed with exit code 99999999999999999999.", 0},
		{"Ship", "##[group]Run medusa-deploy ship\nProcess completed with exit code 7.", 0},
		{"Ship", `{"type":"result"}` + "\n{broken \"result\"", 0},
		{"Ship", "", 0},
	}
	for _, c := range cases {
		if got := innerExit(c.step, parseLog(c.log)); got != c.want {
			t.Errorf("%q: %d, want %d", c.log, got, c.want)
		}
	}
}

func FuzzParseTrigger(f *testing.F) {
	for _, seed := range []string{"on: push", "on: {workflow_dispatch: {inputs: {a: {type: choice, options: [x]}}}}", "on: [1, {a: b}]", "run-name: 3\non:\n  workflow_dispatch:\n    inputs: []\n", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content string) {
		trigger, err := ParseTrigger([]byte(content))
		if err != nil {
			return
		}
		if trigger.ShowsNonce && len(trigger.Inputs) == 0 || len(trigger.Inputs) > 0 && !trigger.Dispatchable {
			t.Errorf("%q = %+v", content, trigger)
		}
		trigger.faults(map[string]string{"a": "b", "": ""})
	})
}

func FuzzLog(f *testing.F) {
	begin := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	f.Add(lineAt(begin, 0, "##[group]Run x") + lineAt(begin, 20, "##[endgroup]") + lineAt(begin, 30, "##[error]Process completed with exit code 6."))
	f.Add("##[")
	f.Add("2026-11-25T12:00:00Z")
	f.Fuzz(func(t *testing.T, content string) {
		lines := parseLog(content)
		steps := []step{{StartedAt: begin}, {StartedAt: begin.Add(time.Second)}, {StartedAt: begin.Add(time.Second)}}
		owner := bySteps(lines, steps)
		if !slices.IsSorted(owner) {
			t.Errorf("the steps of lines go back: %v", owner)
		}
		if got := readable(lines); len(got) > len(lines) {
			t.Errorf("%d lines became %d", len(lines), len(got))
		}
		innerExit("medusa-deploy", lines)
	})
}

func FuzzRemote(f *testing.F) {
	for _, seed := range []string{"https://github.com/acme/shop.git", "git@github.com:acme/shop", "ssh://git@h:22/a/b", "://", "a:b/c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, remote string) {
		r, err := RepositoryOfRemote(remote)
		if err != nil {
			return
		}
		// What was read is written and read as the same again, and can do no harm in a URL.
		again, err := ParseRepository(r.Host+"/"+r.Owner+"/"+r.Name, "")
		if err != nil || again.Host != r.Host || again.Owner != r.Owner || strings.ContainsAny(r.Web()[len("https://"):], "?#@ \\") {
			t.Errorf("%q = %+v, again %+v, %v", remote, r, again, err)
		}
	})
}
