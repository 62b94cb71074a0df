package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal/shop"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestMedusa ships the real shop, as server and worker, on PostgreSQL and Redis, and buys something. It needs the npm
// registry and Debian's packages. The admin is left out, whose build takes most of a minute and 2 GB; `make medusa-test`
// tells the whole story, with it.
func TestMedusa(t *testing.T) {
	if testing.Short() {
		t.Skip("end-to-end tests are not short")
	}
	if os.Geteuid() != 0 {
		t.Skip("real containers need root: run `sudo make test`")
	}
	dir := root(t)
	tools := rehearsal.Tools{Program: filepath.Join(dir, "bin", "medusa-deploy"), Engine: filepath.Join(dir, "bin", "engine"), Example: filepath.Join(dir, "examples", "medusa")}
	s, err := shop.Open(t.Context(), tools, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if err := s.Edit("medusa-config.ts", `process.env.DISABLE_MEDUSA_ADMIN === "true"`, "true"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.Path("Dockerfile")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Must(t.Context(), "init", "--plain", "--yes"); err != nil { // for this shop: without a stage for the admin
		t.Fatal(err)
	}
	commit, err := s.Commit("without the admin")
	if err != nil {
		t.Fatal(err)
	}
	s.Echo = t.Output()
	if result := green(t, s.Stage, release.OutcomeSucceeded, "ship"); result.Phases["migrate"] == 0 {
		t.Errorf("there was no migration: %v", result.Phases)
	}
	if err := s.Runs(t.Context(), commit); err != nil {
		t.Error(err)
	}
	url, err := s.URL(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if text := page(t, url+"/health"); text != "OK" {
		t.Errorf("/health says %q", text)
	}
	if version, err := shop.Anyone(url).Version(t.Context()); err != nil || version.Commit != commit {
		t.Errorf("/version: %+v, %v, want commit %s", version, err, commit)
	}
	buyMug(t, s, url)
}

// buyMug is a customer who puts what the shop's first data have into a cart.
func buyMug(t *testing.T, s *shop.Shop, url string) {
	t.Helper()
	counter, err := s.Counter(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	mug, err := counter.Product(t.Context(), "Mug")
	if err != nil {
		t.Fatal(err)
	}
	if cart, err := counter.Buy(t.Context(), mug, 3); err != nil || cart.Total != 27 {
		t.Errorf("the cart is %+v, %v, want 27 euros", cart, err)
	}
}

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
