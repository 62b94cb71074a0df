package check

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	secretARN    = "arn:aws:secretsmanager:us-east-1:123456789012:secret:shop/db-AbCdEf"
	parameterARN = "arn:aws:ssm:us-east-1:123456789012:parameter/shop/jwt"
)

// TestContainer changes one thing of a sound task at a time. The app is container 1, the proxy container 0.
func TestContainer(t *testing.T) {
	type containers = []release.ContainerDefinition
	short, long := 5*time.Second, 60*time.Second
	secret := func(from string) []release.SecretReference {
		return []release.SecretReference{{Name: "DATABASE_URL", From: from}}
	}
	for name, tc := range map[string]struct {
		change  func(c containers)
		service func(s *release.Service)
		world   func(w *world)
		migrate bool
		want    []string
		problem string
		cure    string
	}{
		"a slow start": {change: func(c containers) { c[1].StartPeriod = 90 * time.Second }, want: []string{"MD030"},
			problem: "container app may take 1m30s to start", cure: "--health-check-grace-period-seconds 150"},
		"a slow sidecar":                {change: func(c containers) { c[0].StartPeriod = time.Second }, want: []string{"MD030"}, problem: "container proxy"},
		"a slow start with grace":       {change: func(c containers) { c[1].StartPeriod = 90 * time.Second }, service: func(s *release.Service) { s.GracePeriod = time.Second }},
		"a slow start without balancer": {change: func(c containers) { c[1].StartPeriod = 90 * time.Second }, service: func(s *release.Service) { s.LoadBalanced = false }},

		"app not essential":     {change: func(c containers) { c[1].Essential = false }, want: []string{"MD031"}, problem: "container app", cure: "set essential to true"},
		"sidecar not essential": {change: func(c containers) { c[0].Essential = false }},

		"stopped at once":  {change: func(c containers) { c[1].StopTimeout = &short }, want: []string{"MD032"}, problem: "stopTimeout 5"},
		"given time":       {change: func(c containers) { c[1].StopTimeout = &long }},
		"sidecar is short": {change: func(c containers) { c[0].StopTimeout = &short }},

		"the sidecar's health tells nothing": {change: func(c containers) { c[0].HealthCheck, c[1].HealthCheck = true, false },
			service: func(s *release.Service) { s.LoadBalanced = false }, want: []string{"MD020"}, problem: "container app has no health check"},

		"a secret that is there": {change: func(c containers) { c[1].Secrets = secret(secretARN) }, world: func(w *world) { w.there = append(w.there, secretARN) }},
		"no such secret": {change: func(c containers) { c[1].Secrets = secret(secretARN + ":url::") }, want: []string{"MD033"},
			problem: "DATABASE_URL is to come from " + secretARN + ":url::: it does not exist",
			cure:    "aws secretsmanager create-secret --name shop/db --secret-string file:///dev/stdin --region us-east-1"},
		"no such parameter": {change: func(c containers) { c[1].Secrets = secret("/shop/jwt") }, want: []string{"MD033"},
			cure: "aws ssm put-parameter --name /shop/jwt --type SecureString --value file:///dev/stdin"},
		"no such parameter, by ARN":           {change: func(c containers) { c[1].Secrets = secret(parameterARN) }, want: []string{"MD033"}, cure: "--name /shop/jwt "},
		"no such parameter, by a short ARN":   {change: func(c containers) { c[1].Secrets = secret(strings.Replace(parameterARN, "/shop/jwt", "/jwt", 1)) }, want: []string{"MD033"}, cure: "--name jwt "},
		"another account's parameter":         {change: func(c containers) { c[1].Secrets = secret(strings.Replace(parameterARN, accountID, "999999999999", 1)) }, want: []string{"MD021"}, problem: "it belongs to another account"},
		"the registry's credentials are gone": {change: func(c containers) { c[0].Secrets = []release.SecretReference{{From: secretARN}} }, want: []string{"MD033"}, problem: "the registry's credentials are to come from"},
		"two at once":                         {change: func(c containers) { c[1].Secrets = append(secret("a"), secret("b")...) }, want: []string{"MD033", "MD033"}},
		"secrets cannot be looked at":         {change: func(c containers) { c[1].Secrets = append(secret("a"), secret("b")...) }, world: func(w *world) { w.secretsErr = errors.New("boom") }, want: []string{"MD021"}, problem: "secret a, secret b: boom"},

		"no log group": {change: func(c containers) { c[1].LogGroup = "/ecs/shop" }, want: []string{"MD034"}, problem: "no log group /ecs/shop in us-east-1",
			cure: "aws logs create-log-group --log-group-name /ecs/shop --region us-east-1"},
		"no log group elsewhere":         {change: func(c containers) { c[1].LogGroup, c[1].LogRegion = "/ecs/shop", "eu-west-1" }, want: []string{"MD034"}, cure: "--region eu-west-1"},
		"a log group that will be made":  {change: func(c containers) { c[1].LogGroup, c[1].LogCreatesGroup = "/ecs/shop", true }},
		"log groups cannot be looked at": {world: func(w *world) { w.groupErr = errors.New("boom") }, want: []string{"MD021"}},

		"no log":                         {change: func(c containers) { c[1].LogDriver, c[1].LogGroup = "", "" }, want: []string{"MD035"}, problem: "no logConfiguration"},
		"a log elsewhere":                {change: func(c containers) { c[1].LogDriver, c[1].LogGroup = "splunk", "" }},
		"no log of a migration":          {change: func(c containers) { c[1].LogDriver, c[1].LogGroup = "", "" }, migrate: true, want: []string{"MD035"}},
		"a migration logs elsewhere":     {change: func(c containers) { c[1].LogDriver, c[1].LogGroup = "splunk", "" }, migrate: true, want: []string{"MD035"}, problem: "logs by splunk"},
		"a migration's log has no name":  {change: func(c containers) { c[1].LogPrefix = "" }, migrate: true, want: []string{"MD035"}, problem: "awslogs-stream-prefix"},
		"a migration's log":              {migrate: true},
		"the sidecar's log goes nowhere": {change: func(c containers) { c[0].LogDriver = "" }, migrate: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, req := soundWorld(), request()
			s := sound()
			if tc.change != nil {
				tc.change(s.TaskDefinition.Containers)
			}
			if tc.service != nil {
				tc.service(&s)
			}
			w.services["web"] = s
			if tc.world != nil {
				tc.world(w)
			}
			if tc.migrate {
				req.Target.Migrate = &release.Migration{Command: []string{"migrate"}}
			}
			expect(t, w, req, tc.want, tc.problem, tc.cure)
		})
	}
}

// TestOneCureForTwoServices: what two services lack is said once, and asked for once.
func TestOneCureForTwoServices(t *testing.T) {
	w, req := soundWorld(), request()
	req.Target.Services = []string{"web", "worker"}
	for name, family := range map[string]string{"web": "web", "worker": "jobs"} {
		s := sound()
		s.TaskDefinition.Family = family
		s.TaskDefinition.Containers[1].Secrets = []release.SecretReference{{Name: "A", From: secretARN}}
		w.services[name] = s
	}
	findings := check(t, w, req)
	if len(findings) != 1 || findings[0].Where != "container app of task definition web:3, container app of task definition jobs:3" {
		t.Errorf("findings = %+v", findings)
	}
	asked := 0
	for _, what := range w.asked.what {
		if what == "secret "+secretARN {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times: %v", asked, w.asked.what)
	}
}

// TestWhereInAFile: what a definition file says is placed on its line.
func TestWhereInAFile(t *testing.T) {
	w, req := soundWorld(), localRequest()
	delete(w.services, "web")
	w.preview = sound()
	w.preview.TaskDefinition.Containers[1].LogGroup = "/ecs/shop"
	w.preview.TaskDefinition.Containers[1].Secrets = []release.SecretReference{{Name: "A", From: "/shop/a"}}
	req.Target.Definitions = map[string]release.Definition{"web": {
		TaskDefinitionPath: "ecs/task.json", TaskDefinition: []byte("{\n\"x\": \"/shop/a\",\n\n\"y\": \"/ecs/shop\"}"), ServicePath: "ecs/service.json", Service: []byte("{}"),
	}}
	var got []string
	for _, f := range check(t, w, req) {
		got = append(got, f.Code+" "+f.Where)
	}
	if diff := cmp.Diff([]string{"MD033 ecs/task.json:2", "MD034 ecs/task.json:4"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestApply: what the files say is judged, where the release will apply them; what they say nothing about stays.
func TestApply(t *testing.T) {
	w, req := soundWorld(), request()
	running := sound()
	running.Desired, running.MaximumPercent = 1, 100 // mended by the files
	w.services["web"] = running
	w.preview = sound()
	w.preview.Status, w.preview.Desired = "", 5
	w.preview.TaskDefinition.Containers[1].Essential = false // broken by them
	req.Target.Definitions = map[string]release.Definition{"web": {TaskDefinitionPath: "ecs/task.json", ServicePath: "ecs/service.json", Service: []byte("{}")}}
	if diff := cmp.Diff([]string{"MD013"}, codes(check(t, w, req))); diff != "" {
		t.Errorf("without apply:\n%s", diff)
	}
	req.Target.Apply = true
	findings := check(t, w, req)
	if len(findings) != 1 || findings[0].Code != "MD031" || findings[0].Where != "ecs/task.json" {
		t.Errorf("findings = %+v", findings)
	}
	w.previewErr = errors.New("unreadable")
	if diff := cmp.Diff([]string{"MD008"}, codes(check(t, w, req))); diff != "" {
		t.Error(diff)
	}
}

// TestSeveralImages: each service is judged by its own task definition.
func TestSeveralImages(t *testing.T) {
	w, req := soundWorld(), request()
	req.Target.Services = []string{"web", "search"}
	other := sound()
	other.TaskDefinition.Family = "search"
	other.TaskDefinition.Containers[1].Image = awsHost + "/search:latest"
	w.services["search"] = other
	findings := check(t, w, req)
	if len(findings) != 1 || findings[0].Code != "MD009" || findings[0].Where != "task definition search:3" {
		t.Errorf("findings = %+v", findings)
	}
}
