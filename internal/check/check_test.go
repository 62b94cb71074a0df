package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	accountID = "123456789012"
	awsHost   = accountID + ".dkr.ecr.us-east-1.amazonaws.com"
	localURL  = "http://127.0.0.1:4566"
)

// world is a registry, an orchestrator and an account that answer from fields. What would change anything is not
// implemented: calling it panics.
type world struct {
	release.Registry
	release.Orchestrator
	account

	identityErr error
	host        string
	hostErr     error
	image       release.Image
	imageErr    error
	running     map[string][]release.Task // by service
	runningErr  error
	services    map[string]release.Service
	serviceErr  map[string]error
	preview     release.Service
	previewErr  error
}

func (w *world) Account(context.Context) (string, error) { return accountID, w.identityErr }

func (w *world) Host(context.Context) (string, error) { return w.host, w.hostErr }

func (w *world) Image(context.Context, string, string) (release.Image, error) {
	return w.image, w.imageErr
}

func (w *world) Running(_ context.Context, _, service string) ([]release.Task, error) {
	return w.running[service], w.runningErr
}

func (w *world) Service(_ context.Context, cluster, name string) (release.Service, error) {
	if err := w.serviceErr[name]; err != nil {
		return release.Service{}, err
	}
	s, ok := w.services[name]
	if !ok {
		return release.Service{}, fmt.Errorf("service %s/%s: %w", cluster, name, release.ErrNotFound)
	}
	return s, nil
}

func (w *world) Preview(release.Definition) (release.Service, error) { return w.preview, w.previewErr }

// sound is a service with nothing wrong.
func sound() release.Service {
	return release.Service{
		Name: "web", Cluster: "shop", Status: "ACTIVE", Desired: 2, Running: 2, Controller: "ECS", DeploymentStrategy: "ROLLING",
		MinimumHealthyPercent: 100, MaximumPercent: 200, Breaker: true, BreakerRollback: true, LoadBalanced: true,
		TaskDefinition: release.TaskDefinition{
			ARN: "arn:aws:ecs:us-east-1:123456789012:task-definition/web:3", Family: "web", Revision: 3, Architecture: "X86_64", OS: "LINUX",
			Containers: []release.ContainerDefinition{
				{Name: "proxy", Image: "nginx:1", Essential: true},
				{Name: "app", Image: awsHost + "/shop:latest", Essential: true, HealthCheck: true, LogDriver: "awslogs", LogGroup: "/ecs/web", LogPrefix: "web"},
			},
		},
	}
}

func soundWorld() *world {
	return &world{host: awsHost, services: map[string]release.Service{"web": sound()}, serviceErr: map[string]error{}, account: soundAccount()}
}

func request() release.CheckRequest {
	return release.CheckRequest{
		Target: release.Target{
			Name: "production", Region: "us-east-1", Cluster: "shop", Services: []string{"web"}, Repository: "shop", Tag: "latest",
			Strategy: release.StrategyLatest, Timeout: 15 * time.Minute,
		},
		Platforms: []string{"linux/amd64"},
	}
}

// localRequest is the same on local AWS.
func localRequest() release.CheckRequest {
	req := request()
	req.Target.Name, req.Target.Local, req.Target.Endpoint = "local", true, localURL
	return req
}

func (w *world) checker() *Checker {
	return New(Ports{Registry: w, Orchestrator: w, Cloud: w, Now: func() time.Time { return noon }})
}

func check(t *testing.T, w *world, req release.CheckRequest) []release.Finding {
	t.Helper()
	findings, err := w.checker().Check(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if f.Code == "" || f.Severity == "" || f.Where == "" || f.Problem == "" || f.Why == "" || f.Cure == "" {
			t.Errorf("incomplete: %+v", f)
		}
	}
	return findings
}

// expect checks a world and wants these codes; the first finding's problem and cure have these texts in them.
func expect(t *testing.T, w *world, req release.CheckRequest, want []string, problem, cure string) {
	t.Helper()
	findings := check(t, w, req)
	if diff := cmp.Diff(want, codes(findings)); diff != "" {
		t.Fatalf("codes (-want +got):\n%s\n%+v", diff, findings)
	}
	if len(findings) > 0 && (!strings.Contains(findings[0].Problem, problem) || !strings.Contains(findings[0].Cure, cure)) {
		t.Errorf("problem %s\ncure %s\nwant %q, %q", findings[0].Problem, findings[0].Cure, problem, cure)
	}
}

func codes(findings []release.Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, f.Code)
	}
	return all
}

func TestSound(t *testing.T) {
	for name, req := range map[string]release.CheckRequest{"aws": request(), "local": localRequest()} {
		w := soundWorld()
		w.imageErr = fmt.Errorf("repository shop: %w", release.ErrNotFound) // the first release ever
		if findings := check(t, w, req); len(findings) != 0 {
			t.Errorf("%s: %+v", name, findings)
		}
	}
}

// TestService changes one thing of a sound service at a time.
func TestService(t *testing.T) {
	type service = release.Service
	for name, tc := range map[string]struct {
		change func(s *service)
		req    func(r *release.CheckRequest)
		want   []string
		cure   string
	}{
		"draining":              {change: func(s *service) { s.Status = "DRAINING" }, want: []string{"MD006"}, cure: "aws ecs create-service"},
		"inactive":              {change: func(s *service) { s.Status = "INACTIVE" }, want: []string{"MD006"}},
		"codedeploy":            {change: func(s *service) { s.Controller = "CODE_DEPLOY" }, want: []string{"MD007"}, cure: "--deployment-controller type=ECS"},
		"no controller named":   {change: func(s *service) { s.Controller = "" }},
		"desired 0":             {change: func(s *service) { s.Desired = 0 }, want: []string{"MD015"}, cure: "--desired-count 1 --region us-east-1"},
		"breaker off":           {change: func(s *service) { s.Breaker, s.BreakerRollback = false, false }, want: []string{"MD017"}, cure: "maximumPercent=200,deploymentCircuitBreaker={enable=true,rollback=true}"},
		"breaker, no rollback":  {change: func(s *service) { s.BreakerRollback = false }, want: []string{"MD018"}},
		"breaker of blue/green": {change: func(s *service) { s.Breaker, s.DeploymentStrategy = false, "BLUE_GREEN" }, want: []string{"MD028"}},
		"in flight":             {change: func(s *service) { s.DeploymentInFlight, s.CurrentDeployment = true, "arn:d" }, want: []string{"MD019"}, cure: "aws ecs wait services-stable"},
		"no health at all":      {change: func(s *service) { s.LoadBalanced = false; s.TaskDefinition.Containers[1].HealthCheck = false }, want: []string{"MD020"}},
		"health check alone":    {change: func(s *service) { s.LoadBalanced = false }},
		"bounds stuck":          {change: func(s *service) { s.Desired, s.MaximumPercent = 1, 100 }, want: []string{"MD013"}, cure: "minimumHealthyPercent=100,maximumPercent=200"},
		"blue/green on aws":     {change: func(s *service) { s.DeploymentStrategy, s.Bake = "BLUE_GREEN", 5*time.Minute }, want: []string{"MD028"}, cure: "timeout (15m)"},
		"baked for too long":    {change: func(s *service) { s.DeploymentStrategy, s.Bake = "CANARY", 15*time.Minute }, want: []string{"MD029"}, cure: "timeout: 30m"},
		"version consistency":   {change: func(s *service) { s.TaskDefinition.Containers[1].VersionConsistency = "disabled" }, want: []string{"MD016"}},
		"of a sidecar":          {change: func(s *service) { s.TaskDefinition.Containers[0].VersionConsistency = "disabled" }},
		"arm tasks":             {change: func(s *service) { s.TaskDefinition.Architecture = "ARM64" }, want: []string{"MD012"}, cure: "image.platforms: [linux/arm64]"},
		"arm tasks, both built": {change: func(s *service) { s.TaskDefinition.Architecture = "ARM64" }, req: func(r *release.CheckRequest) { r.Platforms = []string{"linux/amd64", "linux/arm64/v8"} }},
		"amd64 tasks of an index": {req: func(r *release.CheckRequest) {
			r.Platforms = []string{"unknown/unknown", "linux/arm64", "linux/amd64", "unknown/unknown"}
		}},
		"an index without it":    {req: func(r *release.CheckRequest) { r.Platforms = []string{"linux/arm64", "linux/s390x"} }, want: []string{"MD012"}, cure: "image.platforms: [linux/amd64]"},
		"windows tasks":          {change: func(s *service) { s.TaskDefinition.OS = "WINDOWS_SERVER_2022_CORE" }, want: []string{"MD012"}},
		"default platform":       {change: func(s *service) { s.TaskDefinition.Architecture, s.TaskDefinition.OS = "", "" }},
		"platforms unknown":      {req: func(r *release.CheckRequest) { r.Platforms = nil }},
		"many at once, in order": {change: func(s *service) { *s = service{Status: "ACTIVE", MaximumPercent: 200, DeploymentInFlight: true} }, want: []string{"MD009", "MD015", "MD017", "MD019", "MD020"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), request()
			if tc.change != nil {
				s := sound()
				tc.change(&s)
				w.services["web"] = s
			}
			if tc.req != nil {
				tc.req(&req)
			}
			expect(t, w, req, tc.want, "", tc.cure)
		})
	}
}

func TestReference(t *testing.T) {
	otherAccount := "999999999999.dkr.ecr.us-east-1.amazonaws.com"
	for name, tc := range map[string]struct {
		image   string
		local   bool
		pinned  bool
		host    string // of the registry; empty: awsHost
		want    string
		problem string
	}{
		"the tag":                     {image: awsHost + "/shop:latest"},
		"no tag means latest":         {image: awsHost + "/shop"},
		"dual-stack host":             {image: accountID + ".dkr-ecr.us-east-1.on.aws/shop:latest"},
		"fips host":                   {image: accountID + ".dkr.ecr-fips.us-east-1.amazonaws.com/shop:latest"},
		"another tag":                 {image: awsHost + "/shop:v1", want: "MD011", problem: "shop:v1"},
		"digest":                      {image: awsHost + "/shop@sha256:abc", want: "MD010", problem: "sha256:abc"},
		"tag and digest":              {image: awsHost + "/shop:latest@sha256:abc", want: "MD010"},
		"another repository":          {image: awsHost + "/store:latest", want: "MD009", problem: "it uses: nginx:1, " + awsHost + "/store:latest"},
		"a longer name":               {image: awsHost + "/team/shop:latest", want: "MD009"},
		"another account":             {image: otherAccount + "/shop:latest", want: "MD009", problem: "another registry's"},
		"another region":              {image: accountID + ".dkr.ecr.eu-west-1.amazonaws.com/shop:latest", want: "MD009"},
		"docker hub":                  {image: "shop:latest", want: "MD009", problem: "another registry's"},
		"not quite ecr":               {image: awsHost + ".evil.example/shop:latest", want: "MD009"},
		"pinned, another tag":         {image: awsHost + "/shop:v1", pinned: true},
		"pinned, digest":              {image: awsHost + "/shop@sha256:abc", pinned: true},
		"pinned, another repository":  {image: awsHost + "/store:latest", pinned: true, want: "MD009"},
		"local: any ecr host":         {image: otherAccount + "/shop:latest", local: true},
		"local: its own host":         {image: "127.0.0.1:4566/shop:latest", local: true},
		"local: no ecr host":          {image: "ghcr.io/shop:latest", local: true, want: "MD009"},
		"local: another tag":          {image: otherAccount + "/shop:v2", local: true, want: "MD011"},
		"a registry with a port":      {image: "registry.example:5000/shop:latest", host: "registry.example:5000"},
		"the configured registry":     {image: otherAccount + "/shop:latest", host: otherAccount},
		"not the configured registry": {image: awsHost + "/shop:latest", host: otherAccount, want: "MD009"},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), request()
			if tc.local {
				req = localRequest()
				w.host = "127.0.0.1:4566"
			}
			if tc.host != "" {
				w.host = tc.host
			}
			if tc.pinned {
				req.Target.Strategy = release.StrategyPinned
			}
			s := sound()
			s.TaskDefinition.Containers[1].Image = tc.image
			w.services["web"] = s
			findings := check(t, w, req)
			if got := strings.Join(codes(findings), " "); got != tc.want {
				t.Fatalf("codes = %q, want %q: %+v", got, tc.want, findings)
			}
			if len(findings) > 0 && !strings.Contains(findings[0].Problem, tc.problem) {
				t.Errorf("problem = %s, want %q in it", findings[0].Problem, tc.problem)
			}
		})
	}
}

// TestReferenceOfUnknownRegistry: when the registry cannot be asked, the account's own counts.
func TestReferenceOfUnknownRegistry(t *testing.T) {
	w := soundWorld()
	w.host, w.hostErr = "", errors.New("boom")
	if got := codes(check(t, w, request())); !cmp.Equal(got, []string{"MD004"}) {
		t.Errorf("codes = %v", got)
	}
	s := sound()
	s.TaskDefinition.Containers[1].Image = "999999999999.dkr.ecr.us-east-1.amazonaws.com/shop:latest"
	w.services["web"] = s
	if got := codes(check(t, w, request())); !cmp.Equal(got, []string{"MD004", "MD009"}) {
		t.Errorf("codes = %v", got)
	}
}

func TestBounds(t *testing.T) {
	for _, tc := range []struct {
		desired, minimum, maximum int
		least, most               int
		stuck                     bool
	}{
		{1, 100, 200, 1, 2, false},
		{1, 100, 100, 1, 1, true},
		{1, 0, 100, 0, 1, false},
		{1, 50, 150, 1, 1, true}, // 0.5 rounds up, 1.5 down
		{1, 1, 100, 1, 1, true},
		{2, 100, 100, 2, 2, true},
		{2, 50, 100, 1, 2, false},
		{2, 75, 100, 2, 2, true},
		{2, 51, 149, 2, 2, true},
		{2, 100, 150, 2, 3, false},
		{3, 100, 120, 3, 3, true},
		{4, 100, 125, 4, 5, false},
		{4, 80, 100, 4, 4, true},
		{10, 90, 109, 9, 10, false},
		{0, 100, 100, 0, 0, false}, // nothing to replace
	} {
		least, most := bounds(tc.desired, tc.minimum, tc.maximum)
		if least != tc.least || most != tc.most || stuck(tc.desired, least, most) != tc.stuck {
			t.Errorf("desired %d, %d/%d: %d to %d, stuck %v; want %d to %d, %v",
				tc.desired, tc.minimum, tc.maximum, least, most, stuck(tc.desired, least, most), tc.least, tc.most, tc.stuck)
		}
	}
}

// apiError is an error of AWS as the SDK has it.
type apiError string

func (e apiError) Error() string     { return "api error " + string(e) }
func (e apiError) ErrorCode() string { return string(e) }

func refused() error {
	return &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
}

func TestAccess(t *testing.T) {
	denied, expired := apiError("AccessDeniedException"), fmt.Errorf("sts: %w", apiError("ExpiredToken"))
	for name, tc := range map[string]struct {
		change func(w *world)
		local  bool
		want   []string
		cure   string
	}{
		"no credentials": {func(w *world) {
			w.identityErr = errors.New("operation error STS: get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found")
			w.hostErr, w.serviceErr["web"] = w.identityErr, w.identityErr
		}, false, []string{"MD001"}, "aws sso login"},
		"expired":                         {func(w *world) { w.identityErr, w.imageErr, w.serviceErr["web"] = expired, expired, expired }, false, []string{"MD001"}, "aws sts get-caller-identity --region us-east-1"},
		"expired on the way":              {func(w *world) { w.serviceErr["web"] = expired }, false, []string{"MD001"}, ""},
		"local AWS is down":               {func(w *world) { w.identityErr, w.hostErr, w.serviceErr["web"] = refused(), refused(), refused() }, true, []string{"MD002"}, "medusa-deploy local up"},
		"no network":                      {func(w *world) { w.identityErr = &net.DNSError{Err: "no such host"} }, false, []string{"MD002"}, "region us-east-1"},
		"timeout":                         {func(w *world) { w.imageErr = fmt.Errorf("ecr: %w", context.DeadlineExceeded) }, false, []string{"MD002"}, ""},
		"denied":                          {func(w *world) { w.imageErr, w.serviceErr["web"] = denied, denied }, false, []string{"MD003"}, "IAM policy"},
		"something else":                  {func(w *world) { w.imageErr = apiError("ServerException") }, false, []string{"MD004"}, "try again"},
		"different causes":                {func(w *world) { w.identityErr, w.imageErr, w.serviceErr["web"] = denied, refused(), errors.New("boom") }, false, []string{"MD002", "MD003", "MD004"}, ""},
		"the registry hides no service":   {func(w *world) { w.hostErr = refused(); delete(w.services, "web") }, false, []string{"MD002", "MD005"}, ""},
		"the identity hides no service":   {func(w *world) { w.identityErr = denied; delete(w.services, "web") }, false, []string{"MD003", "MD005"}, ""},
		"no service on aws":               {func(w *world) { delete(w.services, "web") }, false, []string{"MD005"}, "aws ecs list-services --cluster shop --region us-east-1"},
		"no service, nothing to make one": {func(w *world) { delete(w.services, "web") }, true, []string{"MD005"}, "ecs/service.json"},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), request()
			if tc.local {
				req = localRequest()
			}
			tc.change(w)
			findings := check(t, w, req)
			if diff := cmp.Diff(tc.want, codes(findings)); diff != "" {
				t.Fatalf("codes (-want +got):\n%s", diff)
			}
			if !strings.Contains(findings[0].Cure, tc.cure) {
				t.Errorf("cure = %s, want %q in it", findings[0].Cure, tc.cure)
			}
		})
	}
}

func TestDeniedIsUnknown(t *testing.T) {
	w := soundWorld()
	w.serviceErr["web"] = apiError("AccessDeniedException")
	findings := check(t, w, request())
	if len(findings) != 1 || findings[0].Severity != release.SeverityUnknown {
		t.Errorf("findings = %+v, want one that is unknown", findings)
	}
}

// TestDefinition: a service that its files will make is judged as they would make it, and the files are named.
func TestDefinition(t *testing.T) {
	definition := release.Definition{TaskDefinitionPath: "ecs/task-definition.json", TaskDefinition: []byte("{}"), ServicePath: "ecs/service.json", Service: []byte("{}")}
	for name, tc := range map[string]struct {
		change func(w *world)
		want   []string
		where  string
		cure   string
	}{
		"sound":      {func(*world) {}, nil, "", ""},
		"stuck":      {func(w *world) { w.preview.MaximumPercent = 100 }, []string{"MD013"}, "ecs/service.json", "set deploymentConfiguration.maximumPercent to 200 in ecs/service.json"},
		"blue/green": {func(w *world) { w.preview.DeploymentStrategy = "BLUE_GREEN" }, []string{"MD014"}, "ecs/service.json", `to "ROLLING" in ecs/service.json`},
		"another tag": {func(w *world) { w.preview.TaskDefinition.Containers[1].Image = awsHost + "/shop:v1" }, []string{"MD011"}, "ecs/task-definition.json",
			"set the image to 123456789012.dkr.ecr.us-east-1.amazonaws.com/shop:latest in ecs/task-definition.json"},
		"unusable":     {func(w *world) { w.previewErr = errors.New("ecs/service.json: serviceName is missing") }, []string{"MD008"}, "ecs/task-definition.json, ecs/service.json", "correct"},
		"exists":       {func(w *world) { w.services["web"] = sound(); w.previewErr = errors.New("not to be asked for") }, nil, "", ""},
		"cannot exist": {func(w *world) { w.serviceErr["web"] = refused() }, []string{"MD002"}, "service shop/web", "local up"},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), localRequest()
			delete(w.services, "web")
			w.preview = sound()
			w.preview.Status = ""
			req.Target.Definitions = map[string]release.Definition{"web": definition}
			tc.change(w)
			findings := check(t, w, req)
			if diff := cmp.Diff(tc.want, codes(findings)); diff != "" {
				t.Fatalf("codes (-want +got):\n%s", diff)
			}
			if len(findings) > 0 && (findings[0].Where != tc.where || !strings.Contains(findings[0].Cure, tc.cure)) {
				t.Errorf("where %q, cure %q; want %q, %q", findings[0].Where, findings[0].Cure, tc.where, tc.cure)
			}
		})
	}
}

// TestSeveralServices: findings come in the target's order, whatever answers first.
func TestSeveralServices(t *testing.T) {
	w, req := soundWorld(), request()
	req.Target.Services = []string{"worker", "web", "absent"}
	idle := sound()
	idle.Desired = 0
	w.services["worker"] = idle
	findings := check(t, w, req)
	var got []string
	for _, f := range findings {
		got = append(got, f.Code+" "+f.Where)
	}
	if diff := cmp.Diff([]string{"MD015 service shop/worker", "MD005 service shop/absent"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w := soundWorld()
	if _, err := w.checker().Check(ctx, request()); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want context.Canceled", err)
	}
}

func TestParseReference(t *testing.T) {
	for image, want := range map[string]reference{
		"nginx":                       {"", "nginx", "latest", ""},
		"library/nginx:1":             {"", "library/nginx", "1", ""},
		"localhost/shop":              {"localhost", "shop", "latest", ""},
		"host:5000/a/b":               {"host:5000", "a/b", "latest", ""},
		"host:5000/a/b:v1":            {"host:5000", "a/b", "v1", ""},
		"host.example/a@sha256:12":    {"host.example", "a", "", "sha256:12"},
		"host.example/a:v1@sha256:12": {"host.example", "a", "v1", "sha256:12"},
		"":                            {"", "", "latest", ""},
	} {
		if got := parseReference(image); got != want {
			t.Errorf("parseReference(%q) = %+v, want %+v", image, got, want)
		}
	}
}

func FuzzParseReference(f *testing.F) {
	for _, seed := range []string{"nginx", "host:5000/a/b:v1@sha256:12", "a/b", "::", "@", "/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, image string) {
		r := parseReference(image)
		if r.tag == "" && r.digest == "" {
			t.Errorf("parseReference(%q) = %+v has neither tag nor digest", image, r)
		}
		for _, part := range []string{r.host, r.name, r.digest} {
			if !strings.Contains(image, part) {
				t.Errorf("parseReference(%q) = %+v made %q up", image, r, part)
			}
		}
	})
}
