//go:build linux

package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// builders are those that every app is built with: as --builder names them, and how the output names them.
var builders = []struct{ flag, named string }{
	{"engine", "BuildKit (the built-in engine)"},
	{"buildkit:docker-container://buildx_buildkit_contained0", "BuildKit (--builder)"},
	{"buildx:contained", "docker buildx contained (--builder)"},
	{engineOfOldStore, "docker buildx default (--builder)"}, // BuildKit inside the Docker Engine
}

// dockerStage is a stage with a local AWS, and a Docker Engine of its own beside it, with a builder in a container.
func dockerStage(t *testing.T) (*rehearsal.Stage, *rehearsal.Docker) {
	t.Helper()
	stage := upStage(t)
	docker, err := rehearsal.StartDocker(t.Context(), stage.EngineDir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := docker.Stop(); err != nil {
			t.Error(err)
		}
	})
	stage.Env = append(stage.Env, docker.Env()...)
	if err := docker.CreateBuilder(t.Context(), "contained", true); err != nil {
		t.Fatal(err)
	}
	return stage, docker
}

// TestBuilders builds the same commits with every builder, pushes and loads with each, and compares what the registry has
// then. docs/build.md has the table.
func TestBuilders(t *testing.T) {
	stage, docker := dockerStage(t)
	withProgram(t, stage)
	if _, err := stage.Commit("the program itself"); err != nil {
		t.Fatal(err)
	}
	if _, err := docker.Run(t.Context(), "buildx", "inspect", "--bootstrap", "contained"); err != nil {
		t.Fatal(err)
	}
	t.Run("hello", func(t *testing.T) {
		expectSame(t, buildWithAll(t, stage, docker))
	})
	t.Run("steps on a base image", func(t *testing.T) {
		base := green(t, stage, release.OutcomeSucceeded, "push")
		dockerfile(t, stage, "FROM %s\nCOPY bin/hello /app/hello\nRUN [\"/hello\", \"-migrate\"]\n", base.Image)
		if _, err := stage.Commit("an app with steps, on a base image from the registry"); err != nil {
			t.Fatal(err)
		}
		made := buildWithAll(t, stage, docker)
		expectSame(t, made)
		for _, other := range made[1:] {
			if len(made[0].config.RootFS.DiffIDs) != 3 || len(other.config.RootFS.DiffIDs) != 3 || made[0].config.RootFS.DiffIDs[0] != other.config.RootFS.DiffIDs[0] {
				t.Errorf("%s: layers %v, want three on the same base as %v", other.builder, other.config.RootFS.DiffIDs, made[0].config.RootFS.DiffIDs)
			}
		}
	})
}

// engineOfOldStore is the builder whose BuildKit is that of Debian's Docker Engine 20.10: it knows no SOURCE_DATE_EPOCH, and the engine
// packs layers in its own way, so that its digests are its own.
const engineOfOldStore = "buildx:default"

// madeImage is what one builder made, as the registry has it.
type madeImage struct {
	builder string
	digest  release.Digest
	config  *v1.ConfigFile
}

// expectSame checks that all builders made one image: to the byte, but for the one whose digests are its own.
func expectSame(t *testing.T, made []madeImage) {
	t.Helper()
	for _, other := range made[1:] {
		if other.builder != engineOfOldStore && other.digest != made[0].digest {
			t.Errorf("%s made %s, %s made %s", made[0].builder, made[0].digest, other.builder, other.digest)
		}
		if diff := cmp.Diff(made[0].config.Config, other.config.Config); diff != "" {
			t.Errorf("%s and %s made different images:\n%s", made[0].builder, other.builder, diff)
		}
	}
}

// buildWithAll builds the commit with every builder, pushes it into a repository of the builder's own, and loads it.
func buildWithAll(t *testing.T, stage *rehearsal.Stage, docker *rehearsal.Docker) []madeImage {
	t.Helper()
	cloud := cloudOf(t, stage)
	var all []madeImage
	for i, b := range builders {
		config := ownRepository(t, stage, fmt.Sprintf("by-%d", i))
		pushed := green(t, stage, release.OutcomeSucceeded, "build", "--push", "--load", "--builder", b.flag, "--config", config)
		if !strings.Contains(pushed.Raw, b.named) {
			t.Errorf("--builder %s: the output does not name %q:\n%s", b.flag, b.named, pushed.Raw)
		}
		expectLoaded(t, docker, b.flag, pushed)
		image, err := cloud.Image(t.Context(), pushed.Image)
		if err != nil {
			t.Fatal(err)
		}
		file, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, madeImage{b.flag, pushed.Digest, file})
	}
	return all
}

// expectLoaded asks Docker itself for what the program says it has loaded. The built-in engine has no client of its own.
func expectLoaded(t *testing.T, docker *rehearsal.Docker, builder string, pushed rehearsal.Result) {
	t.Helper()
	if pushed.Loaded == nil || len(pushed.Loaded.Names) != 2 || !pushed.Loaded.ID.Valid() {
		t.Errorf("--builder %s: loaded %+v", builder, pushed.Loaded)
		return
	}
	if builder == "engine" {
		return
	}
	for _, name := range pushed.Loaded.Names {
		if id, err := docker.Run(t.Context(), "image", "inspect", "--format", "{{.Id}}", name); err != nil || id != string(pushed.Loaded.ID) {
			t.Errorf("--builder %s: docker has %s as %s, %v; want %s", builder, name, id, err, pushed.Loaded.ID)
		}
	}
}

// ownRepository writes a config for the app as it is, with another repository. git does not see it.
func ownRepository(t *testing.T, stage *rehearsal.Stage, repository string) string {
	t.Helper()
	if err := stage.Write(".git/info/exclude", []byte("/builders\n")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("builders", repository+".yaml")
	text := "app: hello\nimage: {repository: " + repository + ", context: .., dockerfile: ../Dockerfile, platforms: [linux/amd64], reproducible: true}\n"
	if err := stage.Write(file, []byte(text)); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBuilderOfItsOwnNetwork: a builder in a container that does not reach local AWS's registry is not pushed with.
func TestBuilderOfItsOwnNetwork(t *testing.T) {
	stage, docker := dockerStage(t)
	withProgram(t, stage)
	if err := docker.CreateBuilder(t.Context(), "apart", false); err != nil {
		t.Fatal(err)
	}
	expectFailure(t, stage, release.ExitBuild, []string{"apart (docker-container) does not reach local AWS's registry", "network=host", "--builder engine"},
		"push", "--builder", "buildx:apart")
}

// TestCurrentBuilder: for another target than local AWS, the builder that docker buildx would use goes first.
func TestCurrentBuilder(t *testing.T) {
	stage, docker := dockerStage(t)
	withProgram(t, stage)
	local, err := stage.LocalEnv(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := stage.Append("medusa-deploy.yaml", "  production:\n    region: us-east-1\n    cluster: medusa-cluster\n    services: [medusa-service]\n"); err != nil {
		t.Fatal(err)
	}
	for name, value := range local {
		stage.Env = append(stage.Env, name+"="+value) // BUILDKIT_HOST among them
	}
	build := func(want string, args ...string) {
		t.Helper()
		out, err := stage.Run(t.Context(), append([]string{"build", "--target", "production"}, args...)...)
		if err != nil || out.Exit != 0 || !strings.Contains(out.Stderr, want) {
			t.Errorf("build %v: exit %d, %v; want %q in\n%s", args, out.Exit, err, want, out.Stderr)
		}
	}
	build("docker buildx default (the current builder)")
	if _, err := docker.Run(t.Context(), "buildx", "use", "contained"); err != nil {
		t.Fatal(err)
	}
	build("docker buildx contained (the current builder)")
	build("BuildKit (BUILDKIT_HOST)", "--builder", "buildkit")
	stage.Env = append(stage.Env, "DOCKER_HOST=unix:///nonexistent", "BUILDX_BUILDER=default")
	build("BuildKit (BUILDKIT_HOST)")
	build("warning: not built with docker buildx: no Docker Engine answers")
	stage.Env = append(stage.Env, "BUILDKIT_HOST=unix:///nonexistent")
	build("BuildKit (the built-in engine)")
	out, err := stage.Run(t.Context(), "check", "--target", "production")
	if err != nil || !strings.Contains(out.Stderr, "a build would be made with BuildKit (the built-in engine), BuildKit v") {
		t.Errorf("check: %v\n%s", err, out.Stderr)
	}
}
