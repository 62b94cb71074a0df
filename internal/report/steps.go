package report

import "github.com/medusa-deploy/medusa-deploy/internal/release"

// tailLines is how many of a failed build step's last lines are shown again.
const tailLines = 20

// steps remembers the last lines of each build step.
type steps struct{ tails map[string][]string }

func newSteps() steps { return steps{tails: map[string][]string{}} }

func (s steps) log(e release.BuildLog) {
	tail := append(s.tails[e.ID], e.Line)
	s.tails[e.ID] = tail[max(0, len(tail)-tailLines):]
}

func (s steps) tail(id string) []string { return s.tails[id] }
