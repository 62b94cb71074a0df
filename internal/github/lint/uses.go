package lint

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

var (
	fullSHA  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	shortSHA = regexp.MustCompile(`^[0-9a-f]{7,39}$`)
	versions = regexp.MustCompile(`\d`)
)

// judgeUses looks at what a step borrows from others.
func (c *checker) judgeUses(s *step) {
	if !s.uses.there() || s.uses.val.Kind != yaml.ScalarNode {
		return
	}
	if ref := c.judgeReference(s.uses.val, s.uses.text()); ref != "" {
		c.judgeInputs(s, ref)
	}
	if s.action() == credentialsAction && !s.input("role-to-assume").there() {
		if key := s.input("aws-access-key-id"); key.there() {
			c.at(codeStaticKeys, key.key, "the job signs in with keys that never expire")
		}
	}
}

// judgeReference says whether a `uses:` can change under the workflow's feet. It gives the commit that it is pinned to, or
// nothing.
// https://docs.github.com/en/actions/reference/security/secure-use#using-third-party-actions
func (c *checker) judgeReference(n *yaml.Node, text string) string {
	switch {
	case isLocal(text), strings.Contains(text, opening):
		return "" // this repository's own, at the same commit
	case strings.HasPrefix(text, "docker://"):
		if !strings.Contains(text, "@sha256:") {
			c.at(codeUnpinned, n, text+" has no digest").Cure = "write the digest behind the image: docker://IMAGE@sha256:…"
		}
		return ""
	}
	_, ref, found := strings.Cut(text, "@")
	switch {
	case !found || ref == "":
		return "" // actionlint says so
	case fullSHA.MatchString(ref):
		if comment := c.comment(n); !versions.MatchString(comment) {
			c.at(codeNoVersion, n, "nothing says which version this commit is")
		}
		return ref
	case shortSHA.MatchString(ref) && versions.MatchString(ref):
		c.at(codeShortSHA, n, ref+" is an abbreviated commit")
	default:
		c.at(codeUnpinned, n, text+" is a tag or a branch")
	}
	return ""
}
