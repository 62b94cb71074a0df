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

// stopFacts are what a cause is known by.
type stopFacts struct {
	task      Task
	container Container
	log       string // the container's last lines
}

// words are ECS's own texts.
func (f stopFacts) words() string { return f.task.StoppedReason + "\n" + f.container.Reason }

// cause is one row of the table below: how to know it, what to call it, and what to type next.
type cause struct {
	name    string
	matches func(f stopFacts) bool
	says    string
	next    []string
}

// causes is ordered: the first row that matches explains the stop. The texts matched are ECS's own.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
var causes = []cause{
	{"architecture", anyOf(containing("exec format error"), logged("exec format error")),
		"the image was built for another CPU architecture than the task definition's runtimePlatform",
		[]string{"set image.platforms in medusa-deploy.yaml to the task definition's architecture, then: medusa-deploy ship"}},
	{"no executable", anyOf(containing("executable file not found", "no such file or directory: unknown"), logged("exec /", "no such file or directory")),
		"the image's entry point, or the task definition's command, names a program that is not in the image",
		[]string{"check ENTRYPOINT and CMD in the Dockerfile and `command` in the task definition, then: medusa-deploy ship"}},
	{"pull not found", pullError("not found", "manifest unknown", "name unknown", "does not exist"),
		"an image that the task definition names is not in the registry",
		[]string{"aws ecs describe-task-definition --task-definition {family} --query 'taskDefinition.containerDefinitions[].image'", "push the missing image, or correct the task definition"}},
	{"pull denied", pullError("403", "denied", "not authorized", "unauthorized", "no basic auth"),
		"ECS may not pull the image: the execution role lacks ecr:BatchGetImage, ecr:GetDownloadUrlForLayer or ecr:GetAuthorizationToken",
		[]string{"attach AmazonECSTaskExecutionRolePolicy to the task's execution role, then: medusa-deploy ship"}},
	{"pull no route", pullError("timeout", "timed out", "dial tcp", "no route"),
		"the task's subnet has no way to the registry (no public IP, NAT gateway or VPC endpoint)",
		[]string{"check the service's subnets, assignPublicIp and the ECR VPC endpoints"}},
	{"pull", pullError(""), "ECS could not pull the image", []string{"medusa-deploy status"}},
	{"memory", outOfMemory,
		"the container used more memory than the task definition gives it and was killed",
		[]string{"raise `memory` in the task definition, or find what grew: medusa-deploy logs"}},
	{"secret", containing("secretsmanager", "ssm", "secret"),
		"a secret that the task definition names could not be read: it does not exist, or the execution role may not read it",
		[]string{"aws ecs describe-task-definition --task-definition {family} --query 'taskDefinition.containerDefinitions[].secrets'"}},
	{"log group", containing("log group"),
		"the log group that the task definition names does not exist",
		[]string{"aws logs create-log-group --log-group-name <the awslogs-group of the task definition>"}},
	{"resources", containing("ResourceInitializationError"),
		"ECS could not prepare what the task needs before it starts", []string{"medusa-deploy status"}},
	{"container health", containing("failed container health checks"),
		"the container ran, but its health check (task definition, healthCheck) never passed",
		[]string{"medusa-deploy logs", "check healthCheck.command and startPeriod in the task definition"}},
	{"target health", containing("failed ELB health checks"),
		"the container ran, but the load balancer's health check never passed",
		[]string{"medusa-deploy logs", "check the target group's path and port, and healthCheckGracePeriodSeconds of the service"}},
	{"placement", containing("unable to place", "RESOURCE:", "capacity"),
		"the cluster has no room for another task", []string{"aws ecs describe-services --cluster {cluster} --services {service} --query 'services[0].events[:5]'"}},
	{"never ran", neverRan,
		"the container's program ended with exit code 255 and without a word: most likely it never ran, because it is for another CPU architecture or the entry point is not an executable",
		[]string{"check image.platforms in medusa-deploy.yaml against the task definition's runtimePlatform, and the Dockerfile's ENTRYPOINT"}},
	{"crash", crashed,
		"the program in container {container} ended by itself with exit code {exit}",
		[]string{"medusa-deploy logs"}},
}

func containing(texts ...string) func(stopFacts) bool {
	return func(f stopFacts) bool {
		return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(f.words(), s) })
	}
}

// logged matches a container that never got to run its program: its whole log is one line, of the container runtime, that
// has all of the texts.
func logged(texts ...string) func(stopFacts) bool {
	return func(f stopFacts) bool {
		line := strings.TrimSpace(f.log)
		return strings.HasPrefix(line, "exec ") && !strings.Contains(line, "\n") &&
			!slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) })
	}
}

func anyOf(matches ...func(stopFacts) bool) func(stopFacts) bool {
	return func(f stopFacts) bool {
		return slices.ContainsFunc(matches, func(m func(stopFacts) bool) bool { return m(f) })
	}
}

func pullError(texts ...string) func(stopFacts) bool {
	return func(f stopFacts) bool {
		words := f.words()
		return strings.Contains(words, "CannotPull") &&
			slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(words), s) })
	}
}

func outOfMemory(f stopFacts) bool {
	return strings.Contains(f.words(), "OutOfMemory") ||
		f.container.ExitCode != nil && *f.container.ExitCode == 137 && f.task.StopCode == "EssentialContainerExited"
}

// neverRan is a container that its runtime gave up on: it ends with 255 then.
func neverRan(f stopFacts) bool {
	return crashed(f) && *f.container.ExitCode == 255 && strings.TrimSpace(f.log) == ""
}

func crashed(f stopFacts) bool {
	return f.task.StopCode == "EssentialContainerExited" && f.container.ExitCode != nil
}

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
	if accused != nil {
		return r.explainTask(ctx, t, accused.move, accused.refreshed())
	}
	e := &Explanation{Cause: failure.Error(), Next: []string{"medusa-deploy status", "medusa-deploy logs"}}
	for _, m := range moves {
		if n := len(m.last.Messages); n > 0 {
			e.Service, e.Reason = m.name, m.last.Messages[n-1].Text
		}
	}
	return e
}

func (r *run) explainTask(ctx context.Context, t Target, m *move, task Task) *Explanation {
	log, logErr := r.lastLines(ctx, task)
	e := ExplainTask(task, log)
	e.Service = m.name
	fill := strings.NewReplacer("{family}", orElse(m.before.TaskDefinition.Family, task.TaskDefinition), "{cluster}", t.Cluster, "{service}", m.name)
	for i := range e.Next {
		e.Next[i] = fill.Replace(e.Next[i])
	}
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
		Cause: "the task stopped", Next: []string{"medusa-deploy logs", "medusa-deploy status"},
	}
	for _, row := range causes {
		if row.matches(facts) {
			exit := "unknown"
			if container.ExitCode != nil {
				exit = itoa(*container.ExitCode)
			}
			e.Cause = strings.NewReplacer("{container}", container.Name, "{exit}", exit).Replace(row.says)
			e.Next = slices.Clone(row.next)
			break
		}
	}
	return e
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
