package scaffold

import (
	"regexp"
	"strconv"
	"strings"
)

// usualNode is the version that Medusa's own images run on; leastNode is the oldest that Medusa 2 takes.
const (
	usualNode = 22
	leastNode = 20
)

var nodeRange = regexp.MustCompile(`(>=|\^|~)?\s*v?([0-9]+)`)

// nodeMajor picks a version from package.json's engines: the usual one where the range has it, else the first that is named.
func nodeMajor(engines string) int {
	first := 0
	for _, m := range nodeRange.FindAllStringSubmatch(firstOfEach(engines), -1) {
		major, err := strconv.Atoi(m[2])
		switch {
		case err != nil || major < leastNode:
			if m[1] == ">=" {
				return usualNode
			}
			continue
		case major == usualNode || m[1] == ">=" && major <= usualNode:
			return usualNode
		case first == 0:
			first = major
		}
	}
	if first == 0 {
		return usualNode
	}
	return first
}

// firstOfEach leaves of each version of a range its major number: "^20.19 || >=22.12" becomes "^20 >=22".
func firstOfEach(engines string) string {
	var out []string
	for _, part := range strings.Fields(strings.ReplaceAll(strings.ReplaceAll(engines, "||", " "), ">= ", ">=")) {
		if strings.HasPrefix(part, "<") {
			continue
		}
		major, _, _ := strings.Cut(part, ".")
		out = append(out, major)
	}
	return strings.Join(out, " ")
}
