package lint

import (
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// isQuoted tells whether a word is one string in double quotes.
func isQuoted(w word) bool {
	if w.node == nil || len(w.node.Parts) != 1 {
		return false
	}
	_, quoted := w.node.Parts[0].(*syntax.DblQuoted)
	return quoted
}

// splitRef takes an image's name apart. A digest counts as its tag.
func splitRef(ref string) (repository, tag string) {
	bare := blankUnknown(ref)
	if at := strings.IndexByte(bare, '@'); at >= 0 {
		return ref[:at], ref[at+1:]
	}
	slash := strings.LastIndexByte(bare, '/')
	if colon := strings.LastIndexByte(bare, ':'); colon > slash {
		return ref[:colon], ref[colon+1:]
	}
	return ref, ""
}

var unknownPiece = regexp.MustCompile(unknownLeft + `[^` + unknownRight + `]*` + unknownRight)

// blankUnknown puts letters of no meaning in place of what is not known, for its punctuation not to count.
func blankUnknown(ref string) string {
	return unknownPiece.ReplaceAllStringFunc(ref, func(s string) string { return strings.Repeat("_", len(s)) })
}

// withTag is the name with the tag that docker adds when there is none. A name that ends in something unknown may hold one.
func withTag(ref string) string {
	if _, tag := splitRef(ref); tag == "" && !strings.HasSuffix(ref, unknownRight) {
		return ref + ":latest"
	}
	return ref
}

// commitLike are properties whose value never is a name that somebody would write.
var commitLike = []string{"github.sha", "github.run_id", "github.run_number", "github.event.pull_request.head.sha", "git rev-parse", "git describe", "github_sha"}

// byCommit tells whether a tag changes with every commit.
func byCommit(tag string) bool {
	lower := strings.ToLower(tag)
	return strings.Contains(tag, unknownLeft) && slices.ContainsFunc(commitLike, func(s string) bool { return strings.Contains(lower, s) })
}

// knownPiece tells whether a piece that is marked as unknown is at least known to be a commit's.
func onlyCommits(text string) bool {
	for _, piece := range unknownPiece.FindAllString(text, -1) {
		if !byCommit(piece) {
			return false
		}
	}
	return true
}

// differ tells whether two names surely are not the same at run time: what is left of them behind the beginning and
// before the end that they share holds nothing unknown.
func differ(a, b string) bool {
	as, bs := pieces(withTag(a)), pieces(withTag(b))
	for len(as) > 0 && len(bs) > 0 && as[0] == bs[0] {
		as, bs = as[1:], bs[1:]
	}
	for len(as) > 0 && len(bs) > 0 && as[len(as)-1] == bs[len(bs)-1] {
		as, bs = as[:len(as)-1], bs[:len(bs)-1]
	}
	if len(as) == 0 && len(bs) == 0 {
		return false
	}
	return onlyCommits(strings.Join(as, "")) && onlyCommits(strings.Join(bs, ""))
}

// pieces are the characters of a name, an unknown part in one piece.
func pieces(ref string) []string {
	var all []string
	at := 0
	for _, m := range unknownPiece.FindAllStringIndex(ref, -1) {
		all = append(all, strings.Split(ref[at:m[0]], "")...)
		all = append(all, ref[m[0]:m[1]])
		at = m[1]
	}
	return append(all, strings.Split(ref[at:], "")...)
}

// isECR tells whether a name is in a registry of Amazon ECR's, as far as it shows.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
func isECR(ref string) bool {
	variables := strings.ToLower(strings.Join(unknownPiece.FindAllString(ref, -1), ""))
	return containsAny(ref, ".dkr.ecr.", ".dkr-ecr.") || strings.Contains(variables, "ecr")
}

// registryOf is the host that a name is pushed to; empty: Docker Hub.
func registryOf(ref string) string {
	host, _, found := strings.Cut(blankUnknown(ref), "/")
	if !found || !strings.ContainsAny(host, ".:_") && host != "localhost" {
		return ""
	}
	return ref[:len(host)]
}
