package localci

import (
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// TestFilterPattern has the examples of GitHub's cheat sheet.
func TestFilterPattern(t *testing.T) {
	for _, test := range []struct{ pattern, yes, no string }{
		{"feature/*", "feature/my-branch feature/your-branch", "feature feature/a/b"},
		{"feature/**", "feature/beta-a/my-branch feature/your-branch feature/mona/the/octocat", "feat"},
		{"main", "main", "maine amain main/x"},
		{"*", "main releases", "all/the/branches"},
		{"**", "all/the/branches every/tag", ""},
		{"*feature", "mona-feature feature ver-10-feature", "feature-x a/feature"},
		{"v2*", "v2 v2.0 v2.9", "v1"},
		{"v[12].[0-9]+.[0-9]+", "v1.10.1 v2.0.0", "v3.0.0 v1.1"},
		{"*.jsx?", "page.js page.jsx", "page.jsxx js/page.js"},
		{"**.js", "index.js js/index.js src/js/app.js", "js"},
		{"docs/**/*.md", "docs/README.md docs/mona/hello-world.md docs/a/markdown/file.md", "README.md docs/x.txt"},
		{"**/docs/**", "docs/hello.md dir/docs/my-file.txt space/docs/plan/space.doc", "doc/x"},
		{"**/*src/**", "a/src/app.js my-src/code/js/app.js", "src2/x"},
		{`a\*b`, "a*b", "axb"},
		{"a.b", "a.b", "axb"},
		{"über/*", "über/größe", "ü uber/x"},
		{"gröq?", "grö gröq", "gr"},
	} {
		compiled, err := filterPattern(test.pattern)
		if err != nil {
			t.Errorf("%s: %v", test.pattern, err)
			continue
		}
		for _, name := range strings.Fields(test.yes) {
			if !compiled.MatchString(name) {
				t.Errorf("%s does not match %s", test.pattern, name)
			}
		}
		for _, name := range strings.Fields(test.no) {
			if compiled.MatchString(name) {
				t.Errorf("%s matches %s", test.pattern, name)
			}
		}
	}
	if _, err := filterPattern("v[12"); err == nil {
		t.Error("a [ without its ] is taken")
	}
}

func FuzzFilterPattern(f *testing.F) {
	for _, seed := range []string{"main", "über", "\x80", "v[12].**/x?", `\`, "[", "++", "a**b+"} {
		f.Add(seed, "main")
	}
	f.Fuzz(func(t *testing.T, pattern, name string) {
		compiled, err := filterPattern(pattern)
		if err != nil {
			return
		}
		if !strings.ContainsAny(pattern, `*?+[]\`) && compiled.MatchString(name) != (pattern == name) {
			t.Errorf("%q and %q: %v", pattern, name, compiled.MatchString(name))
		}
	})
}

var someFacts = facts{
	"inputs": map[string]any{"target": "", "action": "rollback", "dry": false},
	"github": map[string]any{"ref_name": "main", "ref": "refs/heads/main", "event_name": "push"},
	"vars":   map[string]any{},
}

func TestExpand(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain",
		"deploy-${{ inputs.target || 'production' }}":                     "deploy-production",
		"${{ inputs.action || 'ship' }} ${{ github.ref_name }}":           "rollback main",
		"${{ github.event_name == 'PUSH' && 'pushed' || 'by hand' }}":     "pushed",
		"${{ github.event_name != 'push' }}":                              "false",
		"${{ !inputs.dry }}":                                              "true",
		"${{ format('{0}-{1}{{}}', github.ref_name, 7) }}":                "main-7{}",
		"${{ startsWith(github.ref, 'refs/heads/') }}":                    "true",
		"${{ endsWith(github.ref, 'x') || contains(github.ref, 'AIN') }}": "true",
		"${{ github['ref_name'] }}${{ vars.NONE }}${{ github.none.x }}":   "main",
		"${{ null }}|${{ 1.5 }}|${{ true }}|${{ 'it''s' }}":               "|1.5|true|it's",
	} {
		if got, err := someFacts.expand(text); err != nil || got != want {
			t.Errorf("%s: %q (%v), want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"${{ needs.a.outputs.b }}", "${{ matrix.x }}", "${{ hashFiles('x') }}", "${{ 1 < 2 }}", "${{ ", "${{ 'x }}"} {
		if got, err := someFacts.expand(text); err == nil {
			t.Errorf("%s: %q, want an error", text, got)
		}
	}
}

func FuzzExpand(f *testing.F) {
	for _, seed := range []string{"a${{ inputs.target || 'b' }}c", "${{ github.ref }}", "${{ format('{0}', 1) }}", "${{", "}}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := someFacts.expand(text)
		if err == nil && !strings.Contains(text, "${{") && got != text {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestTurns(t *testing.T) {
	parsed, problems := actionlint.Parse([]byte(`on: push
concurrency: Deploy-${{ github.ref_name }}
jobs:
  a: {runs-on: x, concurrency: {group: deploy-main, cancel-in-progress: true}, steps: [{run: x}]}
  b: {runs-on: x, concurrency: "b-${{ matrix.x }}", steps: [{run: x}]}
  c: {runs-on: x, steps: [{run: x}]}
`))
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	turns := workflow{parsed: parsed}.turns(someFacts)
	want := []turn{{"b-${{ matrix.x }}", false}, {"deploy-main", true}}
	if len(turns) != 2 || turns[0] != want[0] || turns[1] != want[1] {
		t.Errorf("the groups are %+v, want %+v", turns, want)
	}
}

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"plain\ttext\r\n":                          "plain\ttext",
		"\x1b[31mred\x1b[0m":                       "red",
		"\x1b]0;title\x07rest":                     "rest",
		"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\": "link",
		"10%\r20%\r30%":                            "30%",
		"a\x00b\x08c\u009bd\u202ee\u2028f":         "abcdef",
		"cut\x1b[3":                                "cut",
		"end\x1b":                                  "end",
		"\x1bM up":                                 " up",
	} {
		if got := visible(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	for _, seed := range []string{"x\x1b[31my", "\x1b]0;t\a", "\r\r", "\x1b\x1b["} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got := visible(text); strings.ContainsAny(got, "\x1b\r\n\a\b\x00") {
			t.Errorf("%q: %q can still control a terminal", text, got)
		}
	})
}

func TestWhereItCameFrom(t *testing.T) {
	for remote, want := range map[string]string{
		"git@github.com:acme/shop.git": "acme/shop", "https://github.com/acme/shop": "acme/shop", "ssh://git@host:22/acme/shop.git/": "acme/shop",
		"/srv/git/acme/shop.git": "", "file:///srv/acme/shop": "", "": "",
	} {
		if got, _ := ownerAndName(remote); got != want {
			t.Errorf("%s: %q, want %q", remote, got, want)
		}
	}
	for remote, want := range map[string]string{
		"https://ada:secret@github.com/acme/shop.git": "https://github.com/acme/shop.git",
		"ssh://git:secret@host/acme/shop":             "ssh://git@host/acme/shop",
		"git@github.com:acme/shop.git":                "git@github.com:acme/shop.git",
	} {
		if got := withoutPassword(remote); got != want {
			t.Errorf("%s: %q, want %q", remote, got, want)
		}
	}
}
