package check

import (
	"regexp"
	"strings"
	"testing"
)

func TestWildcard(t *testing.T) {
	for _, tc := range []struct {
		pattern, name string
		want          bool
	}{
		{"latest", "latest", true}, {"latest", "latest2", false}, {"", "", true}, {"", "a", false},
		{"*", "", true}, {"*", "anything", true}, {"git-*", "git-1", true}, {"git-*", "git-", true}, {"git-*", "xgit-1", false},
		{"*-dev", "a-dev", true}, {"*-dev", "dev", false}, {"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "a1b2c", true},
		{"a*b*c", "acb", false}, {"a**b", "ab", true}, {"v*.*", "v1.2", true}, {"v*.*", "v12", false},
	} {
		if got := wildcard(tc.pattern, tc.name); got != tc.want {
			t.Errorf("wildcard(%q, %q) = %v", tc.pattern, tc.name, got)
		}
	}
}

// FuzzWildcard holds the matcher to a regular expression of the same meaning.
func FuzzWildcard(f *testing.F) {
	f.Add("git-*", "git-abc")
	f.Add("a*b*a", "aba")
	f.Add("**", "*")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		parts := strings.Split(pattern, "*")
		for i, p := range parts {
			parts[i] = regexp.QuoteMeta(p)
		}
		same, err := regexp.Compile(`(?s)\A` + strings.Join(parts, ".*") + `\z`)
		if err != nil || !isText(pattern) || !isText(name) {
			t.Skip()
		}
		if got, want := wildcard(pattern, name), same.MatchString(name); got != want {
			t.Errorf("wildcard(%q, %q) = %v, want %v", pattern, name, got, want)
		}
	})
}

// isText: a regular expression reads bytes that are no text otherwise.
func isText(s string) bool { return strings.ToValidUTF8(s, "") == s }
