package report

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// githubStyle speaks GitHub Actions' workflow commands: a group for each phase, annotations for what is wrong.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands
type githubStyle struct{}

func (githubStyle) open(title string) string { return "::group::" + escapeData(title) }
func (githubStyle) end() string              { return "::endgroup::" }

func (githubStyle) failure(text string) string { return "::error::" + escapeData(text) }

// place is FILE:LINE:COLUMN.
var place = regexp.MustCompile(`^(.+?):(\d+):(\d+)$`)

func (githubStyle) finding(f release.Finding) string {
	command := "warning"
	if f.Severity == release.SeverityError {
		command = "error"
	}
	where := ""
	if m := place.FindStringSubmatch(f.Where); m != nil {
		where = fmt.Sprintf(" file=%s,line=%s,col=%s", escapeProperty(m[1]), m[2], m[3])
	}
	return fmt.Sprintf("::%s%s::%s", command, where, escapeData(f.Code+": "+f.Problem+"\n"+f.Cure))
}

// line keeps foreign text from being taken for a workflow command: they start a line.
func (githubStyle) line(text string) string {
	trimmed := strings.TrimLeft(text, " \t")
	if strings.HasPrefix(trimmed, "::") || strings.HasPrefix(trimmed, "##[") {
		return "· " + text
	}
	return text
}

func escapeData(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(s)
}

func escapeProperty(s string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(s)
}
