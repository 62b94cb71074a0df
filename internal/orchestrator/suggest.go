package orchestrator

import (
	"reflect"
	"slices"
	"strings"
)

// listAtMost is how many known words a hint lists.
const listAtMost = 12

func contains(words []string, word string) bool { return slices.Contains(words, word) }

// suggestMember is the hint for a member that a shape does not have.
func suggestMember(name string, t reflect.Type) string {
	var known []string
	for field := range t.Fields() {
		if field.IsExported() {
			known = append(known, memberName(field.Name))
		}
	}
	slices.Sort(known)
	return suggest(name, known, "https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_"+shapeName(t)+".html")
}

// suggest is the hint for a word that is none of known: the nearest, and all of them or where they are described.
func suggest(word string, known []string, reference string) string {
	var parts []string
	if near := nearestWord(word, known); near != "" {
		parts = append(parts, `did you mean "`+near+`"?`)
	}
	switch {
	case len(known) <= listAtMost:
		parts = append(parts, "(known: "+strings.Join(known, ", ")+")")
	case reference != "":
		parts = append(parts, "(known: see "+reference+")")
	}
	return strings.Join(parts, " ")
}

// shapeName is AWS's name of an SDK type.
func shapeName(t reflect.Type) string { return strings.TrimSuffix(t.Name(), "Input") }

// nearestWord is the known word that is at most a third of its letters away, ignoring case; empty when none is.
func nearestWord(word string, known []string) string {
	best, bestAway := "", 0
	for _, k := range known {
		away := editDistance(strings.ToLower(word), strings.ToLower(k))
		if away <= max(1, len(k)/3) && (best == "" || away < bestAway) {
			best, bestAway = k, away
		}
	}
	return best
}

// longestWord bounds what is compared: nobody misspells more.
const longestWord = 64

// editDistance counts the letters to insert, delete or replace to make b of a.
func editDistance(a, b string) int {
	if len(a) > longestWord || len(b) > longestWord {
		return longestWord
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
