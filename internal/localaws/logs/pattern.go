package logs

import (
	"regexp"
	"strings"
)

// pattern is a filter pattern of terms ("Filter pattern syntax for metric filters, subscription filters, and filter log
// events" in the CloudWatch Logs user guide): every term of all is in the message, none of none is, and one of any is
// when there are any. Terms are texts that occur somewhere; case matters.
type pattern struct{ all, any, none []string }

// bareTerm is what a term may be made of without quotes.
var bareTerm = regexp.MustCompile(`^[A-Za-z0-9_./:@#*=,;()<>~^+-]+$`)

// parsePattern reads terms, "quoted phrases", -terms and ?terms. JSON, space-delimited and regular expression patterns
// are refused: a wrong answer is worse than none.
func parsePattern(text string) (pattern, error) {
	var p pattern
	for rest := strings.TrimSpace(text); rest != ""; rest = strings.TrimSpace(rest) {
		into := &p.all
		switch rest[0] {
		case '{', '[', '%':
			return pattern{}, invalid("Invalid filter pattern: local AWS knows terms, \"quoted phrases\", -terms and ?terms, not %q", text)
		case '-':
			into, rest = &p.none, rest[1:]
		case '?':
			into, rest = &p.any, rest[1:]
		}
		term, remains, ok := cutTerm(rest)
		if !ok {
			return pattern{}, invalid("Invalid filter pattern: %q: put terms with other characters than letters and digits in double quotes", text)
		}
		*into, rest = append(*into, term), remains
	}
	if len(p.any) > 0 && len(p.all) > 0 {
		return pattern{}, invalid("Invalid filter pattern: %q: CloudWatch Logs ignores ?terms beside other terms; use either", text)
	}
	return p, nil
}

// cutTerm takes the first term, quoted or not.
func cutTerm(text string) (term, rest string, ok bool) {
	if quoted, isQuoted := strings.CutPrefix(text, `"`); isQuoted {
		term, rest, ok = strings.Cut(quoted, `"`)
		return term, rest, ok && term != "" && (rest == "" || rest[0] == ' ')
	}
	term, rest, _ = strings.Cut(text, " ")
	return term, rest, bareTerm.MatchString(term)
}

func (p pattern) matches(message string) bool {
	for _, term := range p.all {
		if !strings.Contains(message, term) {
			return false
		}
	}
	for _, term := range p.none {
		if strings.Contains(message, term) {
			return false
		}
	}
	for _, term := range p.any {
		if strings.Contains(message, term) {
			return true
		}
	}
	return len(p.any) == 0
}
