package lint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// seed gives a fuzz target the whole corpus.
func seed(f *testing.F) {
	f.Helper()
	for _, dir := range []string{"bad", "good"} {
		paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.yml"))
		if err != nil || len(paths) == 0 {
			f.Fatalf("no corpus: %v", err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(content)
		}
	}
}

// FuzzSource: whatever the file, the linter comes to an end, every problem has a place in the file, and every fix gives
// YAML again.
func FuzzSource(f *testing.F) {
	seed(f)
	f.Add([]byte("\xef\xbb\xbfon: push\r\njobs: {a: {steps: [{run: \"echo '\\u00e9${{ a }\"}]}}"))
	f.Add([]byte("jobs: &a\n  b: *a\n"))
	f.Add([]byte("on: [*x]\njobs:\n  - run: >1\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		problems, err := Source(t.Context(), "fuzz.yml", content, Options{})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimPrefix(string(content), byteOrderMark), "\n")
		for _, p := range problems {
			if p.Line < 1 || p.Line > len(lines) || p.Column < 1 || p.Column > utf8.RuneCountInString(lines[p.Line-1])+1 {
				t.Errorf("%s is at %d:%d, outside of the file: %s", p.Code, p.Line, p.Column, p.Message)
			}
			if _, known := byCode[p.Code]; !known || p.Message == "" || p.Why == "" || p.Cure == "" || p.Severity == "" {
				t.Errorf("incomplete: %+v", p)
			}
		}
		if _, _, err := Correct(t.Context(), "fuzz.yml", content, Options{}); err != nil {
			t.Error(err)
		}
	})
}

// FuzzScalar: the reader of scalars reads what YAML's parser reads, and says of each byte where it comes from. The text is
// written into a workflow in every style that YAML has for it.
func FuzzScalar(f *testing.F) {
	for _, text := range []string{
		"echo a\necho b\n", "a\n\n\n  b\n c\n", " lead\n", "\tx\n\ty\n", "it's \"q\" \\ $x", "a # b: c\n", "ä€𝄞\nß\n", "x\n\n\n", "\n\nx", "  \n x\n", "a\r\nb\n", "a\u2028b\n", "- a\n+ b\n",
	} {
		f.Add(text, uint8(0))
		f.Add(text, uint8(7))
	}
	f.Fuzz(func(t *testing.T, text string, style uint8) {
		if !utf8.ValidString(text) {
			t.Skip("YAML is text")
		}
		content := workflowWith(text, style)
		var document yaml.Node
		if yaml.Unmarshal([]byte(content), &document) != nil {
			t.Skip("the text cannot be written in this style")
		}
		src := newSource([]byte(content))
		w := newWorkflow("fuzz.yml", src, &document)
		if len(w.steps) != 1 || w.steps[0].script == nil {
			t.Skip("the text ends the scalar")
		}
		checkScalar(t, src, w.steps[0].script.scalar)
	})
}

// workflowWith writes a text as the script of a workflow.
func workflowWith(text string, style uint8) string {
	const head = "on: push\njobs:\n  a:\n    steps:\n      - run: "
	indent := func(s string) string { return "          " + strings.ReplaceAll(s, "\n", "\n          ") + "\n" }
	switch style % 12 {
	case 0:
		return head + "|\n" + indent(text)
	case 1:
		return head + "|-\n" + indent(text)
	case 2:
		return head + "|+\n" + indent(text)
	case 3:
		return head + ">\n" + indent(text)
	case 4:
		return head + ">-\n" + indent(text)
	case 5:
		return head + ">+ # comment\n" + indent(text)
	case 6:
		return head + "|2\n" + indent(text)
	case 7:
		return head + "'" + strings.ReplaceAll(strings.ReplaceAll(text, "'", "''"), "\n", "\n          ") + "'\n"
	case 8:
		return head + "\"" + strings.ReplaceAll(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text), "\n", "\n          ") + "\"\n"
	case 9:
		return head + "\"" + text + "\"\n"
	case 10:
		return head + "!!str &x |\n" + strings.ReplaceAll(indent(text), "\n", "\r\n")
	}
	return head + strings.ReplaceAll(text, "\n", "\n          ") + "\n"
}

func checkScalar(t *testing.T, src *source, s *scalar) {
	t.Helper()
	if !s.exact() {
		t.Fatalf("read differently than by YAML's parser, which reads %q of\n%s", s.value, src.text)
	}
	last := s.start
	for i := range len(s.value) {
		at := s.source(i)
		if at < last || at >= len(src.text) {
			t.Fatalf("byte %d of %q is at %d, behind one at %d, of %d", i, s.value, at, last, len(src.text))
		}
		last = at
		if c := s.value[i]; c > ' ' && c < 0x7f && src.text[at] != c && src.text[at] != '\\' && src.text[at] != '\'' {
			t.Fatalf("byte %d of %q is %q, and %q in the file at %d", i, s.value, c, src.text[at], at)
		}
	}
}
