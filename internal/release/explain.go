package release

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// logLines is how many of a container's last lines an explanation shows.
const logLines = 12

// suspect is the task that a failed release is explained by.
type suspect struct {
	move *move
	task Task
}

// accuse gives the task that stopped last for a reason of its own, of the first rollout that has one; nil when none has.
func accuse(moves []*move) *suspect {
	for _, m := range moves {
		var found *suspect
		for _, t := range m.last.Tasks {
			if t.stoppedFatally(m.rollout) && (found == nil || t.Stopped.After(found.task.Stopped)) {
				found = &suspect{m, t}
			}
		}
		if found != nil {
			return found
		}
	}
	return nil
}

// refreshed is the suspect as the newest look at its rollout shows it: it may have stopped only in part before.
func (s *suspect) refreshed() Task {
	for _, t := range s.move.last.Tasks {
		if t.ID == s.task.ID {
			return t
		}
	}
	return s.task
}

// explain makes the one block that says why the release failed.
func (r *run) explain(ctx context.Context, t Target, moves []*move, accused *suspect, failure *Failure) *Explanation {
	for _, m := range moves {
		if e := explainAlarm(m.last); e != nil {
			e.Service = m.name
			return e
		}
	}
	if accused != nil {
		return r.explainTask(ctx, t, accused.move, accused.refreshed())
	}
	e := &Explanation{Cause: failure.Error(), Next: []string{nextStatus, nextLogs}}
	for _, m := range moves {
		if found := explainMessages(m.last.Messages, t.Cluster, m); found != nil {
			return found
		}
		if n := len(m.last.Messages); n > 0 {
			e.Service, e.Reason = m.name, m.last.Messages[n-1].Text
		}
	}
	return e
}

// explainAlarm says that CloudWatch alarms ended a deployment; nil when none did. Judging by tasks would be wrong then:
// they may all have been well.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html
func explainAlarm(o Observation) *Explanation {
	said := strings.Contains(strings.ToLower(o.StatusReason), "alarm")
	if len(o.Alarms) == 0 && !said || o.Status == statusSuccessful {
		return nil
	}
	e := &Explanation{
		Cause: "a CloudWatch alarm went off while the deployment was under way", Reason: o.StatusReason,
		Next: []string{"aws cloudwatch describe-alarms --state-value ALARM", nextLogs},
	}
	if len(o.Alarms) > 0 {
		e.Cause = "the deployment's CloudWatch alarm went off: " + strings.Join(o.Alarms, ", ")
		e.Next[0] = "aws cloudwatch describe-alarms --alarm-names"
		for _, name := range o.Alarms { // a name may hold anything
			e.Next[0] += " '" + strings.ReplaceAll(name, "'", `'\''`) + "'"
		}
	}
	return e
}

// explainMessages explains a rollout that has no task to show by the newest of its messages that the table knows; nil
// when it knows none.
func explainMessages(messages []ServiceMessage, cluster string, m *move) *Explanation {
	for _, message := range slices.Backward(messages) {
		facts := stopFacts{task: Task{StoppedReason: message.Text}}
		for _, row := range causes {
			if row.matches(facts) {
				fill := fillFor(facts, cluster, m.name, m.before.TaskDefinition.Family)
				return &Explanation{Service: m.name, Reason: message.Text, Cause: fill.Replace(row.says), Next: fillAll(fill, row.next)}
			}
		}
	}
	return nil
}

func (r *run) explainTask(ctx context.Context, t Target, m *move, task Task) *Explanation {
	log, logErr := r.lastLines(ctx, task)
	e := ExplainTask(task, log)
	e.Service = m.name
	if logErr != nil {
		e.Log = []string{fmt.Sprintf("(the log could not be read: %v)", logErr)}
	}
	return e
}

// logPatience is how long the log of a container that ran may take to show its first line.
const logPatience = 5 * time.Second

// lastLines gives the last lines of the container that says most about the stop. One that never ran has none.
func (r *run) lastLines(ctx context.Context, task Task) ([]string, error) {
	container := task.culprit()
	for deadline := time.Now().Add(logPatience); ; {
		lines, err := r.Orchestrator.TaskLog(ctx, task, container.Name, logLines)
		if err != nil || len(lines) > 0 || container.ExitCode == nil || time.Now().After(deadline) {
			return lines, err
		}
		if err := pause(ctx, r.PollMin); err != nil {
			return nil, err
		}
	}
}

// ExplainTask says why a task stopped, from what ECS tells of it and the last lines of its log. It is pure.
func ExplainTask(task Task, log []string) *Explanation {
	container := task.culprit()
	facts := stopFacts{task, container, strings.Join(log, "\n")}
	e := &Explanation{
		Log:  log,
		Task: task.ID, StopCode: task.StopCode, Reason: reasonOf(task, container), ExitCode: container.ExitCode,
		Cause: "the task stopped", Next: []string{nextLogs, nextStatus},
	}
	for _, row := range causes {
		if row.matches(facts) {
			family, _, _ := strings.Cut(lastPart(task.TaskDefinition), ":")
			fill := fillFor(facts, clusterOf(task), task.Service, family)
			e.Cause, e.Next = fill.Replace(row.says), fillAll(fill, row.next)
			break
		}
	}
	return e
}

// fillFor replaces what a row of the table leaves open.
func fillFor(f stopFacts, cluster, service, family string) *strings.Replacer {
	exit := "unknown"
	if f.container.ExitCode != nil {
		exit = itoa(*f.container.ExitCode)
	}
	return strings.NewReplacer(append(f.named(),
		"{container}", f.container.Name, "{exit}", exit, "{cluster}", orElse(cluster, "CLUSTER"), "{service}", orElse(service, "SERVICE"), "{family}", orElse(family, "FAMILY"),
	)...)
}

func fillAll(fill *strings.Replacer, texts []string) []string {
	filled := make([]string, len(texts))
	for i, text := range texts {
		filled[i] = fill.Replace(text)
	}
	return filled
}

// clusterOf is the cluster in a task's ARN: arn:…:task/CLUSTER/ID.
func clusterOf(task Task) string {
	parts := strings.Split(task.ARN, "/")
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}

// culprit is the container that says most about the stop: one with a reason, or a bad exit code, or the first.
func (t Task) culprit() Container {
	for _, c := range t.Containers {
		if c.Reason != "" {
			return c
		}
	}
	for _, c := range t.Containers {
		if c.ExitCode != nil && *c.ExitCode != 0 {
			return c
		}
	}
	if len(t.Containers) > 0 {
		return t.Containers[0]
	}
	return Container{}
}

func reasonOf(t Task, c Container) string {
	switch {
	case c.Reason == "" || strings.Contains(t.StoppedReason, c.Reason):
		return t.StoppedReason
	case t.StoppedReason == "" || strings.Contains(c.Reason, t.StoppedReason):
		return c.Reason
	}
	return t.StoppedReason + ": " + c.Reason
}
