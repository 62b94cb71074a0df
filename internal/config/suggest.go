package config

import (
	"slices"
	"strings"
)

// didYouMean is the hint for a word that is none of known: the nearest one, if any is near, and all of them.
func didYouMean(word string, known []string) string {
	list := "(known: " + strings.Join(known, ", ") + ")"
	if near := nearest(word, known); near != "" {
		return `did you mean "` + near + `"? ` + list
	}
	return "expected one of the known words " + list
}

// nearest is the word of known that a slip of the fingers turns into word; empty when none is that near.
func nearest(word string, known []string) string {
	best, bestDistance := "", max(1, len([]rune(word))/3)+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < bestDistance {
			best, bestDistance = k, d
		}
	}
	return best
}

// distance counts the insertions, deletions, replacements and swaps of neighbours that turn a into b
// (optimal string alignment).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 64 || len(t) > 64 {
		return max(len(s), len(t)) // nobody mistypes a paragraph
	}
	var before []int // the row above the row above
	above := make([]int, len(t)+1)
	for j := range above {
		above[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row := make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, above = above, row
	}
	return above[len(t)]
}

// quoteAll lists words for a message: "a", "b".
func quoteAll(words []string) string {
	quoted := slices.Clone(words)
	for i := range quoted {
		quoted[i] = `"` + quoted[i] + `"`
	}
	return strings.Join(quoted, ", ")
}
