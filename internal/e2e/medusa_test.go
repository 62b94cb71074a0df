package e2e

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestDockerfileHealthCheckIsIgnored ships an image whose HEALTHCHECK always fails. ECS looks at the task definition's
// alone, and so does local AWS: the rollout is green, and the tasks' health is unknown.
func TestDockerfileHealthCheckIsIgnored(t *testing.T) {
	stage := newStage(t)
	if err := stage.Rewrite("ecs/task-definition.json", func(task map[string]any) error {
		delete(task["containerDefinitions"].([]any)[0].(map[string]any), "healthCheck")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := stage.Edit("Dockerfile", dockerfileAnchor, "HEALTHCHECK --interval=1s --retries=1 CMD [\"/hello\", \"-nonsense\"]\n"+dockerfileAnchor); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("a HEALTHCHECK that always fails"); err != nil {
		t.Fatal(err)
	}
	// Each task has to run for longer than a failing check would let it.
	if err := stage.Up(t.Context(), "--healthy-after", "4s"); err != nil {
		t.Fatal(err)
	}
	green(t, stage, release.OutcomeSucceeded, "ship")
	cloud, err := stage.Cloud(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := cloud.Tasks(t.Context(), "medusa-cluster", "medusa-service", types.DesiredStatusRunning)
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) != 2 {
		t.Errorf("%d tasks run, want 2", len(tasks))
	}
	for _, task := range tasks {
		if task.HealthStatus != types.HealthStatusUnknown {
			t.Errorf("task health is %s, want UNKNOWN", task.HealthStatus)
		}
	}
}
