package examples

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/config"
)

// copyHello makes a copy of the example that knows nothing of this repository.
func copyHello(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "app")
	if err := os.CopyFS(dir, os.DirFS("hello")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func load(t *testing.T, dir string) *config.Config {
	t.Helper()
	c, err := config.Load(filepath.Join(dir, config.FileName), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// prepare does what a build does before it builds.
func prepare(t *testing.T, c *config.Config) []byte {
	t.Helper()
	command := exec.Command(c.Image.Prepare.Command[0], c.Image.Prepare.Command[1:]...)
	command.Dir = c.Image.Context
	command.Env = os.Environ()
	for name, value := range c.Image.Prepare.Env {
		command.Env = append(command.Env, name+"="+value)
	}
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("prepare: %v\n%s", err, out)
	}
	binary, err := os.ReadFile(filepath.Join(c.Image.Context, "bin", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func TestHelloIsReproducible(t *testing.T) {
	first, second := prepare(t, load(t, copyHello(t))), prepare(t, load(t, copyHello(t)))
	if !bytes.Equal(first, second) {
		t.Error("two copies in different places gave different binaries")
	}
}

func TestHelloPassesItsOwnTests(t *testing.T) {
	dir := copyHello(t)
	for _, args := range [][]string{{"vet", "."}, {"test", "."}} {
		command := exec.Command("go", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}

var listening = regexp.MustCompile(`listening on .*:([0-9]+)$`)

// TestHelloRuns starts the very binary of the image: it answers, finds itself healthy, and ends well on SIGTERM.
func TestHelloRuns(t *testing.T) {
	c := load(t, copyHello(t))
	prepare(t, c)
	binary := filepath.Join(c.Image.Context, "bin", "hello")
	app := exec.Command(binary)
	app.Env = []string{"PORT=0", "COMMIT=0123abc"}
	out, err := app.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = app.Process.Kill() }() // it has ended already when all went well
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal("it said nothing")
	}
	match := listening.FindStringSubmatch(lines.Text())
	if match == nil {
		t.Fatalf("it said %q", lines.Text())
	}
	if body := get(t, "http://127.0.0.1:"+match[1]+"/"); !strings.Contains(body, "\ncommit 0123abc\n") {
		t.Errorf("/ answered %q", body)
	}
	check := exec.Command(binary, "-check")
	check.Env = []string{"PORT=" + match[1]}
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("-check: %v\n%s", err, out)
	}
	if err := app.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() { // to its end, so that Wait loses nothing
	}
	if err := app.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// TestHelloFilesAgree: the names that config, task definition and service share are the same in all of them.
func TestHelloFilesAgree(t *testing.T) {
	c := load(t, "hello")
	target, err := c.Target("")
	if err != nil {
		t.Fatal(err)
	}
	if !target.Local || len(target.Services) != 1 {
		t.Fatalf("target = %+v", target)
	}
	name := target.Services[0]
	rawTask, rawService, err := target.Definitions[name].Read()
	if err != nil {
		t.Fatal(err)
	}
	var task struct {
		Family               string
		ContainerDefinitions []struct {
			Name, Image  string
			PortMappings []struct{ ContainerPort int }
		}
	}
	var service struct {
		Cluster, ServiceName, TaskDefinition string
		LoadBalancers                        []struct {
			ContainerName string
			ContainerPort int
		}
	}
	if err := json.Unmarshal(rawTask, &task); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(rawService, &service); err != nil {
		t.Fatal(err)
	}
	container, balancer := task.ContainerDefinitions[0], service.LoadBalancers[0]
	for what, pair := range map[string][2]any{
		"service":        {service.ServiceName, name},
		"cluster":        {service.Cluster, target.Cluster},
		"family":         {service.TaskDefinition, task.Family},
		"image":          {container.Image, "000000000000.dkr.ecr." + target.Region + ".amazonaws.com/" + c.Image.Repository + ":latest"},
		"container name": {balancer.ContainerName, container.Name},
		"container port": {balancer.ContainerPort, container.PortMappings[0].ContainerPort},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %v and %v", what, pair[0], pair[1])
		}
	}
}
