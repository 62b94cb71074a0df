package orchestrator_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// fleet is an ECS with many services in one cluster, each with a deployment under way. It throttles as AWS does.
type fleet struct {
	*awstest.AWS
	mu        sync.Mutex
	services  map[string]*member
	buckets   map[string]*tokenBucket // by operation; none: no rates
	refill    func()
	throttled int
}

// member is one service. The names of its deployment and revision, and its tasks' startedBy, follow from its own.
type member struct {
	name                     string
	status                   string // of the deployment
	running, pending, failed int
	event                    string
	tasks                    map[string]body // by ARN
	onSuccess                func()          // runs just after the status was told to be SUCCESSFUL
}

// tokenBucket is AWS's.
type tokenBucket struct{ tokens, capacity, perSecond float64 }

func newFleet(t *testing.T) *fleet {
	f := &fleet{AWS: awstest.New(t), services: map[string]*member{}}
	for operation, handler := range map[string]awstest.Handler{
		"DescribeServices": f.describeServices, "DescribeServiceDeployments": f.describeServiceDeployments,
		"DescribeServiceRevisions": f.describeServiceRevisions, "ListTasks": f.listTasks, "DescribeTasks": f.describeTasks,
	} {
		f.On(operation, func(in body) any {
			f.mu.Lock()
			defer f.mu.Unlock()
			if !f.admit(operation) {
				f.throttled++
				return awstest.Failure{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}
			}
			return handler(in)
		})
	}
	return f
}

// enforce begins to throttle at AWS's documented rates.
func (f *fleet) enforce() {
	read := func(capacity float64) *tokenBucket { return &tokenBucket{capacity, capacity, 20} }
	tasks := read(100)
	f.buckets = map[string]*tokenBucket{
		"DescribeServices": read(100), "DescribeServiceDeployments": read(50), "DescribeServiceRevisions": read(50),
		"ListTasks": tasks, "DescribeTasks": tasks,
	}
	begin := time.Now()
	var lumps int
	f.refill = func() { // in a lump at the end of each second, which is the worst that AWS may do
		for ; lumps < int(time.Since(begin)/time.Second); lumps++ {
			for _, b := range []string{"DescribeServices", "DescribeServiceDeployments", "DescribeServiceRevisions", "ListTasks"} {
				bucket := f.buckets[b]
				bucket.tokens = min(bucket.capacity, bucket.tokens+bucket.perSecond)
			}
		}
	}
}

func (f *fleet) admit(operation string) bool {
	b := f.buckets[operation]
	if b == nil {
		return true
	}
	f.refill()
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// add makes a service with tasks that run.
func (f *fleet) add(name string, tasks int) *member {
	m := &member{name: name, status: "IN_PROGRESS", running: tasks, tasks: map[string]body{}}
	for i := range tasks {
		m.task(fmt.Sprint(i), "RUNNING", "RUNNING")
	}
	f.services[name] = m
	return m
}

// task puts a task of the service's deployment, or changes it.
func (m *member) task(id, last, desired string) {
	arn := "arn:aws:ecs:us-east-1:000000000000:task/" + cluster + "/" + m.name + "-" + id
	m.tasks[arn] = body{
		"taskArn": arn, "group": "service:" + m.name, "lastStatus": last, "desiredStatus": desired, "startedBy": "ecs-svc/" + m.name,
		"taskDefinitionArn": taskDef, "createdAt": awstest.Epoch(start),
	}
}

func (m *member) rollout() release.Rollout {
	return release.Rollout{Service: m.name, Deployment: "arn:d-" + m.name, Revision: "arn:r-" + m.name, StartedBy: "ecs-svc/" + m.name, Started: start}
}

func (f *fleet) orchestrator(t *testing.T) *orchestrator.Orchestrator {
	return orchestrator.New(f.Session(t, func(c *awsclient.Config) { c.Paced = true }))
}

func asked(in body, member string, most int) []string {
	var names []string
	for _, one := range in[member].([]any) {
		names = append(names, one.(string))
	}
	if len(names) == 0 || len(names) > most {
		return nil
	}
	return names
}

var tooMany = awstest.Failure{Status: 400, Code: "InvalidParameterException", Message: "too many, or none"}

func (f *fleet) describeServices(in body) any {
	names := asked(in, "services", 10)
	if names == nil {
		return tooMany
	}
	found := []body{}
	for _, name := range names {
		m, ok := f.services[name]
		if !ok {
			continue
		}
		found = append(found, body{
			"serviceName": name, "serviceArn": "arn:s-" + name, "status": "ACTIVE", "desiredCount": len(m.tasks), "runningCount": m.running,
			"currentServiceDeployment": "arn:d-" + name, "events": []body{{"id": m.event, "createdAt": awstest.Epoch(start), "message": m.event}},
			"deployments": []body{{"id": "ecs-svc/" + name, "status": "PRIMARY", "runningCount": m.running, "pendingCount": m.pending, "failedTasks": m.failed}},
		})
	}
	return body{"services": found, "failures": []body{}}
}

func (f *fleet) describeServiceDeployments(in body) any {
	arns := asked(in, "serviceDeploymentArns", 20)
	if arns == nil {
		return tooMany
	}
	found := []body{}
	for _, arn := range arns {
		m, ok := f.services[strings.TrimPrefix(arn, "arn:d-")]
		if !ok {
			return awstest.Failure{Status: 400, Code: "ServiceDeploymentNotFoundException", Message: "no " + arn}
		}
		found = append(found, body{"serviceDeploymentArn": arn, "status": m.status, "createdAt": awstest.Epoch(start),
			"targetServiceRevision": body{"arn": "arn:r-" + m.name, "runningTaskCount": m.running, "pendingTaskCount": m.pending}})
		if m.status == "SUCCESSFUL" && m.onSuccess != nil {
			m.onSuccess()
		}
	}
	return body{"serviceDeployments": found, "failures": []body{}}
}

func (f *fleet) describeServiceRevisions(in body) any {
	arns := asked(in, "serviceRevisionArns", 20)
	if arns == nil {
		return tooMany
	}
	found := []body{}
	for _, arn := range arns {
		found = append(found, body{"serviceRevisionArn": arn, "containerImages": []body{{"containerName": "app", "image": "h/app:latest", "imageDigest": "sha256:1"}}})
	}
	return body{"serviceRevisions": found}
}

func (f *fleet) listTasks(in body) any {
	arns := []string{}
	for name, m := range f.services {
		if in["serviceName"] != nil && in["serviceName"] != name {
			continue
		}
		for arn, t := range m.tasks {
			if t["desiredStatus"] == in["desiredStatus"] {
				arns = append(arns, arn)
			}
		}
	}
	if in["serviceName"] != nil && f.services[in["serviceName"].(string)] == nil {
		return awstest.Failure{Status: 400, Code: "ServiceNotFoundException", Message: "Service not found."}
	}
	slices.Sort(arns)
	return page(in, "taskArns", arns, 100)
}

func (f *fleet) describeTasks(in body) any {
	arns := asked(in, "tasks", 100)
	if arns == nil {
		return tooMany
	}
	found := []body{}
	for _, arn := range arns {
		for _, m := range f.services {
			if t, ok := m.tasks[arn]; ok {
				found = append(found, maps.Clone(t))
			}
		}
	}
	return body{"tasks": found, "failures": []body{}}
}
