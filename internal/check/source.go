package check

import (
	"path"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// source is a path in the build context that an instruction reads: its elements, each of which may be a pattern.
type source []string

// sources lists what the instructions read of the build context.
func sources(all []release.Instruction) []source {
	var found []source
	for _, i := range all {
		if i.Name != "COPY" && i.Name != "ADD" && i.Name != "MOUNT" || i.From != "" {
			continue
		}
		for _, word := range i.Words {
			if !remote(word) {
				found = append(found, parseSource(word))
			}
		}
	}
	return found
}

// parseSource splits a path; nothing is left of the context itself. A variable may stand for anything.
func parseSource(word string) source {
	var elements source
	for _, e := range strings.Split(path.Clean("/"+word), "/") {
		switch {
		case e == "":
		case strings.Contains(e, "$"):
			elements = append(elements, "*")
		default:
			elements = append(elements, e)
		}
	}
	return elements
}

// whole reports whether the source is the whole build context.
func (s source) whole() bool { return len(s) == 0 || len(s) == 1 && (s[0] == "*" || s[0] == "**") }

// covers reports whether a path, or a directory above it, is what one of the sources names.
func covers(all []source, name string) bool {
	elements := strings.Split(name, "/")
	for _, s := range all {
		for n := range len(elements) + 1 {
			if s.matches(elements[:n]) {
				return true
			}
		}
	}
	return false
}

// leadsTo reports whether a source may name something below a directory.
func leadsTo(all []source, dir string) bool {
	elements := strings.Split(dir, "/")
	for _, s := range all {
		if s.begins(elements) {
			return true
		}
	}
	return false
}

// matches reports whether the pattern is one of exactly this path; ** stands for any number of directories.
func (s source) matches(elements []string) bool {
	switch {
	case len(s) == 0:
		return len(elements) == 0
	case s[0] == "**":
		return s[1:].matches(elements) || len(elements) > 0 && s.matches(elements[1:])
	case len(elements) == 0:
		return false
	}
	ok, err := path.Match(s[0], elements[0])
	return (ok || err != nil && s[0] == elements[0]) && s[1:].matches(elements[1:])
}

// begins reports whether what the pattern names may lie below this path.
func (s source) begins(elements []string) bool {
	for i, e := range elements {
		switch {
		case i >= len(s):
			return false
		case s[i] == "**":
			return true
		}
		if ok, err := path.Match(s[i], e); !ok && (err == nil || s[i] != e) {
			return false
		}
	}
	return len(elements) < len(s)
}

// remote reports whether ADD downloads the source.
func remote(word string) bool {
	for _, scheme := range []string{"http://", "https://", "git://", "ssh://", "git@"} {
		if strings.HasPrefix(word, scheme) {
			return true
		}
	}
	return false
}
