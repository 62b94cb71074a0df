package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
)

// counter is a local ECR with what its clients need: the login, and an image in an OCI layout.
type counter struct {
	t        *testing.T
	cloud    *rehearsal.Cloud
	registry *rehearsal.Registry
	dir      string
	layout   string
	digest   v1.Hash
	config   string // DOCKER_CONFIG of these tests alone
	docker   string // DOCKER_HOST; empty where there is no daemon
}

// TestRegistryClients has the registry clients that people have, unmodified, use local ECR as they use ECR.
func TestRegistryClients(t *testing.T) {
	stage := newStage(t)
	if err := stage.Up(t.Context(), "--engine", "simulated"); err != nil {
		t.Fatal(err)
	}
	c := &counter{t: t, dir: stage.Dir, layout: filepath.Join(stage.Dir, "layout"), config: filepath.Join(stage.Dir, "docker")}
	var err error
	if c.cloud, err = stage.Cloud(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.registry, err = stage.Registry(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.registry.Create(t.Context(), "crane", "skopeo", "docker", "other"); err != nil {
		t.Fatal(err)
	}
	if c.digest, err = rehearsal.WriteLayout(c.layout, 3, 3<<20, 42); err != nil {
		t.Fatal(err)
	}
	t.Run("crane", c.crane)
	t.Run("skopeo", c.skopeo)
	t.Run("docker", c.dockerEngine)
}

// must runs a client that must succeed and gives its output.
func (c *counter) must(t *testing.T, stdin, name string, args ...string) string {
	t.Helper()
	out, err := c.run(t, stdin, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func (c *counter) run(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Env = append(os.Environ(), "DOCKER_CONFIG="+c.config, "DOCKER_HOST="+c.docker, "HOME="+c.dir, "XDG_RUNTIME_DIR="+c.dir)
	command.Stdin = strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	return string(out), err
}

// ref is an image's name at the registry.
func (c *counter) ref(name string) string { return c.registry.Host + "/" + name }

// holds checks that ECR's API tells of the digest under the tag.
func (c *counter) holds(t *testing.T, repository, tag, digest string) {
	t.Helper()
	got, err := c.cloud.Tagged(t.Context(), repository, tag)
	if err != nil || got != digest {
		t.Errorf("%s:%s is %q, %v; want %s", repository, tag, got, err, digest)
	}
}

func (c *counter) craneProgram(t *testing.T) string {
	t.Helper()
	path := filepath.Join(root(t), "bin", "peers", "crane")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v: run `make peers` first", err)
	}
	return path
}

func (c *counter) crane(t *testing.T) {
	crane := c.craneProgram(t)
	if out, err := c.run(t, "", crane, "digest", c.ref("crane:v1")); err == nil || !strings.Contains(out, "401") {
		t.Errorf("without a login: %v, %s", err, out)
	}
	c.must(t, c.registry.Password, crane, "auth", "login", "--username", "AWS", "--password-stdin", c.registry.Host)
	c.must(t, "", crane, "push", c.layout, c.ref("crane:v1"))
	c.holds(t, "crane", "v1", c.digest.String())
	if got := c.must(t, "", crane, "digest", c.ref("crane:v1")); got != c.digest.String() {
		t.Errorf("digest %s, want %s", got, c.digest)
	}
	c.must(t, "", crane, "validate", "--remote", c.ref("crane:v1"))
	c.must(t, "", crane, "tag", c.ref("crane:v1"), "v2")
	c.must(t, "", crane, "copy", c.ref("crane:v1"), c.ref("other:copied"))
	c.holds(t, "other", "copied", c.digest.String())
	if got := c.must(t, "", crane, "ls", c.ref("crane")); got != "v1\nv2" {
		t.Errorf("tags %q", got)
	}
	c.must(t, "", crane, "delete", c.ref("crane:v2"))
	c.holds(t, "crane", "v2", "")
	c.holds(t, "crane", "v1", c.digest.String())
}

func (c *counter) skopeo(t *testing.T) {
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Fatalf("%v: run internal/e2e/install.sh first", err)
	}
	authfile := filepath.Join(c.dir, "skopeo.json")
	tls := []string{"--authfile", authfile, "--dest-tls-verify=false"}
	if out, err := c.run(t, "wrong", "skopeo", "login", "--tls-verify=false", "--authfile", authfile, "-u", "AWS", "--password-stdin", c.registry.Host); err == nil {
		t.Errorf("a wrong password: %s", out)
	}
	c.must(t, c.registry.Password, "skopeo", "login", "--tls-verify=false", "--authfile", authfile, "-u", "AWS", "--password-stdin", c.registry.Host)
	c.must(t, "", "skopeo", append(append([]string{"copy", "--preserve-digests"}, tls...), "oci:"+c.layout, "docker://"+c.ref("skopeo:v1"))...)
	c.holds(t, "skopeo", "v1", c.digest.String())
	if got := c.must(t, "", "skopeo", "inspect", "--tls-verify=false", "--authfile", authfile, "--format", "{{.Digest}} {{.Architecture}}", "docker://"+c.ref("skopeo:v1")); got != c.digest.String()+" amd64" {
		t.Errorf("inspect: %s, want %s", got, c.digest)
	}
	// From one repository to another: the layers are mounted.
	c.must(t, "", "skopeo", append(append([]string{"copy", "--src-tls-verify=false"}, tls...), "docker://"+c.ref("skopeo:v1"), "docker://"+c.ref("other:mounted"))...)
	c.holds(t, "other", "mounted", c.digest.String())
	pulled := filepath.Join(c.dir, "pulled")
	c.must(t, "", "skopeo", "copy", "--authfile", authfile, "--src-tls-verify=false", "docker://"+c.ref("skopeo:v1"), "dir:"+pulled)
	if got := c.must(t, "", "skopeo", "manifest-digest", filepath.Join(pulled, "manifest.json")); got != c.digest.String() {
		t.Errorf("pulled %s, want %s", got, c.digest)
	}
	c.must(t, "", "skopeo", "delete", "--authfile", authfile, "--tls-verify=false", "docker://"+c.ref("skopeo:v1"))
	c.holds(t, "skopeo", "v1", "")
}

// dockerEngine builds an image, pushes and pulls it with a Docker Engine of the test's own.
func (c *counter) dockerEngine(t *testing.T) {
	daemon, err := rehearsal.StartDockerd(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := daemon.Stop(); err != nil {
			t.Error(err)
		}
	})
	c.docker = daemon.Host
	if out, err := c.run(t, "wrong", "docker", "login", "--username", "AWS", "--password-stdin", c.registry.Host); err == nil {
		t.Errorf("a wrong password: %s", out)
	}
	if out := c.must(t, c.registry.Password, "docker", "login", "--username", "AWS", "--password-stdin", c.registry.Host); !strings.Contains(out, "Login Succeeded") {
		t.Errorf("login: %s", out)
	}
	archive := filepath.Join(c.dir, "image.tar")
	c.must(t, "", c.craneProgram(t), "pull", c.ref("crane:v1"), archive)
	c.must(t, "", "docker", "load", "--input", archive)
	c.must(t, "", "docker", "tag", c.ref("crane:v1"), c.ref("docker:v1"))
	c.must(t, "", "docker", "push", c.ref("docker:v1"))
	images, err := c.cloud.ECR.DescribeImages(t.Context(), &ecr.DescribeImagesInput{RepositoryName: new("docker")})
	if err != nil || len(images.ImageDetails) != 1 {
		t.Fatalf("%d images, %v", len(images.ImageDetails), err)
	}
	digest := *images.ImageDetails[0].ImageDigest
	id := c.must(t, "", "docker", "image", "inspect", "--format", "{{.Id}}", c.ref("docker:v1"))
	c.must(t, "", "docker", "image", "rm", "--force", id)
	c.must(t, "", "docker", "pull", c.ref("docker@"+digest))
	if got := c.must(t, "", "docker", "image", "inspect", "--format", "{{.Id}} {{index .RepoDigests 0}}", c.ref("docker@"+digest)); got != id+" "+c.ref("docker@"+digest) {
		t.Errorf("pulled %s, want %s of %s", got, id, digest)
	}
	c.must(t, "", "docker", "tag", c.ref("docker@"+digest), c.ref("missing:v1"))
	if out, err := c.run(t, "", "docker", "push", c.ref("missing:v1")); err == nil || !strings.Contains(out, "The repository with name 'missing' does not exist") {
		t.Errorf("pushed to a repository that is not there: %v, %s", err, out)
	}
	c.must(t, "", "docker", "logout", c.registry.Host)
	if out, err := c.run(t, "", "docker", "pull", c.ref("docker:v1")); err == nil || !strings.Contains(out, "no basic auth credentials") {
		t.Errorf("pulled without a login: %v, %s", err, out)
	}
}
