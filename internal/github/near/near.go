// Package near finds the word that was probably meant by a mistyped one. It knows nothing of what the words name.
package near

// Word gives the known word that is closest to a mistyped one: at most two letters away, or a quarter of a long one, and
// never all of them. Empty when none is.
func Word(mistyped string, known []string) string {
	best, least := "", min(max(2, len(mistyped)/4)+1, len(mistyped))
	for _, k := range known {
		if d := Distance(mistyped, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// Distance is how many letters have to change, come or go to make b of a (Levenshtein); upper case is not another letter.
func Distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i]|0x20 == b[j]|0x20 {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
