package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// App says how the example is deployed under a name of its own, so that many of them share one local AWS.
type App struct {
	Name     string // of its cluster, service, task definition, repository and log group
	Binary   string // the program that the image holds; it understands the example's -check
	Strategy string // latest | pinned
	Tasks    int
	Breaker  bool          // the circuit breaker, with rollback
	Settle   time.Duration // how long every task must have run before a rollout is green; 0: as the program has it
	// Task and Service change the task definition and the service; nil: nothing to change.
	Task, Service func(object map[string]any)
}

// checkTimeout is how many seconds a container's health check may take: with many containers on a small machine it is the
// machine that is slow, and not the app that is ill.
const checkTimeout = 30

// Compile builds a Go program for the containers of an architecture (amd64, arm64).
func Compile(ctx context.Context, dir, architecture, out string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", out, ".")
	command.Dir = dir
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+architecture, "GOFLAGS=", "GOWORK=off")
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s for %s: %w\n%s", dir, architecture, err, output)
	}
	return nil
}

// Plant makes an app from example beside the stage's own, on the same local AWS: a work tree of its own with one commit.
// Closing the stage closes it as well.
func (s *Stage) Plant(example string, app App) (*Stage, error) {
	planted := *s
	planted.App = filepath.Join(s.Dir, app.Name)
	if err := planted.plant(example); err != nil {
		return nil, err
	}
	err := errors.Join(
		planted.Write("medusa-deploy.yaml", []byte(app.config())),
		planted.Rewrite("ecs/task-definition.json", app.taskDefinition),
		planted.Rewrite("ecs/service.json", app.service),
		CopyProgram(app.Binary, planted.Path("bin/hello")),
	)
	if err != nil {
		return nil, fmt.Errorf("plant %s: %w", app.Name, err)
	}
	_, err = planted.Commit("name it " + app.Name)
	return &planted, err
}

// Path is where one of the app's files is.
func (s *Stage) Path(file string) string { return filepath.Join(s.App, file) }

// config leaves image.prepare out: the program is compiled already.
func (a App) config() string {
	text := fmt.Sprintf("app: %[1]s\nimage:\n  repository: %[1]s\n  platforms: [linux/amd64]\ntargets:\n  local:\n    cluster: %[1]s\n    services: [%[1]s]\n    strategy: %[2]s\n    timeout: 5m\n", a.Name, a.Strategy)
	if a.Settle > 0 {
		text += fmt.Sprintf("    settle: %s\n", a.Settle)
	}
	return text
}

func (a App) taskDefinition(task map[string]any) error {
	containers, _ := task["containerDefinitions"].([]any)
	if len(containers) != 1 {
		return errors.New("expected one container")
	}
	main, _ := containers[0].(map[string]any)
	log, _ := main["logConfiguration"].(map[string]any)
	options, _ := log["options"].(map[string]any)
	check, _ := main["healthCheck"].(map[string]any)
	if options == nil || check == nil {
		return errors.New("expected a container with a healthCheck, and a logConfiguration that has options")
	}
	task["family"] = a.Name
	main["image"] = "000000000000.dkr.ecr.us-east-1.amazonaws.com/" + a.Name + ":latest"
	check["timeout"] = checkTimeout
	options["awslogs-group"] = "/ecs/" + a.Name
	if a.Task != nil {
		a.Task(task)
	}
	return nil
}

func (a App) service(service map[string]any) error {
	balancers, _ := service["loadBalancers"].([]any)
	deployment, _ := service["deploymentConfiguration"].(map[string]any)
	if len(balancers) != 1 || deployment == nil {
		return errors.New("expected one load balancer and a deploymentConfiguration")
	}
	balancer, ok := balancers[0].(map[string]any)
	if !ok {
		return errors.New("expected a load balancer with a target group")
	}
	service["cluster"], service["serviceName"], service["taskDefinition"], service["desiredCount"] = a.Name, a.Name, a.Name, a.Tasks
	balancer["targetGroupArn"] = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/" + a.Name + "/0123456789abcdef"
	deployment["deploymentCircuitBreaker"] = map[string]bool{"enable": a.Breaker, "rollback": a.Breaker}
	if a.Service != nil {
		a.Service(service)
	}
	return nil
}

// Rewrite changes one of the app's JSON files.
func (s *Stage) Rewrite(file string, change func(object map[string]any) error) error {
	text, err := s.Read(file)
	if err != nil {
		return err
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := change(object); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(object); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return s.Write(file, out.Bytes())
}

// CopyProgram copies an executable file; its directory is made where it is missing.
func CopyProgram(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	_, err = io.Copy(target, source)
	return err
}
