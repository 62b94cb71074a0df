package e2e

import (
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestBadImages ships images that cannot work. Each time ship ends with exit 6 and one block that says why, the old
// tasks serve without a failed request, and :latest names what runs.
func TestBadImages(t *testing.T) {
	stage := upStage(t)
	good := green(t, stage, release.OutcomeSucceeded, "ship")
	url := good.Services[0].URL
	tests := []struct {
		name, setting      string
		cause, stop, inLog string
		exit               int // of the container; -1: it was stopped
	}{
		{"exits at once", "ENV CRASH=3", "exit code 3", "EssentialContainerExited", "CRASH is set, exiting with 3", 3},
		{"never healthy", "ENV UNHEALTHY=1", "health check", "ServiceSchedulerInitiated", "is listening on", -1},
		{"another architecture's program", "COPY --chmod=0755 bin/foreign /hello", "architecture", "EssentialContainerExited", "", 255},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			breakImage(t, stage, tt.setting)
			bad, report := rolledBack(t, stage, url, "ship")
			expectExplanation(t, bad, tt.cause, tt.stop, tt.inLog)
			if tt.exit >= 0 && (bad.Explanation.ExitCode == nil || *bad.Explanation.ExitCode != tt.exit) {
				t.Errorf("exit code %v, want %d", bad.Explanation.ExitCode, tt.exit)
			}
			expectOldServes(t, stage, good, report)
			restoreImage(t, stage)
		})
	}
}

func expectExplanation(t *testing.T, bad rehearsal.Result, cause, stop, inLog string) {
	t.Helper()
	e := bad.Explanation
	if e == nil {
		t.Fatalf("there is no explanation:\n%s", bad.Raw)
	}
	if !strings.Contains(e.Cause, cause) || e.StopCode != stop || e.Reason == "" || len(e.Next) == 0 {
		t.Errorf("explanation = %+v, want cause %q, stop code %s, a reason and what to do next", e, cause, stop)
	}
	if !strings.Contains(strings.Join(e.Log, "\n"), inLog) {
		t.Errorf("log = %q, want %q in it", e.Log, inLog)
	}
}

// expectOldServes checks that the failed release left what ran before untouched.
func expectOldServes(t *testing.T, stage *rehearsal.Stage, good rehearsal.Result, report rehearsal.LoadReport) {
	t.Helper()
	expectServed(t, report)
	for _, body := range report.Bodies {
		if !strings.Contains(body, good.Commit) {
			t.Errorf("a request was answered by something else:\n%s", body)
		}
	}
	status := statusOf(t, stage)
	one := status.Services[0]
	if status.Tagged != good.Digest || one.Running != 2 || one.Digests[good.Digest] != 2 || len(one.Drift) > 0 {
		t.Errorf("status = %+v, want two tasks of %s and :latest on it", status, good.Digest)
	}
}

const dockerfileAnchor = "USER 65532:65532"

func breakImage(t *testing.T, stage *rehearsal.Stage, setting string) {
	t.Helper()
	if strings.Contains(setting, "foreign") {
		foreign(t, stage)
	}
	if err := stage.Edit("Dockerfile", dockerfileAnchor, setting+"\n"+dockerfileAnchor); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("break it: " + setting); err != nil {
		t.Fatal(err)
	}
}

// foreign puts a program for another CPU beside the app's own: an ELF header that says so is enough for the kernel.
func foreign(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	header := make([]byte, 64)
	copy(header, "\x7fELF\x02\x01\x01")
	header[16], header[18], header[20] = 2, 0xB7, 1 // ET_EXEC, EM_AARCH64, EV_CURRENT
	header[52], header[54] = 64, 56
	if err := stage.Write("bin/foreign", header); err != nil {
		t.Fatal(err)
	}
	for file, line := range map[string]string{".dockerignore": "!bin/foreign\n", ".gitignore": "!bin/foreign\n"} {
		if err := stage.Append(file, line); err != nil {
			t.Fatal(err)
		}
	}
}

func restoreImage(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	if err := stage.Revert(); err != nil {
		t.Fatal(err)
	}
}

// TestMissingImage ships to a service whose sidecar's image was deleted from the registry since the last release.
func TestMissingImage(t *testing.T) {
	stage := upStage(t)
	const sidecar = "000000000000.dkr.ecr.us-east-1.amazonaws.com/sidecar:stable"
	if err := stage.Edit("ecs/task-definition.json", `"containerDefinitions": [`,
		`"containerDefinitions": [ {"name": "sidecar", "image": "`+sidecar+`", "environment": [{"name": "PORT", "value": "9001"}]},`); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("add a sidecar"); err != nil {
		t.Fatal(err)
	}
	pushed := green(t, stage, release.OutcomeSucceeded, "push")
	cloud := cloudOf(t, stage)
	if err := cloud.CopyImage(t.Context(), pushed.Image, "sidecar", "stable"); err != nil {
		t.Fatal(err)
	}
	good := green(t, stage, release.OutcomeSucceeded, "ship")

	if err := cloud.DeleteTag(t.Context(), "sidecar", "stable"); err != nil {
		t.Fatal(err)
	}
	edit(t, stage, "Hello from", "Hello with a sidecar from")
	bad, report := rolledBack(t, stage, good.Services[0].URL, "ship")
	expectExplanation(t, bad, "not in the registry", "TaskFailedToStart", "")
	expectOldServes(t, stage, good, report)
}
