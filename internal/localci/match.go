package localci

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/rhysd/actionlint"
)

// filterPattern compiles a pattern of GitHub's branch, tag and path filters.
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#filter-pattern-cheat-sheet
func filterPattern(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`\A`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			switch {
			case strings.HasPrefix(pattern[i:], "**/"):
				b.WriteString(`(?:.*/)?`) // **/docs/** also matches docs/hello.md
				i += 2
			case strings.HasPrefix(pattern[i:], "**"):
				b.WriteString(`.*`)
				i++
			default:
				b.WriteString(`[^/]*`)
			}
		case '?', '+':
			b.WriteByte(c) // of what stands before it
		case '[':
			end := strings.IndexByte(pattern[i:], ']')
			if end < 0 {
				return nil, fmt.Errorf("the filter %q has a [ without its ]", pattern)
			}
			b.WriteString(pattern[i : i+end+1])
			i += end
		case '\\':
			if i++; i < len(pattern) {
				b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
			}
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	b.WriteString(`\z`)
	compiled, err := regexp.Compile(b.String())
	if err != nil {
		return nil, fmt.Errorf("the filter %q cannot be understood: %w", pattern, err)
	}
	return compiled, nil
}

// selects says whether a list of patterns selects a name: the last pattern that matches decides, and ! turns it around.
func selects(filter *actionlint.WebhookEventFilter, name string) (bool, error) {
	selected := false
	for _, value := range filter.Values {
		text, negative := strings.CutPrefix(value.Value, "!")
		pattern, err := filterPattern(text)
		if err != nil {
			return false, err
		}
		if pattern.MatchString(name) {
			selected = !negative
		}
	}
	return selected, nil
}

// change is one ref that a push moved.
type change struct {
	before, after string // full ids; zeros: there was, or is, none
	ref           string // refs/heads/main
}

func (c change) created() bool { return strings.Trim(c.before, "0") == "" }
func (c change) deleted() bool { return strings.Trim(c.after, "0") == "" }

// name of the branch or tag.
func (c change) name() string {
	return strings.TrimPrefix(strings.TrimPrefix(c.ref, "refs/heads/"), "refs/tags/")
}

func (c change) tag() bool { return strings.HasPrefix(c.ref, "refs/tags/") }

// wants says whether `on: push` of a workflow is meant for a change. files are those that the change touches; paths are not
// looked at for tags.
func wants(event *actionlint.WebhookEvent, c change, files []string) (bool, error) {
	only, but, others := event.Branches, event.BranchesIgnore, []*actionlint.WebhookEventFilter{event.Tags, event.TagsIgnore}
	if c.tag() {
		only, but, others = event.Tags, event.TagsIgnore, []*actionlint.WebhookEventFilter{event.Branches, event.BranchesIgnore}
	}
	switch {
	case !only.IsEmpty():
		if ok, err := selects(only, c.name()); !ok || err != nil {
			return false, err
		}
	case !but.IsEmpty():
		if ignored, err := selects(but, c.name()); ignored || err != nil {
			return false, err
		}
	case !others[0].IsEmpty() || !others[1].IsEmpty():
		return false, nil // filters for the one kind of ref shut the other out
	}
	if c.tag() {
		return true, nil
	}
	return touches(event, files)
}

// touches says whether the paths of a filter are among the files that changed.
func touches(event *actionlint.WebhookEvent, files []string) (bool, error) {
	if event.Paths.IsEmpty() && event.PathsIgnore.IsEmpty() {
		return true, nil
	}
	for _, file := range files {
		filter, wanted := event.Paths, true
		if filter.IsEmpty() {
			filter, wanted = event.PathsIgnore, false
		}
		if selected, err := selects(filter, file); err != nil || selected == wanted {
			return err == nil, err
		}
	}
	return false, nil
}
