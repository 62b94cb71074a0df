package e2e

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestTwoPlatforms pushes one index for two platforms to local ECR and looks at it as crane shows it: both platforms are
// listed, and each one's configuration and program are for that processor. A task definition for a processor that the image
// is not for is refused by check and ship, before anything is made.
func TestTwoPlatforms(t *testing.T) {
	stage := upStage(t)
	refusedForAnotherProcessor(t, stage)
	for _, arch := range []string{"amd64", "arm64"} {
		command := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-o", filepath.Join("bin", "hello-"+arch), ".")
		command.Dir = stage.App
		command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=", "GOWORK=off")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("compile for %s: %v\n%s", arch, err, out)
		}
	}
	config := "app: hello\nimage:\n  repository: medusa\n  platforms: [linux/amd64, linux/arm64]\ntargets:\n  local:\n    cluster: medusa-cluster\n    services: [medusa-service]\n"
	err := errors.Join(
		stage.Write("medusa-deploy.yaml", []byte(config)), stage.Write(".dockerignore", []byte("*\n!bin/hello-*\n")),
		stage.Edit("Dockerfile", "COPY --chmod=0755 bin/hello /hello", "ARG TARGETARCH\nCOPY --chmod=0755 bin/hello-$TARGETARCH /hello"),
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stage.Commit("two platforms"); err != nil {
		t.Fatal(err)
	}
	shipped := green(t, stage, release.OutcomeSucceeded, "ship") // this machine's tasks run their platform of it

	registry, err := stage.Registry(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{t: t, registry: registry, dir: stage.Dir, config: filepath.Join(stage.Dir, "docker")}
	if err := registry.DockerConfig(c.config); err != nil {
		t.Fatal(err)
	}
	crane := c.craneProgram(t)
	var index v1.IndexManifest
	decode(t, c.must(t, "", crane, "manifest", shipped.Image), &index)
	var listed []string
	for _, m := range index.Manifests {
		listed = append(listed, m.Platform.String())
	}
	if slices.Sort(listed); !slices.Equal(listed, []string{"linux/amd64", "linux/arm64"}) {
		t.Errorf("the index lists %v", listed)
	}
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		var image v1.ConfigFile
		decode(t, c.must(t, "", crane, "config", "--platform", "linux/"+arch, shipped.Image), &image)
		if image.Architecture != arch || image.OS != "linux" {
			t.Errorf("the image for linux/%s says that it is for %s/%s", arch, image.OS, image.Architecture)
		}
		archive := filepath.Join(stage.Dir, arch+".tar")
		c.must(t, "", crane, "export", "--platform", "linux/"+arch, shipped.Image, archive)
		if got := machineOf(t, archive, "hello"); got != machine {
			t.Errorf("the program in the image for linux/%s is for %s", arch, got)
		}
	}
}

// refusedForAnotherProcessor changes the task definition to a processor that the image is not for, and back.
func refusedForAnotherProcessor(t *testing.T, stage *rehearsal.Stage) {
	t.Helper()
	if err := stage.Edit("ecs/task-definition.json", "X86_64", "ARM64"); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"check", "ship"} {
		found, result := findings(t, stage, command)
		if result.Exit != release.ExitCheck || !slices.ContainsFunc(found, func(f string) bool { return strings.HasPrefix(f, "MD012 error ecs/task-definition.json") }) {
			t.Errorf("%s found %v (exit %d)", command, found, result.Exit)
		}
		if !strings.Contains(result.Raw, "its tasks are linux/arm64, the image is for linux/amd64") {
			t.Errorf("%s does not say why: %s", command, result.Raw)
		}
	}
	cloud, err := stage.Cloud(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if repositories, err := cloud.ECR.DescribeRepositories(t.Context(), &ecr.DescribeRepositoriesInput{}); err != nil || len(repositories.Repositories) > 0 {
		t.Errorf("a refused release made %d repositories, %v", len(repositories.Repositories), err)
	}
	if err := stage.Edit("ecs/task-definition.json", "ARM64", "X86_64"); err != nil {
		t.Fatal(err)
	}
}

// machineOf reads for which processor a program in a tar is.
func machineOf(t *testing.T, archive, name string) elf.Machine {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for files := tar.NewReader(f); ; {
		header, err := files.Next()
		if err != nil {
			t.Fatalf("look for %s in %s: %v", name, archive, err)
		}
		if header.Name != name {
			continue
		}
		content, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		program, err := elf.NewFile(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		return program.Machine
	}
}
