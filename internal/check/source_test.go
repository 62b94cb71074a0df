package check

import (
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

func TestSources(t *testing.T) {
	all := []release.Instruction{
		{Name: "COPY", Words: []string{"."}}, {Name: "COPY", Words: []string{"./a//b/", "/c"}}, {Name: "COPY", Words: []string{"x"}, From: "build"},
		{Name: "ADD", Words: []string{"https://example.com/x", "d*"}}, {Name: "MOUNT", Words: []string{"$DIR/e"}}, {Name: "RUN", Words: []string{"f"}},
		{Name: "COPY", Words: []string{"../g"}},
	}
	want := []source{nil, {"a", "b"}, {"c"}, {"d*"}, {"*", "e"}, {"g"}}
	if diff := cmp.Diff(want, sources(all)); diff != "" {
		t.Error(diff)
	}
}

func TestSourceCovers(t *testing.T) {
	for _, tc := range []struct {
		source, name  string
		covers, leads bool
	}{
		{".", "a/b", true, false},
		{"a", "a", true, false}, {"a", "a/b/c", true, false}, {"a", "b", false, false}, {"a", "ab", false, false},
		{"a/b", "a", false, true}, {"a/b", "a/b", true, false}, {"a/b", "a/c", false, false}, {"a/b/c", "a/b", false, true},
		{"package*.json", "package-lock.json", true, false}, {"package*.json", "src/package.json", false, false},
		{"*", "a", true, false}, {"*/x", "a", false, true}, {"*/x", "a/x/y", true, false}, {"*/x", "a/y", false, false},
		{"**/x.json", "a/b/x.json", true, true}, {"**/x.json", "x.json", true, true}, {"**/x.json", "a/b", false, true},
		{"a/**/x", "a/x", true, true}, {"a/**/x", "b", false, false},
		{"$DIR", "anything", true, false},
		{"[", "[", true, false}, {"[", "a", false, false}, {"[/a", "[", false, true}, // no pattern, so a name
	} {
		all := []source{parseSource(tc.source)}
		if got := covers(all, tc.name); got != tc.covers {
			t.Errorf("%s covers %s: %v", tc.source, tc.name, got)
		}
		if got := leadsTo(all, tc.name); got != tc.leads {
			t.Errorf("%s leads to %s: %v", tc.source, tc.name, got)
		}
	}
}

// FuzzSource: whatever is covered can be come to, from the top, through directories that lead to it or are covered.
func FuzzSource(f *testing.F) {
	f.Add("a/**/b*", "a/x/y/bc/d")
	f.Add("[a", "[a/b")
	f.Add("**", "a")
	f.Fuzz(func(t *testing.T, word, name string) {
		name = strings.TrimPrefix(path.Clean("/"+name), "/")
		if name == "" || strings.Count(word, "**") > 4 || len(word)+len(name) > 200 {
			t.Skip()
		}
		all := []source{parseSource(word)}
		if !covers(all, name) {
			return
		}
		elements := strings.Split(name, "/")
		for n := 1; n < len(elements); n++ {
			dir := strings.Join(elements[:n], "/")
			if !covers(all, dir) && !leadsTo(all, dir) {
				t.Errorf("%s covers %s, but a walk would not enter %s", word, name, dir)
			}
		}
	})
}
