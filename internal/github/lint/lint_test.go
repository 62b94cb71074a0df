package lint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// check looks at a text and gives "CODE LINE:COLUMN message" of each problem.
func check(t *testing.T, name, text string, o Options) []Problem {
	t.Helper()
	problems, err := Source(t.Context(), name, []byte(text), o)
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

func codes(problems []Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Code)
	}
	return all
}

// ciWith is a sound workflow with these steps.
func ciWith(steps string) string {
	return "name: ci\non: push\npermissions:\n  contents: read\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n" + steps
}

func TestNotYAML(t *testing.T) {
	for name, text := range map[string]string{
		"latin 1": "name: caf\xe9\n", "utf-16": "\xff\xfeo\x00n\x00", "list": "- a\n- b\n", "empty": "", "comment": "# nothing\n", "scalar": "hello\n", "null": "~\n",
	} {
		t.Run(name, func(t *testing.T) {
			if found := check(t, "x.yml", text, Options{}); len(found) == 0 || found[0].Code != codeYAML && found[0].Code != codeShape {
				t.Errorf("found %+v", found)
			}
		})
	}
}

func TestByteOrderMark(t *testing.T) {
	text := byteOrderMark + ciWith("      - run: |\n          cat <<EOF\n          x\n            EOF\n")
	found := check(t, "x.yml", text, Options{})
	if len(found) != 1 || found[0].Code != codeHeredocTerminator || found[0].Line != 12 || found[0].Column != 13 {
		t.Fatalf("found %+v", found)
	}
	fixed, _, err := Correct(t.Context(), "x.yml", []byte(text), Options{})
	if err != nil || string(fixed) != strings.Replace(text, "            EOF", "          EOF", 1) {
		t.Errorf("corrected: %v\n%q", err, fixed)
	}
}

// TestColumns: columns count characters, wherever a script stands.
func TestColumns(t *testing.T) {
	for name, test := range map[string]struct {
		steps        string
		line, column int
	}{
		"literal":        {"      - run: |\n          echo é€𝄞 'open\n", 10, 20},
		"quoted":         {"      - run: \"echo é€𝄞 'open\"\n", 9, 24},
		"escapes":        {"      - run: \"echo \\\"a\\\"\\u00e9 'open\"\n", 9, 32},
		"single":         {"      - run: 'echo it''s'\n", 9, 22},
		"folded":         {"      - run: >\n          echo one\n          two 'open\n", 11, 15},
		"keep":           {"      - run: |+\n\n          echo 'open\n\n", 11, 16},
		"plain lines":    {"      - run: echo one\n          two 'open\n", 10, 15},
		"deeper block":   {"      - run: |4\n              echo 'open\n", 10, 20},
		"windows":        {"      - run: |\r\n          echo one\r\n          echo 'open\r\n", 11, 16},
		"continued line": {"      - run: \"echo one \\\n          'open\"\n", 10, 11},
		"in braces":      {"      - {run: \"echo 'open\", name: x}\n", 9, 21},
		"expression":     {"      - run: |\n          echo ${{ '}}' && \"x\" }} 'open\n", 10, 35},
	} {
		t.Run(name, func(t *testing.T) {
			found := check(t, "x.yml", ciWith(test.steps), Options{})
			i := slices.IndexFunc(found, func(p Problem) bool { return p.Code == codeOpenQuote })
			if i < 0 || found[i].Line != test.line || found[i].Column != test.column {
				t.Errorf("found %+v, want the quote at %d:%d", found, test.line, test.column)
			}
		})
	}
}

// TestShells: what is read, and by which rules.
func TestShells(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"default":         {ciWith("      - run: echo 'open\n"), []string{codeOpenQuote}},
		"windows":         {strings.Replace(ciWith("      - run: echo 'open\n"), "ubuntu-latest", "windows-latest", 1), nil},
		"windows bash":    {strings.Replace(ciWith("      - run: echo 'open\n        shell: bash\n"), "ubuntu-latest", "windows-latest", 1), []string{codeOpenQuote}},
		"python":          {ciWith("      - run: x = 'open\n        shell: python\n"), nil},
		"job default":     {strings.Replace(ciWith("      - run: echo 'open\n"), "    steps", "    defaults: {run: {shell: pwsh}}\n    steps", 1), nil},
		"file default":    {strings.Replace(ciWith("      - run: echo 'open\n"), "jobs:", "defaults:\n  run:\n    shell: cmd\njobs:", 1), nil},
		"whole command":   {ciWith("      - run: echo 'open\n        shell: /usr/bin/bash -e {0}\n"), []string{codeOpenQuote}},
		"own, powershell": {strings.Replace(ciWith("      - run: Write-Host \"it's $env:X\"\n"), "ubuntu-latest", "[self-hosted, big]", 1), []string{codeRunner}},
		"sh":              {ciWith("      - run: echo ${x^^}\n        shell: sh\n"), []string{codeBashism}},
		"no end":          {ciWith("      - run: echo 'open ${{ x\n"), []string{codeExpression}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, codes(check(t, "x.yml", test.text, Options{}))); diff != "" {
				t.Errorf("(-want +found):\n%s", diff)
			}
		})
	}
}

func TestSuspectQuote(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want string // from the quote on
	}{
		"the only one":       {"echo 'a", "'a"},
		"before a string":    {"echo \"one\necho \"two\" x\n", "\"one"},
		"before an argument": {"make A=\"1 B=2\nmake C=\"3\"\n", "\"1 B"},
		"long strings":       {"jq '\n.a\n' x\nsql \"\nselect 1\n\"\necho 'b\n", "'b"},
		"nested":             {"echo \"$(echo \"a b\")\"\necho \"c\n", "\"c"},
		"comment":            {"# it's\necho \"c\n", "\"c"},
		"here-document":      {"cat <<EOF\nit's \"\nEOF\necho \"c\n", "\"c"},
		"escaped":            {"echo \\\" \\'\necho \"c\n", "\"c"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseShell(test.text, variants[bash])
			if err == nil {
				t.Fatal("it parses")
			}
			found := check(t, "x.yml", ciWith("      - run: |\n          "+strings.ReplaceAll(strings.TrimRight(test.text, "\n"), "\n", "\n          ")+"\n"), Options{})
			lines := strings.Split(test.text, "\n")
			i := slices.IndexFunc(found, func(p Problem) bool { return p.Code == codeOpenQuote })
			if i < 0 {
				t.Fatalf("found %+v", found)
			}
			if rest := lines[found[i].Line-10][found[i].Column-11:]; !strings.HasPrefix(rest, test.want) {
				t.Errorf("the quote is said to be before %q", rest)
			}
		})
	}
}

func TestActionMetadata(t *testing.T) {
	text := "name: x\ndescription: x\ninputs:\n  tag: {description: x}\nruns:\n  using: composite\n  steps:\n    - shell: bash\n      run: echo 'open\n    - uses: actions/checkout@v4\n    - shell: bash\n      run: echo ${{ inputs.tag }}\n"
	if diff := cmp.Diff([]string{codeOpenQuote, codeUnpinned, codePasted}, codes(check(t, "actions/x/action.yml", text, Options{}))); diff != "" {
		t.Errorf("(-want +found):\n%s", diff)
	}
	composite, err := os.ReadFile("testdata/good/sign-in/action.yml")
	if err != nil {
		t.Fatal(err)
	}
	if found := check(t, "sign-in/action.yml", string(composite), Options{}); len(found) > 0 {
		t.Errorf("found %+v", found)
	}
}

func TestIgnore(t *testing.T) {
	const use = "      - uses: actions/checkout@v4"
	for steps, want := range map[string]int{
		use + "\n":                                                         1,
		use + " # medusa-deploy: ignore MW046\n":                           0,
		use + " # medusa-deploy: ignore MW001, MW046\n":                    0,
		use + " # medusa-deploy: ignore MW001\n":                           1,
		"      # medusa-deploy: ignore MW046 (ours)\n" + use + "\n":        0,
		use + "\n      # medusa-deploy: ignore MW046\n":                    1,
		"      - run: echo '# medusa-deploy: ignore MW046'\n" + use + "\n": 1,
	} {
		if found := check(t, "x.yml", ciWith(steps), Options{}); len(found) != want {
			t.Errorf("%sfound %v, want %d", steps, codes(found), want)
		}
	}
}

func TestOldActions(t *testing.T) {
	for _, use := range []string{"actions/checkout@v2", "actions/checkout@ee0669bd1cc54295c223e0bb666b733df41de1c5 # v2.7.0"} {
		if found := codes(check(t, "x.yml", ciWith("      - uses: "+use+"\n"), Options{})); !slices.Contains(found, codeOldAction) {
			t.Errorf("%s: found %v", use, found)
		}
	}
	if found := codes(check(t, "x.yml", ciWith("      - uses: $/.github/actions/x\n"), Options{})); len(found) > 0 {
		t.Errorf("a path in the repository itself: found %v", found)
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Source(ctx, "x.yml", []byte("on: push\n"), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestFind: workflows are found from a directory below the repository's.
func TestFind(t *testing.T) {
	root := t.TempDir()
	below := filepath.Join(root, "app", "src")
	for _, dir := range []string{filepath.Join(root, ".github", "workflows"), below} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"b.yaml", "a.yml", "README.md"} {
		if err := os.WriteFile(filepath.Join(root, ".github", "workflows", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at, files, err := Find(below)
	if err != nil || at != root || len(files) != 2 || filepath.Base(files[0]) != "a.yml" {
		t.Errorf("found %q %q, %v", at, files, err)
	}
	if _, err := Files(t.Context(), []string{filepath.Join(root, "gone.yml")}, Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// TestShellcheck: its remarks are shown where they belong in the workflow.
func TestShellcheck(t *testing.T) {
	program, err := exec.LookPath("shellcheck")
	if err != nil {
		t.Skip("shellcheck is not installed")
	}
	text := ciWith("      - run: |\n          set -x\n          é=1; for f in $(ls *.txt); do\n            cat $f | rm -r \"$DIR/\"*\n          done\n      - shell: sh\n        run: >-\n          echo one;\n          [ $# == 1 ]\n")
	found := check(t, "x.yml", text, Options{Shellcheck: program})
	var got []string
	for _, p := range found {
		remark, _, _ := strings.Cut(p.Message, ":")
		got = append(got, fmt.Sprintf("%s %d:%d %s", p.Code, p.Line, p.Column, remark))
	}
	for _, want := range []string{"MW017 11:25 SC2045", "MW017 17:16 SC3014"} {
		if !slices.Contains(got, want) {
			t.Errorf("found %q, want %s among it", got, want)
		}
	}
	for _, s := range samples(t, "good") {
		s.options.Shellcheck = program
		if _, full := s.found(t); len(full) > 0 {
			t.Errorf("with shellcheck: %s", strings.Join(full, "\n"))
		}
	}
	if _, err := Source(t.Context(), "x.yml", []byte(text), Options{Shellcheck: filepath.Join(t.TempDir(), "gone")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a shellcheck that is not there: %v", err)
	}
}
