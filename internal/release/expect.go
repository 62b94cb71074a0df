package release

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// expectedLines is how many of a migration's last lines are looked through when what was heard of it did not do.
const expectedLines = 1000

// expectation is text that a migration's log must have. Some programs, Medusa's among them, end with exit code 0 although
// a part of their work did not happen, and say only in their log that it did.
type expectation struct {
	any []string // one of these; empty: nothing is expected

	mu  sync.Mutex
	met bool
}

func newExpectation(any []string) *expectation { return &expectation{any: any, met: len(any) == 0} }

// listen passes events on and looks at the log lines among them.
func (e *expectation) listen(emit Emit) Emit {
	return func(event Event) {
		if line, ok := event.(LogLine); ok {
			e.hear(line.Text)
		}
		emit(event)
	}
}

func (e *expectation) hear(lines ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, line := range lines {
		for _, text := range e.any {
			e.met = e.met || strings.Contains(line, text)
		}
	}
}

func (e *expectation) isMet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.met
}

// judgeLog is nil when the log has what is expected of it. A log may arrive late, and whoever joined a task has not heard
// it all: then it is read once more.
func (r *run) judgeLog(ctx context.Context, task Task, container string, e *expectation) error {
	for deadline := time.Now().Add(logPatience); !e.isMet(); {
		lines, err := r.Orchestrator.TaskLog(ctx, task, container, expectedLines)
		if err != nil {
			return fmt.Errorf("task %s ended with exit code 0, but whether its log has what `migrate.expect` asks for is not known: %w", task.ID, err)
		}
		if e.hear(lines...); e.isMet() {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("task %s ended with exit code 0, but its log has no line with %s (`migrate.expect`)", task.ID, quotedList(e.any))
		}
		if err := pause(ctx, r.PollMin); err != nil {
			return err
		}
	}
	return nil
}

func quotedList(all []string) string {
	quoted := make([]string, len(all))
	for i, one := range all {
		quoted[i] = strconv.Quote(one)
	}
	return strings.Join(quoted, " or ")
}
