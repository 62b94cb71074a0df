package report

import (
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	oldDigest = release.Digest("sha256:1111111111111111111111111111111111111111111111111111111111111111")
	newDigest = release.Digest("sha256:2222222222222222222222222222222222222222222222222222222222222222")
	commit    = "c0ffee0123456789c0ffee0123456789c0ffee01"
	service   = "medusa-service"
	arn       = "arn:aws:ecs:us-east-1:000000000000:service-deployment/medusa-cluster/medusa-service/abc"
)

var at = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func ptr(n int) *int { return &n }

// streams are runs as the faces get to see them.
func streams() map[string][]release.Event {
	check := []release.Event{
		release.PhaseStarted{Phase: release.PhaseCheck, About: "what would break the deploy to local"},
		release.PhaseDone{Phase: release.PhaseCheck, Summary: "no remarks", Seconds: 0.02},
	}
	build := []release.Event{
		release.PhaseStarted{Phase: release.PhaseBuild, About: "commit c0ffee012345 for linux/amd64", ByHand: []string{"docker buildx build ."}},
		release.BuildStep{ID: "1", Name: "[1/2] FROM scratch", State: "started"},
		release.BuildStep{ID: "1", Name: "[1/2] FROM scratch", State: "cached"},
		release.BuildStep{ID: "2", Name: "[2/2] RUN make", State: "started"},
		release.BuildLog{ID: "2", Line: "\x1b[32mcc\x1b[0m main.c"},
	}
	push := []release.Event{
		release.BuildStep{ID: "2", Name: "[2/2] RUN make", State: "done", Seconds: 1.25},
		release.PhaseDone{Phase: release.PhaseBuild, Summary: "222222222222, 1 of 2 steps cached", Seconds: 1.3},
		release.PhaseStarted{Phase: release.PhasePush, About: "127.0.0.1:4566/medusa:git-" + commit},
		release.Transfer{ID: "l", Name: "pushing layers", Current: 1 << 20, Total: 1 << 21},
		release.Transfer{ID: "l", Name: "pushing layers", Current: 1 << 21, Total: 1 << 21, Done: true},
		release.PhaseDone{Phase: release.PhasePush, Summary: "git-" + commit, Seconds: 0.2},
	}
	deploy := []release.Event{
		release.ChangesFound{Changes: release.Changes{
			From: commit[1:] + "0", To: release.Commit{SHA: commit, Branch: "main", Subject: "Sell hats", Author: "Ada", Time: at},
			Relation: release.RelationAhead, Count: 1, Commits: []release.Commit{{SHA: commit, Subject: "Sell hats", Author: "Ada", Time: at}}, Lost: []release.Commit{},
		}},
		release.PhaseStarted{Phase: release.PhaseDeploy, About: "222222222222 to 1 service on medusa-cluster"},
		release.DefinitionChange{Service: service, Difference: release.Difference{Where: "task definition medusa", Path: "memory", From: `"512"`, To: `"1024"`}},
		release.RolloutStarted{Service: service, Deployment: arn, From: oldDigest, To: newDigest},
		release.PhaseDone{Phase: release.PhaseDeploy, Summary: ":latest → 222222222222, 1 rollout", Seconds: 0.03},
		release.PhaseStarted{Phase: release.PhaseVerify, About: "every task runs 222222222222"},
		release.RolloutProgress{Service: service, Status: "IN_PROGRESS", Desired: 2, Pending: 2},
		release.ServiceMessage{Service: service, At: at, Text: "(service medusa-service) has started 2 tasks."},
	}
	return map[string][]release.Event{
		"success": join(check, build, push, deploy, []release.Event{
			release.RolloutProgress{Service: service, Status: "SUCCESSFUL", Desired: 2, Running: 2},
			release.PhaseDone{Phase: release.PhaseVerify, Summary: "2 tasks verified by digest", Seconds: 0.8},
			result(release.OutcomeSucceeded, 0),
		}),
		"unchanged": join(check, []release.Event{
			release.PhaseStarted{Phase: release.PhaseBuild, About: "commit c0ffee012345"},
			release.PhaseDone{Phase: release.PhaseBuild, Summary: "nothing to build", Skipped: true},
			unchanged(),
		}),
		"build-failed": join(check, build, []release.Event{
			release.BuildStep{ID: "2", Name: "[2/2] RUN make", State: "failed", Error: "exit code: 2"},
			release.PhaseFailed{Phase: release.PhaseBuild, Error: "Dockerfile:7: [2/2] RUN make: exit code: 2", Seconds: 3},
			failed(release.OutcomeFailed, release.ExitBuild, "Dockerfile:7: [2/2] RUN make: exit code: 2", nil),
		}),
		"rolled-back": join(check, deploy, []release.Event{
			release.TaskStopped{Service: service, Task: "0123456789abcdef", StopCode: "EssentialContainerExited", Reason: "Essential container in task exited", ExitCode: ptr(3)},
			release.PhaseFailed{Phase: release.PhaseVerify, Error: "medusa-service: 2 tasks stopped for the same reason", Seconds: 2},
			failed(release.OutcomeRolledBack, release.ExitRolledBack, "medusa-service: 2 tasks stopped for the same reason", &release.Explanation{
				Service: service, Task: "0123456789abcdef", Cause: "the program in container medusa ended by itself with exit code 3",
				StopCode: "EssentialContainerExited", Reason: "Essential container in task exited", ExitCode: ptr(3),
				Log: []string{"starting", "::error::not GitHub's", "cannot connect\x1b]0;title\x07"}, Next: []string{"medusa-deploy logs"},
			}),
		}),
		"findings": {
			release.PhaseStarted{Phase: release.PhaseCheck, About: "what would break the deploy to production"},
			release.Found{Finding: release.Finding{Code: "MD006", Severity: release.SeverityError, Where: "medusa-deploy.yaml:12:7", Problem: "wrong", Why: "it breaks", Cure: "mend it"}},
			release.Found{Finding: release.Finding{Code: "MD014", Severity: release.SeverityWarning, Where: "service medusa-service", Problem: "100% odd", Cure: "look, then: go on"}},
			release.Found{Finding: release.Finding{Code: "MD037", Severity: release.SeverityInfo, Where: "work tree", Problem: "dirty", Cure: "commit"}},
			release.PhaseFailed{Phase: release.PhaseCheck, Error: "check: MD006: wrong", Seconds: 0.1},
			release.Notice{Level: "warning", Text: "a notice\nof two lines"},
			release.LogLine{Service: service, Task: "0123456789abcdef", At: at, Text: "a line of a log"},
			failed(release.OutcomeRefused, release.ExitCheck, "check: MD006: wrong", nil),
		},
	}
}

func join(parts ...[]release.Event) []release.Event {
	var all []release.Event
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func result(outcome release.Outcome, code int) release.Result {
	return release.Result{
		Outcome: outcome, Exit: code, Command: "ship", Target: "local", Image: "127.0.0.1:4566/medusa@" + string(newDigest), Digest: newDigest, Commit: commit,
		Services: []release.ServiceResult{{Name: service, Deployment: arn, From: oldDigest, To: newDigest, Running: 2, URL: "http://127.0.0.1:20000"}},
		Seconds:  map[release.Phase]float64{release.PhaseBuild: 1.3, release.PhaseVerify: 0.8}, Total: 2.4,
	}
}

func unchanged() release.Result {
	r := result(release.OutcomeUnchanged, 0)
	r.Services[0].From = newDigest
	return r
}

func failed(outcome release.Outcome, code int, message string, e *release.Explanation) release.Result {
	r := result(outcome, code)
	r.Error, r.Explanation = message, e
	return r
}
