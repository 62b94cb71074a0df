package report

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// githubStyle speaks GitHub Actions' workflow commands: a group for each phase, annotations for what is wrong.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
type githubStyle struct{}

func (githubStyle) open(title string) string { return "::group::" + escapeData(title) }
func (githubStyle) end() string              { return "::endgroup::" }

func (githubStyle) failure(text string) string { return annotate("error", text, text) }

// place is FILE:LINE[:COLUMN] at the start of a text.
var place = regexp.MustCompile(`^([^\s:][^:\n]*):(\d+)(?::(\d+))?(?::|$)`)

// annotate makes a command that marks a text, and its place when it starts with one.
func annotate(command, where, text string) string {
	m := place.FindStringSubmatch(where)
	if m == nil {
		return "::" + command + "::" + escapeData(text)
	}
	properties := " file=" + escapeProperty(relative(m[1])) + ",line=" + m[2]
	if m[3] != "" {
		properties += ",col=" + m[3]
	}
	return "::" + command + properties + "::" + escapeData(text)
}

// relative names a file as GitHub does: from the work tree that the program runs in.
func relative(path string) string {
	if !filepath.IsAbs(path) {
		return path
	}
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(short) {
		return short
	}
	return path
}

func (githubStyle) finding(f release.Finding) string {
	command := "warning"
	switch f.Severity {
	case release.SeverityError:
		command = "error"
	case release.SeverityInfo:
		command = "notice"
	}
	text := f.Problem
	if !place.MatchString(f.Where) { // else the annotation stands there
		text = f.Where + ": " + text
	}
	return annotate(command, f.Where, f.Code+": "+text+"\n"+f.Cure)
}

// line keeps text from being taken for a workflow command: the runner looks for :: behind leading white space, and for
// ##[ anywhere in a line.
func (githubStyle) line(text string) string {
	text = strings.ReplaceAll(text, "##[", broken)
	if strings.HasPrefix(strings.TrimLeftFunc(text, blank), "::") {
		return "· " + text
	}
	return text
}

// broken is the runner's other mark of a command, made ineffective.
const broken = "##\u200b["

// blank is what may stand before a command: white space, and marks that show as nothing.
func blank(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// escapeData is how the runner's toolkit writes a command's text; control characters but line breaks are made visible first.
func escapeData(s string) string {
	s = strings.ReplaceAll(strings.Join(cleanLines(s), "\n"), "##[", broken)
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(strings.ReplaceAll(clean(s), "##[", broken))
}
