package ecr

import (
	"testing"
)

func TestWildcard(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"latest", "latest", true}, {"latest", "latest1", false}, {"latest", "alatest", false}, {"*", "", true}, {"*", "x", true},
		{"v*", "v1", true}, {"v*", "v", true}, {"v*", "av", false}, {"*-rc", "1-rc", true}, {"*-rc", "1-rc2", false},
		{"a*b*c", "abc", true}, {"a*b*c", "a--b--c", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"a*ab", "aab", true}, {"**", "x", true},
	}
	for _, test := range tests {
		if got := wildcard(test.pattern, test.text); got != test.want {
			t.Errorf("wildcard(%q, %q) = %v", test.pattern, test.text, got)
		}
	}
}
