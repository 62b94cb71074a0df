package lint

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Fix is an edit that takes a problem away and leaves all else as it is, byte for byte.
type Fix struct {
	Title string // what it does, in the imperative
	Edits []Edit
}

// Edit puts text in place of a piece of the file. Offsets are in bytes, behind a byte order mark.
type Edit struct {
	Start, End int
	Text       string
}

// rounds bounds how often the result is looked at again: each round fixes at least one problem for good.
const rounds = 100

// Correct applies every fix there is to the content of a file, and gives the titles of those it applied. A second call on
// its result changes nothing. It returns an error, and no content, rather than a file that is no longer YAML.
func Correct(ctx context.Context, name string, content []byte, o Options) ([]byte, []string, error) {
	o.Shellcheck = "" // it has no fixes
	var titles []string
	for range rounds {
		found, err := Source(ctx, name, content, o)
		if err != nil {
			return nil, nil, err
		}
		fixes := compatible(found)
		if len(fixes) == 0 {
			return content, titles, nil
		}
		var edits []Edit
		for _, f := range fixes {
			titles = append(titles, f.Title)
			edits = append(edits, f.Edits...)
		}
		if content, err = apply(content, edits); err != nil {
			return nil, nil, fmt.Errorf("correct %s: %w", name, err)
		}
	}
	return nil, nil, fmt.Errorf("correct %s: the fixes do not come to an end: correct it by hand", name)
}

// compatible chooses fixes that do not touch the same places; the others come in a later round.
func compatible(found []Problem) []*Fix {
	var chosen []*Fix
	var taken []Edit
	for _, p := range found {
		if p.Fix == nil || slices.ContainsFunc(p.Fix.Edits, func(e Edit) bool { return overlaps(e, taken) }) {
			continue
		}
		chosen = append(chosen, p.Fix)
		taken = append(taken, p.Fix.Edits...)
	}
	return chosen
}

func overlaps(e Edit, taken []Edit) bool {
	return slices.ContainsFunc(taken, func(t Edit) bool { return e.Start <= t.End && t.Start <= e.End })
}

// apply makes the edits, which do not overlap.
func apply(content []byte, edits []Edit) ([]byte, error) {
	src := newSource(content)
	edits = slices.Clone(edits)
	slices.SortFunc(edits, func(a, b Edit) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End)) })
	var out strings.Builder
	at := 0
	for _, e := range edits {
		if e.Start < at || e.End < e.Start || e.End > len(src.text) {
			return nil, fmt.Errorf("an edit at byte %d does not fit the file", e.Start)
		}
		out.WriteString(src.text[at:e.Start])
		out.WriteString(e.Text)
		at = e.End
	}
	out.WriteString(src.text[at:])
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(out.String()), &document); err != nil {
		return nil, fmt.Errorf("the result would not be YAML: %w", err)
	}
	return []byte(src.mark + out.String()), nil
}

// canEdit tells whether text may be put into the scalar: it stands in the file as it is, and in one place only.
func (s *scalar) canEdit() bool { return s.exact() && s.node.Anchor == "" }

// replace is the edit that puts text in place of a piece of the value, written as the scalar's style wants it.
func (s *scalar) replace(from, to int, text string) Edit {
	start, end := s.span(from, to)
	switch {
	case s.node.Style&yaml.SingleQuotedStyle != 0:
		text = strings.ReplaceAll(text, "'", "''")
	case s.node.Style&yaml.DoubleQuotedStyle != 0:
		text = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
	}
	return Edit{Start: start, End: end, Text: text}
}
