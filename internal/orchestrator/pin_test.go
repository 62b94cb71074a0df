package orchestrator_test

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	digestA = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// imageOf is an image of the app, as the registry calls its repository: by another host name than the task definition.
func imageOf(digest string) release.Image {
	return release.Image{Repository: "127.0.0.1:4566/medusa", Digest: release.Digest(digest)}
}

// shelf keeps the task definitions of a cloud.
type shelf struct {
	mu        sync.Mutex
	revisions []body // oldest first, of one or more families
	tags      map[string][]any
	lose      int // how many answers of RegisterTaskDefinition get lost
}

// onShelf makes the cloud keep task definitions, the given one first.
func (c *cloud) onShelf(first body) *shelf {
	s := &shelf{tags: map[string][]any{}}
	if first != nil {
		s.revisions = []body{first}
	}
	c.On("DescribeTaskDefinition", s.describe)
	c.On("RegisterTaskDefinition", s.register)
	return s
}

func (s *shelf) describe(in body) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.revisions) - 1; i >= 0; i-- {
		d := s.revisions[i]
		named := in["taskDefinition"] == d["taskDefinitionArn"]
		if named || in["taskDefinition"] == d["family"] && d["status"] == "ACTIVE" {
			return body{"taskDefinition": d, "tags": s.tags[d["taskDefinitionArn"].(string)]}
		}
	}
	return awstest.Failure{Status: 400, Code: "ClientException", Message: "Unable to describe task definition."}
}

func (s *shelf) register(in body) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := maps.Clone(in)
	revision := 1
	for _, have := range s.revisions {
		if have["family"] == in["family"] {
			revision = int(have["revision"].(float64)) + 1
		}
	}
	d["revision"], d["status"] = float64(revision), "ACTIVE"
	arn := arnOf(in["family"].(string), revision)
	d["taskDefinitionArn"] = arn
	if tags, ok := in["tags"].([]any); ok {
		s.tags[arn] = tags
	}
	delete(d, "tags")
	s.revisions = append(s.revisions, d)
	if s.lose > 0 {
		s.lose--
		return syscall.ECONNRESET
	}
	return body{"taskDefinition": d}
}

func arnOf(family string, revision int) string {
	return "arn:aws:ecs:us-east-1:000000000000:task-definition/" + family + ":" + string(rune('0'+revision))
}

// parsed is JSON as the wire gives it.
func parsed(t *testing.T, text string) body {
	t.Helper()
	var b body
	if err := json.Unmarshal([]byte(text), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// describedJSON is a task definition as ECS describes it, with a little of everything.
const describedJSON = `{
	"taskDefinitionArn": "arn:aws:ecs:us-east-1:000000000000:task-definition/medusa:7", "family": "medusa", "revision": 7, "status": "ACTIVE",
	"requiresAttributes": [{"name": "com.amazonaws.ecs.capability.docker-remote-api.1.18"}], "compatibilities": ["EC2", "FARGATE"],
	"registeredAt": 1793500000, "registeredBy": "arn:aws:iam::000000000000:root",
	"networkMode": "awsvpc", "cpu": "256", "memory": "512", "requiresCompatibilities": ["FARGATE"], "enableFaultInjection": true,
	"executionRoleArn": "arn:aws:iam::000000000000:role/execution", "taskRoleArn": "arn:aws:iam::000000000000:role/task",
	"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}, "ephemeralStorage": {"sizeInGiB": 30},
	"volumes": [{"name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED"}}],
	"containerDefinitions": [
		{"name": "medusa", "image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa:latest", "essential": true, "command": ["", "start"],
		 "environment": [{"name": "EMPTY", "value": ""}], "secrets": [{"name": "DATABASE_URL", "valueFrom": "arn:secret"}],
		 "ulimits": [{"name": "core", "softLimit": 0, "hardLimit": 0}], "dockerLabels": {"Any.Key": ""},
		 "healthCheck": {"command": ["CMD", "x"]}, "portMappings": [{"containerPort": 9000, "hostPort": 9000, "protocol": "tcp", "name": "http"}],
		 "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/medusa", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "m"}}},
		{"name": "worker", "image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa@sha256:0000000000000000000000000000000000000000000000000000000000000000", "essential": false},
		{"name": "proxy", "image": "public.ecr.aws/nginx/nginx:1.27", "essential": true}]}`

func TestPinCarriesEverything(t *testing.T) {
	c := newCloud(t)
	s := c.onShelf(parsed(t, describedJSON))
	s.tags[taskDef] = []any{body{"key": "team", "value": "shop"}, body{"key": "aws:cloudformation:stack-id", "value": "x"}}
	got, err := c.orchestrator(t).Pin(t.Context(), taskDef, imageOf(digestA))
	if err != nil || got != arnOf("medusa", 8) {
		t.Fatalf("got %s, %v", got, err)
	}
	if include := c.Inputs("DescribeTaskDefinition")[0]["include"]; !cmp.Equal(include, []any{"TAGS"}) {
		t.Errorf("asked for %v", include)
	}
	want := parsed(t, describedJSON)
	for _, own := range []string{"taskDefinitionArn", "revision", "status", "requiresAttributes", "compatibilities", "registeredAt", "registeredBy"} {
		delete(want, own)
	}
	containers := want["containerDefinitions"].([]any)
	for _, i := range []int{0, 1} {
		containers[i].(body)["image"] = "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa@" + digestA
	}
	want["tags"] = []any{body{"key": "team", "value": "shop"}}
	if diff := cmp.Diff(want, c.Inputs("RegisterTaskDefinition")[0]); diff != "" {
		t.Error(diff)
	}
}

func TestPinRegistersOnlyWhatIsNew(t *testing.T) {
	pinned := strings.ReplaceAll(strings.ReplaceAll(describedJSON, "medusa:latest", "medusa@"+digestA), "medusa@sha256:0000000000000000000000000000000000000000000000000000000000000000", "medusa@"+digestA)
	cases := map[string]struct {
		definitions []string // of revision 7 and on
		pin         string
		want        int // revision
		registered  int
	}{
		"named by tag":                       {[]string{describedJSON}, digestA, 8, 1},
		"the newest says so already":         {[]string{describedJSON, pinned}, digestA, 8, 0},
		"it says so itself":                  {[]string{pinned}, digestA, 7, 0},
		"it says so, a newer one does not":   {[]string{pinned, describedJSON}, digestA, 7, 0},
		"another digest":                     {[]string{pinned}, digestB, 8, 1},
		"it says so, but nobody may use it":  {[]string{strings.Replace(pinned, `"ACTIVE"`, `"INACTIVE"`, 1), describedJSON}, digestA, 9, 1},
		"the newest has another environment": {[]string{describedJSON, strings.Replace(pinned, `"EMPTY", "value": ""`, `"EMPTY", "value": "no"`, 1)}, digestA, 9, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			s := c.onShelf(nil)
			for i, text := range tc.definitions {
				d := parsed(t, text)
				d["revision"], d["taskDefinitionArn"] = float64(7+i), arnOf("medusa", 7+i)
				s.revisions = append(s.revisions, d)
			}
			got, err := c.orchestrator(t).Pin(t.Context(), taskDef, imageOf(tc.pin))
			if err != nil || got != arnOf("medusa", tc.want) || c.Count("RegisterTaskDefinition") != tc.registered {
				t.Errorf("got %s, %v, registered %d times", got, err, c.Count("RegisterTaskDefinition"))
			}
		})
	}
}

func TestPinSurvivesALostAnswer(t *testing.T) {
	c := newCloud(t)
	s := c.onShelf(parsed(t, describedJSON))
	s.lose = 1
	o := c.orchestrator(t)
	got, err := o.Pin(t.Context(), taskDef, imageOf(digestA))
	if err != nil || got != arnOf("medusa", 8) || c.Count("RegisterTaskDefinition") != 1 {
		t.Errorf("got %s, %v, registered %d times", got, err, c.Count("RegisterTaskDefinition"))
	}
}

func TestPinFails(t *testing.T) {
	cases := map[string]struct {
		of    string
		image release.Image
		want  string
	}{
		"another repository": {taskDef, release.Image{Repository: "h/other", Digest: digestA},
			"none of its containers (medusa runs 000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa:latest, "},
		"no digest":     {taskDef, imageOf(""), "the image 127.0.0.1:4566/medusa@ has no digest to pin"},
		"no such thing": {"arn:none", imageOf(digestA), "task definition arn:none: ecs:DescribeTaskDefinition: Unable to describe task definition."},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.onShelf(parsed(t, describedJSON))
			if _, err := c.orchestrator(t).Pin(t.Context(), tc.of, tc.image); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
			if n := c.Count("RegisterTaskDefinition"); n != 0 {
				t.Errorf("registered %d times", n)
			}
		})
	}
}

func TestRegister(t *testing.T) {
	c := newCloud(t)
	c.onShelf(nil)
	o := c.orchestrator(t)
	def, pin := definition(taskFile, serviceFile), release.Image{Repository: "h/medusa", Digest: digestA}
	steps := []struct {
		pin  release.Image
		want int
		runs string
	}{
		{release.Image{}, 1, "h/medusa:latest"},
		{release.Image{}, 1, ""},
		{pin, 2, "h/medusa@" + digestA},
		{pin, 2, ""},
		{release.Image{}, 3, "h/medusa:latest"},
	}
	registered := 0
	for i, step := range steps {
		got, err := o.Register(t.Context(), def, step.pin)
		if err != nil || got != arnOf("medusa", step.want) {
			t.Fatalf("step %d: got %s, %v", i, got, err)
		}
		if step.runs != "" {
			registered++
			in := c.Inputs("RegisterTaskDefinition")
			if image := in[len(in)-1]["containerDefinitions"].([]any)[0].(body)["image"]; image != step.runs {
				t.Errorf("step %d: it runs %v", i, image)
			}
		}
		if n := c.Count("RegisterTaskDefinition"); n != registered {
			t.Fatalf("step %d: registered %d times, want %d", i, n, registered)
		}
	}
}

func TestRegisterFails(t *testing.T) {
	c := newCloud(t)
	c.onShelf(nil)
	o := c.orchestrator(t)
	for want, try := range map[string]func() (string, error){
		`unknown member "famly"`: func() (string, error) {
			return o.Register(t.Context(), definition(`{"famly": "x"}`, serviceFile), release.Image{})
		},
		"pin ecs/task-definition.json: none of its containers": func() (string, error) {
			return o.Register(t.Context(), definition(taskFile, serviceFile), release.Image{Repository: "h/other", Digest: digestA})
		},
	} {
		if _, err := try(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if n := c.Count("RegisterTaskDefinition"); n != 0 {
		t.Errorf("registered %d times", n)
	}
}
