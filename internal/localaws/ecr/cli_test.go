package ecr_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// awsCLI runs the machine's own AWS CLI against the world.
func awsCLI(t *testing.T, w *world, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the AWS CLI is not installed")
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "AWS_") })
	cmd.Env = append(cmd.Env, "AWS_ENDPOINT_URL="+w.server.URL, "AWS_ACCESS_KEY_ID="+accessKey, "AWS_SECRET_ACCESS_KEY="+secretKey,
		"AWS_DEFAULT_REGION="+region, "AWS_PAGER=", "AWS_CONFIG_FILE="+filepath.Join(home, "config"), "AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(home, "credentials"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out))
}

func TestAWSCLI(t *testing.T) {
	w := newWorld(t)
	if got := awsCLI(t, w, "sts", "get-caller-identity", "--query", "Arn", "--output", "text"); got != "arn:aws:iam::000000000000:user/local" {
		t.Errorf("get-caller-identity: %s", got)
	}
	uri := awsCLI(t, w, "ecr", "create-repository", "--repository-name", "app", "--image-tag-mutability", "IMMUTABLE", "--tags", "Key=a,Value=b",
		"--query", "repository.repositoryUri", "--output", "text")
	if uri != w.host+"/app" {
		t.Errorf("create-repository: %s", uri)
	}
	password := awsCLI(t, w, "ecr", "get-login-password")
	w.want(200, w.do("GET", "/v2/", password, ""))
	manifest, digest := w.pushImage("app", "v1", "one")
	awsCLI(t, w, "ecr", "put-image", "--repository-name", "app", "--image-tag", "latest", "--image-manifest", manifest)
	var described struct {
		ImageDetails []struct {
			ImageDigest   string
			ImagePushedAt any // a number in version 1, text in version 2
			ImageTags     []string
		}
	}
	if err := json.Unmarshal([]byte(awsCLI(t, w, "ecr", "describe-images", "--repository-name", "app", "--output", "json")), &described); err != nil {
		t.Fatal(err)
	}
	if d := described.ImageDetails; len(d) != 1 || d[0].ImageDigest != digest || len(d[0].ImageTags) != 2 || d[0].ImagePushedAt == nil {
		t.Errorf("describe-images: %+v", described)
	}
	got := awsCLI(t, w, "ecr", "batch-get-image", "--repository-name", "app", "--image-ids", "imageTag=latest", "--query", "images[].imageManifest", "--output", "text")
	if got != manifest {
		t.Errorf("batch-get-image: %s", got)
	}
	awsCLI(t, w, "ecr", "delete-repository", "--repository-name", "app", "--force")
}
