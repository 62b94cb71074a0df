package orchestrator

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// quietReads is how many reads of the log without a new line end it once the task has stopped: CloudWatch Logs shows
	// lines a moment after it got them.
	quietReads = 4
	// lastWithin bounds the reading after the task has stopped.
	lastWithin = time.Minute
)

var errStillComing = fmt.Errorf("the log could not be read to its end within %s", lastWithin)

// tail follows the log of one container of one task.
type tail struct {
	o      *Orchestrator
	from   source
	task   string // id
	cursor *cursor
	emit   release.Emit
	silent bool // there is no log to follow, or no more
}

// tailOf finds a task's log. That there is none is told once.
func (o *Orchestrator) tailOf(ctx context.Context, t release.MigrationTask, emit release.Emit) *tail {
	l := &tail{o: o, task: t.Task.ID, cursor: &cursor{seen: map[string]time.Time{}}, emit: emit}
	definition, err := o.taskDefinition(ctx, t.Task.TaskDefinition)
	if err == nil {
		l.from, err = logSource(definition, t.Container)
	}
	l.silent = err != nil
	if err != nil && ctx.Err() == nil {
		l.giveUp(err)
	}
	return l
}

// giveUp says why the log is not shown any further.
func (l *tail) giveUp(err error) {
	l.silent = true
	l.emit(release.Notice{Level: "warning", Text: fmt.Sprintf("the log of task %s cannot be shown: %v", l.task, err)})
}

// follow reads until ctx ends: often while lines come, and less often while none do.
func (l *tail) follow(ctx context.Context) {
	for wait := l.o.logPoll; !l.silent; {
		fresh, _ := l.read(ctx)
		if wait = min(wait*3/2, slowestPoll*l.o.logPoll); fresh > 0 {
			wait = l.o.logPoll
		}
		if pause(ctx, wait) != nil {
			return
		}
	}
}

// finish reads what the task wrote last. A container that never ran has written nothing.
func (l *tail) finish(ctx context.Context, t release.Task) {
	if l.silent || !slices.ContainsFunc(t.Containers, func(c release.Container) bool { return c.Name == l.from.container && c.ExitCode != nil }) {
		return
	}
	bounded, cancel := context.WithTimeoutCause(ctx, lastWithin, errStillComing)
	defer cancel()
	for quiet := 0; ; {
		fresh, read := l.read(bounded)
		if quiet++; fresh > 0 || !read {
			quiet = 0
		}
		if l.silent || quiet >= quietReads {
			return
		}
		if pause(bounded, l.o.logPoll) != nil {
			if ctx.Err() == nil && !read {
				l.giveUp(errStillComing)
			}
			return
		}
	}
}

// read emits what is new, and tells how many lines that was and whether the log could be read.
func (l *tail) read(ctx context.Context) (fresh int, read bool) {
	events, err := l.o.events(ctx, l.from, l.from.stream(l.task), l.cursor.start)
	switch {
	case err == nil:
	case ctx.Err() != nil || awsclient.Outage(err):
		return 0, false
	default:
		l.giveUp(err)
		return 0, false
	}
	lines := l.cursor.take(events)
	for _, line := range lines {
		l.emit(line)
	}
	return len(lines), true
}
