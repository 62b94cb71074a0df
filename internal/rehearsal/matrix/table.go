package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// row is one cell of the matrix, as it is printed.
type row struct {
	combination
	Outcome    release.Outcome `json:"outcome"`
	Exit       int             `json:"exit"`
	Verdict    float64         `json:"verdict_seconds"` // from the start of the rollout to the verdict
	Total      float64         `json:"total_seconds"`   // of the whole command, with what went back
	Serves     string          `json:"serves"`          // old | new | what else
	Latest     string          `json:"latest"`          // the same
	Sent       int             `json:"sent"`
	Failed     int             `json:"failed"`
	TakenDown  int             `json:"taken_down"` // of these, with a task of the new version that crashed
	Cause      string          `json:"cause,omitempty"`
	Violations []string        `json:"violations"`
}

func newRow(k kind, c combination, s seen) row {
	r := row{
		combination: c, Outcome: s.shipped.Outcome, Exit: s.shipped.Exit, Verdict: s.shipped.Phases[string(release.PhaseVerify)],
		Total: s.shipped.Took.Seconds(), Sent: s.load.Sent, Failed: s.load.Failed, Latest: s.version(s.tagged), Violations: []string{},
	}
	var versions []string
	for _, d := range s.digests {
		versions = append(versions, s.version(d))
	}
	r.Serves = tally(versions)
	r.TakenDown = takenDown(k, s)
	if e := s.shipped.Explanation; e != nil {
		r.Cause = e.Cause
	}
	return r
}

// version names a digest for people.
func (s seen) version(digest string) string {
	switch digest {
	case "":
		return "nothing"
	case string(s.good.Digest):
		return "old"
	case string(s.shipped.Digest):
		return "new"
	}
	return digest
}

// tally counts equal words: "4 old".
func tally(words []string) string {
	if len(words) == 0 {
		return "nothing"
	}
	var order []string
	counts := map[string]int{}
	for _, w := range words {
		if counts[w] == 0 {
			order = append(order, w)
		}
		counts[w]++
	}
	for i, w := range order {
		order[i] = fmt.Sprintf("%d %s", counts[w], w)
	}
	return strings.Join(order, ", ")
}

// header are the columns of the table.
var header = []string{"new version", "strategy", "breaker", "tasks", "outcome", "exit", "verdict", "total", "runs", ":latest", "requests", "failed", "with the new", "explained by"}

// shorter leaves out what every cell's names have in common.
var shorter = strings.NewReplacer(registry, "", "arn:aws:secretsmanager:us-east-1:000000000000:secret:", "")

// causeWidth is how many characters of an explanation the table shows.
const causeWidth = 72

func (r row) columns() []string {
	breaker := "off"
	if r.Breaker {
		breaker = "on"
	}
	cause := []rune(shorter.Replace(r.Cause))
	if len(cause) > causeWidth {
		cause = append(cause[:causeWidth:causeWidth], '…')
	}
	return []string{
		r.Kind, r.Strategy, breaker, fmt.Sprint(r.Tasks), string(r.Outcome), fmt.Sprint(r.Exit), fmt.Sprintf("%.1f s", r.Verdict), fmt.Sprintf("%.1f s", r.Total),
		r.Serves, r.Latest, fmt.Sprint(r.Sent), fmt.Sprint(r.Failed), fmt.Sprint(r.TakenDown), string(cause),
	}
}

func print(out io.Writer, rows []row) {
	var lines [][]string
	for _, r := range rows {
		lines = append(lines, r.columns())
	}
	rehearsal.WriteTable(out, header, lines)
}
