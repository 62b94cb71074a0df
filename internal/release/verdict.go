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
	// DecisionSuperseded means that a newer deployment overtook it, or that ECS resolved its tag to another image: of two
	// releases at once the other one was faster.
	DecisionSuperseded
	// DecisionFollow means that a newer deployment overtook it that brings our image, too: watch that one.
	DecisionFollow
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

// KnownStage reports whether a deployment's lifecycle stage is one of those that end by themselves. Judge decides by the
// status alone: two looks may skip stages, and a stage says nothing about the end.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ServiceDeployment.html
func KnownStage(stage string) bool {
	switch stage {
	case "", "RECONCILE_SERVICE", "PRE_SCALE_UP", "SCALE_UP", "POST_SCALE_UP", "TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT",
		"PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT", "BAKE_TIME", "CLEAN_UP":
		return true
	}
	return false
}

// Judge decides what a look at a rollout amounts to. It is pure: "stable" plays no part in it, because a service that
// was rolled back is stable too. Green needs our deployment's success and our digest in every running task.
func Judge(o Observation, r Rollout, image Image, maxFatalStops int) Verdict {
	if o.Newer != nil {
		return judgeNewer(*o.Newer, image)
	}
	if d := containerDigest(o.Refs, o.Resolved, image.Repository); d != "" && !image.Is(d) {
		return Verdict{DecisionSuperseded, "ECS resolved the image to " + d.Short() + ": another release moved the tag at the same time"}
	}
	n, sample := fatalStops(o, r)
	doomed := Verdict{DecisionDoomed, fmt.Sprintf("%d tasks stopped for the same reason: %s", n, sample)}
	switch o.Status {
	case statusSuccessful:
		verdict := judgeDigests(o, image)
		if verdict.Decision == DecisionWait && n >= maxFatalStops {
			return doomed
		}
		return verdict
	case statusRollbackSuccessful:
		return Verdict{DecisionRolledBack, orElse(o.StatusReason, "ECS rolled the deployment back")}
	case statusRollbackFailed:
		return Verdict{DecisionFailed, orElse(o.StatusReason, "ECS could not roll the deployment back")}
	case statusStopped:
		return Verdict{DecisionFailed, orElse(o.StatusReason, "the deployment was stopped")}
	case statusStopRequested, statusRollbackRequested, statusRollbackInProgress:
		return Verdict{DecisionGivenUp, orElse(o.StatusReason, "ECS gave the deployment up")}
	}
	if n >= maxFatalStops {
		return doomed
	}
	return Verdict{DecisionWait, ""}
}

// judgeNewer decides on a rollout that a newer one has overtaken.
func judgeNewer(newer PastRollout, image Image) Verdict {
	switch d := newer.digest(image.Repository); {
	case image.Is(d):
		return Verdict{DecisionFollow, "a newer deployment brings the same image: " + newer.Deployment}
	case d == "" && !ended(newer.Status) && (len(newer.Refs) == 0 || names(newer.Refs, image.Repository)):
		return Verdict{DecisionWait, "a newer deployment has not resolved its image yet: " + newer.Deployment}
	}
	return Verdict{DecisionSuperseded, "a newer deployment took over: " + newer.Deployment}
}

// names reports whether one of the references is in repository.
func names(refs map[string]string, repository string) bool {
	for _, ref := range refs {
		if SameRepository(ref, repository) {
			return true
		}
	}
	return false
}

// containerDigest is what the container from repository resolved to; empty: it has not, or there is none.
func containerDigest(refs map[string]string, resolved map[string]Digest, repository string) Digest {
	for container, ref := range refs {
		if SameRepository(ref, repository) {
			return resolved[container]
		}
	}
	return ""
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
	case stopFailedToStart, stopContainerExited:
		return true
	case stopScheduler:
		return strings.Contains(t.StoppedReason, "health checks")
	}
	return false
}

// ECS's stop codes.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Task.html
const (
	stopFailedToStart   = "TaskFailedToStart"
	stopContainerExited = "EssentialContainerExited"
	stopScheduler       = "ServiceSchedulerInitiated"
	stopUser            = "UserInitiated"
	stopSpot            = "SpotInterruption"
	stopTermination     = "TerminationNotice"
	stopInfrastructure  = "InfrastructureHealth"
)

// KnownStopCode reports whether it is known if a task that stopped with this code will stop again.
func KnownStopCode(code string) bool {
	switch code {
	case stopFailedToStart, stopContainerExited, stopScheduler, stopUser, stopSpot, stopTermination, stopInfrastructure:
		return true
	}
	return false
}

// signature tells stops of one cause from those of another: two crashes with the same exit code are one cause.
func (t Task) signature() string {
	var b strings.Builder
	b.WriteString(t.StopCode)
	if t.StopCode == stopFailedToStart {
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
