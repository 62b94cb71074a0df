package rehearsal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPlant: an app of its own is in step with itself in every file, and leaves the example's other settings alone.
func TestPlant(t *testing.T) {
	root, err := FindRoot(must(t, os.Getwd))
	if err != nil {
		t.Fatal(err)
	}
	stage := &Stage{Dir: t.TempDir()}
	binary := filepath.Join(stage.Dir, "program")
	if err := os.WriteFile(binary, []byte("#!"), 0o600); err != nil {
		t.Fatal(err)
	}
	app, err := stage.Plant(filepath.Join(root, "examples", "hello"), App{
		Name: "shop", Binary: binary, Strategy: "pinned", Tasks: 3, Settle: 8 * time.Second,
		Task: func(task map[string]any) { task["memory"] = "1024" },
	})
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(app.Path("bin/hello")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("the program: %v %v", info, err)
	}
	for file, wants := range map[string][]string{
		"medusa-deploy.yaml":       {"app: shop\n", "repository: shop\n", "cluster: shop\n", "services: [shop]\n", "strategy: pinned\n", "settle: 8s\n"},
		"ecs/task-definition.json": {`"family":"shop"`, `amazonaws.com/shop:latest"`, `"awslogs-group":"/ecs/shop"`, `"memory":"1024"`, `"healthCheck":{`},
		"ecs/service.json": {`"cluster":"shop"`, `"serviceName":"shop"`, `"taskDefinition":"shop"`, `"desiredCount":3`, `:targetgroup/shop/`,
			`"deploymentCircuitBreaker":{"enable":false,"rollback":false}`, `"minimumHealthyPercent":100`},
	} {
		content, err := app.Read(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, ".json") {
			content = compact(t, content)
		}
		for _, want := range wants {
			if !strings.Contains(content, want) {
				t.Errorf("%s does not have %s:\n%s", file, want, content)
			}
		}
	}
	if err := app.git("diff", "--quiet", "HEAD"); err != nil {
		t.Errorf("the work tree is dirty: %v", err)
	}
}

func must[T any](t *testing.T, get func() (T, error)) T {
	t.Helper()
	got, err := get()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func compact(t *testing.T, text string) string {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
