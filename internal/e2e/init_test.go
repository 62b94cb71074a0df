package e2e

import (
	"os"
	"strings"
	"testing"
)

// TestInitFindsServices runs init for an app whose service exists already: it is taken, with its cluster.
func TestInitFindsServices(t *testing.T) {
	stage := newStage(t)
	if err := stage.Up(t.Context(), "--engine", "simulated"); err != nil {
		t.Fatal(err)
	}
	aws := newAWS(t, stage)
	aws.run("ecs", "create-cluster", "--cluster-name", "shop")
	aws.run("ecs", "create-cluster", "--cluster-name", "empty")
	aws.run("ecs", "register-task-definition", "--cli-input-json", "file://"+stage.Path("ecs/task-definition.json"))
	aws.run("ecs", "create-service", "--cluster", "shop", "--service-name", "medusa-web", "--task-definition", "medusa", "--desired-count", "0",
		"--network-configuration", "awsvpcConfiguration={subnets=[subnet-1]}")
	local, err := stage.LocalEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range local {
		stage.Env = append(stage.Env, name+"="+value)
	}
	if err := os.Remove(stage.Path("medusa-deploy.yaml")); err != nil {
		t.Fatal(err)
	}
	out := must(t, stage, "init", "--plain", "--yes", "--force")
	if !strings.Contains(out, "found      cluster shop with medusa-web") {
		t.Errorf("init says:\n%s", out)
	}
	config, err := stage.Read("medusa-deploy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(config, "cluster: shop") || !strings.Contains(config, "[medusa-web]") {
		t.Errorf("the config does not name what was found:\n%s", config)
	}
}
