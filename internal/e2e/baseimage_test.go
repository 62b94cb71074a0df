package e2e

import (
	"strings"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestBaseImageFromLocalECR builds on an image of Docker Hub that is in local ECR alone: its layers are in what runs, and
// the Dockerfile names it as it would anywhere.
func TestBaseImageFromLocalECR(t *testing.T) {
	stage := upStage(t)
	pushed := green(t, stage, release.OutcomeSucceeded, "push")
	if err := cloudOf(t, stage).CopyImage(t.Context(), pushed.Image, "docker.io/library/greeter", "1"); err != nil {
		t.Fatal(err)
	}
	if err := stage.Write("Dockerfile", []byte("FROM greeter:1\nENV BASED=yes\n")); err != nil {
		t.Fatal(err)
	}
	commit, err := stage.Commit("build on what is there")
	if err != nil {
		t.Fatal(err)
	}
	shipped := green(t, stage, release.OutcomeSucceeded, "ship")
	if text := page(t, shipped.Services[0].URL); !strings.Contains(text, pushed.Commit) {
		t.Errorf("the app, whose COMMIT is the base image's %s, says %q (and it was built from %s)", pushed.Commit, text, commit)
	}
}
