package dispatch

import (
	"maps"
	"slices"
	"strings"
)

// closest gives the candidate that a mistyped word was probably meant to be; empty when none is near.
func closest(word string, candidates []string) string {
	best, least := "", len(word)/3+1
	for _, candidate := range candidates {
		if d := typos(strings.ToLower(word), strings.ToLower(candidate)); d <= least {
			best, least = candidate, d-1
		}
	}
	return best
}

// typos counts the letters to insert, delete or replace to make b of a.
func typos(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
