package release

import (
	"fmt"
	"strings"
)

// ECS's service deployment statuses.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
const (
	statusPending            = "PENDING"
	statusInProgress         = "IN_PROGRESS"
	statusSuccessful         = "SUCCESSFUL"
	statusStopRequested      = "STOP_REQUESTED"
	statusStopped            = "STOPPED"
	statusRollbackRequested  = "ROLLBACK_REQUESTED"
	statusRollbackInProgress = "ROLLBACK_IN_PROGRESS"
	statusRollbackSuccessful = "ROLLBACK_SUCCESSFUL"
	statusRollbackFailed     = "ROLLBACK_FAILED"
)

// Decision is what one look at a rollout amounts to.
type Decision int

const (
	// DecisionWait means that nothing is decided yet.
	DecisionWait Decision = iota
	// DecisionGreen means that our deployment succeeded and every running task runs our digest.
	DecisionGreen
	// DecisionDoomed means that it cannot succeed any more although ECS has not given up: stop it.
	DecisionDoomed
	// DecisionGivenUp means that ECS is rolling it back, or has stopped it and something may be left to put right.
	DecisionGivenUp
	// DecisionRolledBack means that ECS rolled it back and the old revision runs.
	DecisionRolledBack
	// DecisionFailed means that it ended and ECS did not, or could not, go back.
	DecisionFailed
	// DecisionSuperseded means that a newer deployment overtook it.
	DecisionSuperseded
	// DecisionNothing means that ECS calls it successful and there is no task to show for it.
	DecisionNothing
)

// Verdict is a decision with its reason, for people.
type Verdict struct {
	Decision Decision
	Reason   string
}

// KnownStatus reports whether Judge knows what to make of a service deployment status.
func KnownStatus(status string) bool {
	switch status {
	case statusPending, statusInProgress, statusSuccessful, statusStopRequested, statusStopped,
		statusRollbackRequested, statusRollbackInProgress, statusRollbackSuccessful, statusRollbackFailed:
		return true
	}
	return false
}

// Judge decides what a look at a rollout amounts to. It is pure: "stable" plays no part in it, because a service that
// was rolled back is stable too. Green needs our deployment's success and our digest in every running task.
func Judge(o Observation, r Rollout, image Image, maxFatalStops int) Verdict {
	if o.Newer != nil {
		return Verdict{DecisionSuperseded, "a newer deployment took over: " + o.Newer.Deployment}
	}
	switch o.Status {
	case statusSuccessful:
		return judgeDigests(o, image)
	case statusRollbackSuccessful:
		return Verdict{DecisionRolledBack, orElse(o.StatusReason, "ECS rolled the deployment back")}
	case statusRollbackFailed:
		return Verdict{DecisionFailed, orElse(o.StatusReason, "ECS could not roll the deployment back")}
	case statusStopped:
		return Verdict{DecisionFailed, orElse(o.StatusReason, "the deployment was stopped")}
	case statusStopRequested, statusRollbackRequested, statusRollbackInProgress:
		return Verdict{DecisionGivenUp, orElse(o.StatusReason, "ECS gave the deployment up")}
	}
	if n, sample := fatalStops(o, r); n >= maxFatalStops {
		return Verdict{DecisionDoomed, fmt.Sprintf("%d tasks stopped for the same reason: %s", n, sample)}
	}
	return Verdict{DecisionWait, ""}
}

// judgeDigests decides on a deployment that ECS calls successful.
func judgeDigests(o Observation, image Image) Verdict {
	ours, others := 0, 0
	for _, t := range o.Tasks {
		if !t.serving() {
			continue
		}
		if d := t.Digest(image.Repository); image.Is(d) {
			ours++
		} else {
			others++
		}
	}
	switch {
	case others > 0:
		return Verdict{DecisionWait, fmt.Sprintf("%d running tasks still have another digest", others)}
	case ours == 0 && o.Desired == 0:
		return Verdict{DecisionNothing, "the service's desired count is 0: nothing runs"}
	case ours < o.Desired:
		return Verdict{DecisionWait, fmt.Sprintf("%d of %d tasks run", ours, o.Desired)}
	}
	return Verdict{DecisionGreen, ""}
}

// serving reports whether the task runs and is meant to go on running.
func (t Task) serving() bool { return t.LastStatus == "RUNNING" && t.DesiredStatus != "STOPPED" }

// Digest is what the task's container from repository really runs; empty when it has none or ECS has not said.
// Only the repository's name is compared: one registry goes by several host names.
func (t Task) Digest(repository string) Digest {
	for _, c := range t.Containers {
		if SameRepository(c.Image, repository) {
			return c.Digest
		}
	}
	return ""
}

// SameRepository reports whether an image reference is in a repository, comparing names without the registry's host.
func SameRepository(image, repository string) bool {
	return repositoryName(image) == repositoryName(repository)
}

func repositoryName(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndex(ref, ":"); i > strings.LastIndex(ref, "/") {
		ref = ref[:i]
	}
	if host, name, ok := strings.Cut(ref, "/"); ok && strings.ContainsAny(host, ".:") {
		return name
	}
	return ref
}

// fatalStops counts the rollout's tasks that stopped for the most common reason of their own doing.
func fatalStops(o Observation, r Rollout) (n int, sample string) {
	counts := map[string]int{}
	for _, t := range o.Tasks {
		if !t.stoppedFatally(r) {
			continue
		}
		signature := t.signature()
		counts[signature]++
		if counts[signature] > n {
			n, sample = counts[signature], t.StoppedReason
		}
	}
	return n, sample
}

// stoppedFatally reports whether the task belongs to the rollout and stopped for a reason that will repeat: never for a
// Spot interruption, a scale-in or a person's StopTask.
func (t Task) stoppedFatally(r Rollout) bool {
	if t.StopCode == "" || t.StartedBy != r.StartedBy {
		return false
	}
	switch t.StopCode {
	case "TaskFailedToStart", "EssentialContainerExited":
		return true
	case "ServiceSchedulerInitiated":
		return strings.Contains(t.StoppedReason, "health checks")
	}
	return false
}

// signature tells stops of one cause from those of another: two crashes with the same exit code are one cause.
func (t Task) signature() string {
	var b strings.Builder
	b.WriteString(t.StopCode)
	if t.StopCode == "TaskFailedToStart" {
		kind, _, _ := strings.Cut(t.StoppedReason, ":")
		b.WriteString(" " + kind)
	}
	for _, c := range t.Containers {
		if c.ExitCode != nil && *c.ExitCode != 0 {
			fmt.Fprintf(&b, " %s=%d", c.Name, *c.ExitCode)
		}
	}
	return b.String()
}

func orElse(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
