package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestPlainWorkflowUnderAct runs the plain workflow file itself under act, with the real docker, buildx and AWS CLI
// against local AWS: to green with a good commit, and to red with a reason with one that crashes. docker has no daemon
// here, and needs none: its login falls back to the client, and the builder named deploy, which the workflow uses when it
// is there, is the BuildKit of local AWS.
func TestPlainWorkflowUnderAct(t *testing.T) {
	stage := upStage(t)
	cloud := newAWS(t, stage)
	if !cloud.knows("ecs", "list-service-deployments") {
		t.Skip("this AWS CLI is too old for the plain workflow: ECS's service deployments came in November 2024")
	}
	first := green(t, stage, release.OutcomeSucceeded, "ship")
	withProgram(t, stage)
	if err := stage.Append("medusa-deploy.yaml", "  production:\n    region: us-east-1\n    registry: ${ECR_URL}\n    cluster: medusa-cluster\n    services: [medusa-service]\n"); err != nil {
		t.Fatal(err)
	}
	must(t, stage, "init", "--plain", "--auth", "keys")
	if _, err := stage.Commit("the plain workflow"); err != nil {
		t.Fatal(err)
	}
	env := plainBuilder(t, stage)

	out, err := actPlain(t, stage, env)
	if err != nil {
		t.Fatalf("the workflow is red: %v\n%s", err, out)
	}
	second := expectDigest(t, stage)
	if second == first.Digest {
		t.Errorf("the workflow is green, and what ran before still runs:\n%s", out)
	}

	breakImage(t, stage, "ENV CRASH=3")
	out, err = actPlain(t, stage, env)
	if err == nil || !strings.Contains(out, "the deployment of medusa-service is ROLLBACK") {
		t.Errorf("the workflow with a bad image: %v, want red and a reason:\n%s", err, out)
	}
	if runs := expectDigest(t, stage); runs != second {
		t.Errorf("after a bad image %s runs, want %s", runs, second)
	}
}

// withProgram commits the app's binary: the plain workflow prepares nothing.
func withProgram(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	if err := rehearsal.Compile(t.Context(), stage.App, "amd64", stage.Path("bin/hello")); err != nil {
		t.Fatal(err)
	}
	if err := stage.Append(".gitignore", "!bin/\n!bin/hello\n"); err != nil {
		t.Fatal(err)
	}
}

// plainBuilder gives docker its buildx, and buildx a builder by the workflow's name.
func plainBuilder(t *testing.T, stage *rehearsal.Stage) []string {
	t.Helper()
	docker, err := exec.LookPath("docker")
	if err != nil {
		t.Fatalf("%v: run internal/e2e/install.sh first", err)
	}
	home := actHome(t, stage)
	if err := rehearsal.CopyProgram(filepath.Join(stage.EngineDir, "buildx"), filepath.Join(home, ".docker/cli-plugins/docker-buildx")); err != nil {
		t.Fatalf("%v: run `make engine-buildx` first", err)
	}
	local, err := stage.LocalEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	create := exec.CommandContext(t.Context(), docker, "buildx", "create", "--name", "deploy", "--driver", "remote", local["BUILDKIT_HOST"])
	create.Env = append(os.Environ(), "HOME="+home, "DOCKER_HOST=unix:///nonexistent")
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("docker buildx create: %v: %s", err, out)
	}
	env := []string{"AWS_PAGER=", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null"}
	for name, value := range local {
		env = append(env, name+"="+value)
	}
	return env
}

// checkout stands in for actions/checkout, which cannot be fetched here: it checks the commit out from the app's repository.
const checkout = `name: checkout
inputs: {ref: {required: true}, persist-credentials: {default: ''}, fetch-depth: {default: ''}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {REF: "${{ inputs.ref }}"}
      run: git init --quiet . && git fetch --quiet "$APP_REPOSITORY" "$REF" && git checkout --quiet --force FETCH_HEAD
`

// actPlain runs the plain workflow as a push does.
func actPlain(t *testing.T, stage *rehearsal.Stage, env []string) (string, error) {
	t.Helper()
	workflow := filepath.Join(stage.App, ".github/workflows/deploy.yml")
	text, err := os.ReadFile(workflow)
	if err != nil {
		t.Fatal(err)
	}
	used := regexp.MustCompile(`actions/checkout@[0-9a-f]{40}`).FindString(string(text))
	standin := filepath.Join(stage.Dir, "checkout")
	if err := os.MkdirAll(standin, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(standin, "action.yml"), []byte(checkout), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"push", "--workflows", workflow, "--no-skip-checkout", "--local-repository", used + "=" + standin, "--env", "APP_REPOSITORY=" + stage.App}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		args = append(args, "--env", pair)
		if name == "AWS_ACCESS_KEY_ID" || name == "AWS_SECRET_ACCESS_KEY" || name == "ECR_URL" {
			args = append(args, "--secret", name+"="+value)
		}
	}
	return act(t, stage, nil, args...)
}
