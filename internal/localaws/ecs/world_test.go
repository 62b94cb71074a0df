package ecs

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsecs "github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine/simulated"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

const (
	testRegion = "us-east-1"
	testGroup  = "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/web/0123456789abcdef"
)

// world is a Backend with all that it reaches in memory, in a bubble of fake time.
type world struct {
	testing.TB
	ctx      context.Context
	store    *store.Store
	engine   *auditedEngine
	images   *fakeImages
	balancer *fakeBalancer
	logs     *fakeLogs
	secrets  *fakeSecrets
	dir      string
	b        *Backend
	stop     context.CancelFunc
	done     chan error
}

// inWorld runs a test with a Backend that acts.
func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		defer func() { // also when the test gave up: no goroutine may be left in the bubble
			w.stop()
			if err := errors.Join(<-w.done, w.engine.Close(), w.store.Close()); err != nil {
				t.Error(err)
			}
		}()
		test(w)
	})
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{TB: t, ctx: wire.WithCaller(t.Context(), wire.Caller{Region: testRegion}), dir: t.TempDir()}
	var err error
	if w.store, err = store.Open(filepath.Join(w.dir, "state.db")); err != nil {
		t.Fatal(err)
	}
	w.images = &fakeImages{tags: map[string]string{}, gone: map[string]bool{}, behaviours: map[string]simulated.Behaviour{}}
	w.balancer = &fakeBalancer{groups: map[string]map[string]time.Time{}}
	w.logs = &fakeLogs{groups: map[string]bool{}, lines: map[string][]string{}}
	w.secrets = &fakeSecrets{secrets: map[string]map[SecretQuery]string{}, parameters: map[string]map[string]string{}}
	w.engine = &auditedEngine{Engine: simulated.New(w.images.script), starts: map[string]int{}, specs: map[string]engine.ContainerSpec{}}
	return w
}

// start makes a Backend on the world's store and engine, and runs it.
func (w *world) start() {
	w.Helper()
	b, err := New(Config{Store: w.store, Engine: w.engine, Images: w.images, LoadBalancer: w.balancer, Logs: w.logs, Secrets: w.secrets})
	w.check(err)
	w.b = b
	ctx, cancel := context.WithCancel(context.Background())
	w.stop, w.done = cancel, make(chan error, 1)
	go func() { w.done <- b.Run(ctx) }()
	synctest.Wait()
	_, err = b.CreateCluster(w.ctx, &awsecs.CreateClusterInput{})
	w.check(err)
}

// halt ends the Backend; the containers run on.
func (w *world) halt() {
	w.Helper()
	w.stop()
	w.check(<-w.done)
}

func (w *world) check(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// until waits for a condition, looking every 10 ms, at most for limit of fake time. It returns how long it took.
func (w *world) until(what string, limit time.Duration, holds func() bool) time.Duration {
	w.Helper()
	begun := time.Now()
	for {
		synctest.Wait()
		if holds() {
			return time.Since(begun)
		}
		if time.Since(begun) > limit {
			s := w.describe()
			w.Fatalf("after %v: %s does not hold; running %d, pending %d, events %v", limit, what, s.RunningCount, s.PendingCount, messages(s))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// container is a container with a health check, so that its task counts as soon as it is healthy.
func container(name, image string) types.ContainerDefinition {
	return types.ContainerDefinition{
		Name: &name, Image: &image, Memory: aws.Int32(64),
		HealthCheck:  &types.HealthCheck{Command: []string{"CMD", "/health"}, Interval: aws.Int32(5), Timeout: aws.Int32(2), Retries: aws.Int32(2)},
		PortMappings: []types.PortMapping{{ContainerPort: aws.Int32(80)}},
	}
}

// register makes a revision of the family "web".
func (w *world) register(containers ...types.ContainerDefinition) string {
	w.Helper()
	out, err := w.b.RegisterTaskDefinition(w.ctx, &awsecs.RegisterTaskDefinitionInput{Family: aws.String("web"), ContainerDefinitions: containers, ExecutionRoleArn: aws.String("arn:aws:iam::000000000000:role/ecsTaskExecutionRole")})
	w.check(err)
	return *out.TaskDefinition.TaskDefinitionArn
}

// create makes the service "web" of the newest revision of its family, with percentages and a breaker that rolls back.
func (w *world) create(desired int, change func(*awsecs.CreateServiceInput)) types.Service {
	w.Helper()
	in := &awsecs.CreateServiceInput{ServiceName: aws.String("web"), TaskDefinition: aws.String("web"), DesiredCount: aws.Int32(int32(desired))}
	in.DeploymentConfiguration = &types.DeploymentConfiguration{DeploymentCircuitBreaker: &types.DeploymentCircuitBreaker{Enable: true, Rollback: true}}
	if change != nil {
		change(in)
	}
	out, err := w.b.CreateService(w.ctx, in)
	w.check(err)
	return *out.Service
}

// steady makes a service and waits until it is steady.
func (w *world) steady(desired int, change func(*awsecs.CreateServiceInput)) types.Service {
	w.Helper()
	s := w.create(desired, change)
	w.outcome(*s.CurrentServiceDeployment, types.ServiceDeploymentStatusSuccessful, 5*time.Minute)
	time.Sleep(time.Second) // what comes next is later
	return w.describe()
}

// v1 is a steady service of two healthy tasks of the image app:latest, digest v1.
func (w *world) v1(change func(*awsecs.CreateServiceInput)) types.Service {
	w.Helper()
	w.images.push("v1", simulated.Behaviour{})
	w.register(container("app", "app:latest"))
	return w.steady(2, change)
}

// force starts a new deployment and returns its ARN.
func (w *world) force() string {
	w.Helper()
	return w.update(&awsecs.UpdateServiceInput{ForceNewDeployment: true})
}

func (w *world) update(in *awsecs.UpdateServiceInput) string {
	w.Helper()
	in.Service = aws.String("web")
	out, err := w.b.UpdateService(w.ctx, in)
	w.check(err)
	return *out.Service.CurrentServiceDeployment
}

func (w *world) describe() types.Service {
	w.Helper()
	out, err := w.b.DescribeServices(w.ctx, &awsecs.DescribeServicesInput{Services: []string{"web"}})
	w.check(err)
	if len(out.Services) != 1 {
		return types.Service{}
	}
	return out.Services[0]
}

func (w *world) deployment(arn string) types.ServiceDeployment {
	w.Helper()
	out, err := w.b.DescribeServiceDeployments(w.ctx, &awsecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{arn}})
	w.check(err)
	return out.ServiceDeployments[0]
}

// outcome waits for a deployment's end and wants it to be status.
func (w *world) outcome(arn string, status types.ServiceDeploymentStatus, limit time.Duration) time.Duration {
	w.Helper()
	took := w.until(string(status), limit, func() bool { return w.deployment(arn).FinishedAt != nil })
	if d := w.deployment(arn); d.Status != status {
		w.Fatalf("deployment ended as %s (%s), want %s; events %v", d.Status, aws.ToString(d.StatusReason), status, messages(w.describe()))
	}
	return took
}

// tasks gives the tasks of a desired status, oldest first.
func (w *world) tasks(desired types.DesiredStatus) []types.Task {
	w.Helper()
	listed, err := w.b.ListTasks(w.ctx, &awsecs.ListTasksInput{DesiredStatus: desired})
	w.check(err)
	if len(listed.TaskArns) == 0 {
		return nil
	}
	out, err := w.b.DescribeTasks(w.ctx, &awsecs.DescribeTasksInput{Tasks: listed.TaskArns})
	w.check(err)
	slices.SortFunc(out.Tasks, func(a, b types.Task) int { return a.CreatedAt.Compare(*b.CreatedAt) })
	return out.Tasks
}

func (w *world) task(arn string) types.Task {
	w.Helper()
	out, err := w.b.DescribeTasks(w.ctx, &awsecs.DescribeTasksInput{Tasks: []string{arn}})
	w.check(err)
	if len(out.Tasks) != 1 {
		w.Fatalf("task %s is gone", arn)
	}
	return out.Tasks[0]
}

// stopped waits for a task's end and gives it.
func (w *world) stopped(arn string, limit time.Duration) types.Task {
	w.Helper()
	w.until("stopped", limit, func() bool { return *w.task(arn).LastStatus == statusStopped })
	return w.task(arn)
}

// digests are the image digests of the first containers of the tasks that shall run.
func (w *world) digests() []string {
	w.Helper()
	var all []string
	for _, t := range w.tasks(types.DesiredStatusRunning) {
		all = append(all, aws.ToString(t.Containers[0].ImageDigest))
	}
	return all
}

func (w *world) wantDigests(want ...string) {
	w.Helper()
	if got := w.digests(); !slices.Equal(got, want) {
		w.Errorf("the tasks run %v, want %v", got, want)
	}
}

func arns(tasks []types.Task) []string {
	var all []string
	for _, t := range tasks {
		all = append(all, *t.TaskArn)
	}
	return all
}

func messages(s types.Service) []string {
	var all []string
	for _, e := range s.Events {
		all = append(all, *e.Message)
	}
	return all
}

func (w *world) wantEvent(text string) {
	w.Helper()
	all := messages(w.describe())
	if !slices.ContainsFunc(all, func(m string) bool { return strings.Contains(m, text) }) {
		w.Errorf("no event has %q: %v", text, all)
	}
}

// balanced puts a service behind the test's target group.
func balanced(in *awsecs.CreateServiceInput) {
	in.LoadBalancers = []types.LoadBalancer{{TargetGroupArn: aws.String(testGroup), ContainerName: aws.String("app"), ContainerPort: aws.Int32(80)}}
}

// deep reads all of a value, as an encoder does.
func deep(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}
