package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestPlainWorkflow runs the scripts of the plain workflow, as init writes it, with the unmodified AWS CLI on a local AWS:
// a good image to green, a bad one to red with a reason and back, and a rollback. The images are built beforehand, and of
// docker only `login` and `buildx imagetools create` are stood in for.
func TestPlainWorkflow(t *testing.T) {
	stage := upStage(t)
	first := green(t, stage, release.OutcomeSucceeded, "ship")
	if !newAWS(t, stage).knows("ecs", "list-service-deployments") {
		t.Skip("this AWS CLI is too old for the plain workflow: ECS's service deployments came in November 2024")
	}
	production := "  production:\n    region: us-east-1\n    registry: ${ECR_URL}\n    cluster: medusa-cluster\n    services: [medusa-service]\n"
	if err := stage.Append("medusa-deploy.yaml", production); err != nil {
		t.Fatal(err)
	}
	must(t, stage, "init", "--plain", "--auth", "keys")
	r := newPlainRunner(t, stage)

	second := commitAndPush(t, stage, "second")
	r.pass("")
	if got := expectDigest(t, stage); got != second {
		t.Errorf("%s runs, want the second image %s", got, second)
	}

	breakImage(t, stage, "ENV CRASH=3")
	commitAndPush(t, stage, "bad")
	out := r.fail("Wait for the deployments")
	if !strings.Contains(out, "::error::the deployment of medusa-service is ") {
		t.Errorf("the red run says no reason:\n%s", out)
	}
	if got := expectDigest(t, stage); got != second {
		t.Errorf("after the bad image %s runs, want %s", got, second)
	}

	r.pass("previous")
	if got := expectDigest(t, stage); got != first.Digest {
		t.Errorf("after the rollback %s runs, want the first image %s", got, first.Digest)
	}
	r.pass(string(second))
	if got := expectDigest(t, stage); got != second {
		t.Errorf("after going to a digest %s runs, want %s", got, second)
	}
}

// commitAndPush commits what has changed (a file that the image has, so that there is another one), and pushes its image.
func commitAndPush(t *testing.T, stage *rehearsal.Stage, version string) release.Digest {
	t.Helper()
	if err := stage.Append("Dockerfile", "LABEL plain="+version+"\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit(version); err != nil {
		t.Fatal(err)
	}
	return green(t, stage, release.OutcomeSucceeded, "push", "--target", "local").Digest
}

// expectDigest gives the one digest that runs and that latest names.
func expectDigest(t *testing.T, stage *rehearsal.Stage) release.Digest {
	t.Helper()
	cloud := cloudOf(t, stage)
	digests, err := cloud.Digests(t.Context(), "medusa-cluster", "medusa-service", "medusa")
	if err != nil {
		t.Fatal(err)
	}
	tagged, err := cloud.Tagged(t.Context(), "medusa", "latest")
	if err != nil {
		t.Fatal(err)
	}
	for _, digest := range digests {
		if digest != tagged {
			t.Errorf("%v runs, and latest names %s", digests, tagged)
		}
	}
	return release.Digest(tagged)
}

// docker stands in for what the scripts need of it when the image is built: a tag is set by ECR's API.
const docker = `#!/bin/sh
set -eu
case "$1 ${2-} ${3-}" in
login*) cat >/dev/null ;;
"buildx imagetools create")
	manifest=$(aws ecr batch-get-image --repository-name "$REPOSITORY" --image-ids "imageDigest=${7##*@}" --query 'images[0].imageManifest' --output text)
	aws ecr put-image --repository-name "$REPOSITORY" --image-tag "${6##*:}" --image-manifest "$manifest" >/dev/null 2>"$RUNNER_TEMP/put" || grep -q ImageAlreadyExists "$RUNNER_TEMP/put" ;;
*) echo "docker $*: not stood in for" >&2; exit 1 ;;
esac
`

// plainStep is a step with a script.
type plainStep struct {
	Name, If, Run string
	Env           map[string]string
}

// plainRunner does with the scripts what GitHub's runner does.
type plainRunner struct {
	t     *testing.T
	stage *rehearsal.Stage
	shell []string
	steps []plainStep
	env   []string
	temp  string
}

func newPlainRunner(t *testing.T, stage *rehearsal.Stage) *plainRunner {
	t.Helper()
	text, err := stage.Read(".github/workflows/deploy.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Jobs struct {
			Deploy struct {
				Env      map[string]string
				Defaults struct{ Run struct{ Shell string } }
				Steps    []plainStep
			}
		}
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	job := file.Jobs.Deploy
	r := &plainRunner{t: t, stage: stage, shell: strings.Fields(strings.TrimSuffix(job.Defaults.Run.Shell, " {0}")), temp: t.TempDir()}
	if err := os.WriteFile(filepath.Join(r.temp, "docker"), []byte(docker), 0o755); err != nil {
		t.Fatal(err)
	}
	r.env = append(cloudOf(t, stage).Environment(), "PATH="+r.temp+":"+os.Getenv("PATH"), "RUNNER_TEMP="+r.temp,
		"GITHUB_ENV="+filepath.Join(r.temp, "env"), "GITHUB_STEP_SUMMARY="+filepath.Join(r.temp, "summary"),
		"GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=acme/hello")
	for name, value := range job.Env {
		if !strings.Contains(value, "secrets.") { // those are in the environment already
			r.env = append(r.env, name+"="+value)
		}
	}
	for _, step := range job.Steps {
		if step.Run != "" {
			r.steps = append(r.steps, step)
		}
	}
	return r
}

// run runs the job until a step fails, and then the steps for a failure. release is what to go back to; empty: a ship.
// It gives the failed step, and what was printed.
func (r *plainRunner) run(to string) (failed, out string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.temp, "env"), nil, 0o600); err != nil {
		r.t.Fatal(err)
	}
	for _, step := range r.steps {
		forFailure := strings.Contains(step.If, "failure()")
		switch {
		case forFailure != (failed != ""), to != "" && strings.Contains(step.If, "!= 'rollback'"), to != "previous" && strings.Contains(step.If, "'earlier'"):
			continue
		}
		text, err := r.step(step, to)
		out += "== " + step.Name + "\n" + text
		if err != nil && forFailure {
			r.t.Errorf("%s: %v\n%s", step.Name, err, text)
		} else if err != nil {
			failed = step.Name
			out += err.Error() + "\n"
		}
	}
	return failed, out
}

func (r *plainRunner) step(step plainStep, to string) (string, error) {
	command := exec.CommandContext(r.t.Context(), r.shell[0], append(r.shell[1:len(r.shell):len(r.shell)], "-c", step.Run)...)
	command.Dir = r.stage.App
	exported, err := os.ReadFile(filepath.Join(r.temp, "env"))
	if err != nil {
		return "", err
	}
	command.Env = append(r.env[:len(r.env):len(r.env)], strings.Fields(string(exported))...)
	if _, ok := step.Env["RELEASE"]; ok {
		command.Env = append(command.Env, "RELEASE="+to)
	}
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	err = command.Run()
	return out.String(), err
}

func (r *plainRunner) pass(to string) {
	r.t.Helper()
	if failed, out := r.run(to); failed != "" {
		r.t.Fatalf("%s failed:\n%s", failed, out)
	}
}

func (r *plainRunner) fail(where string) string {
	r.t.Helper()
	failed, out := r.run("")
	if failed != where {
		r.t.Fatalf("failed at %q, want %q:\n%s", failed, where, out)
	}
	for _, name := range []string{"Say why it failed", "Take it back"} {
		if !strings.Contains(out, fmt.Sprintf("== %s\n", name)) {
			r.t.Errorf("%s did not run:\n%s", name, out)
		}
	}
	return out
}
