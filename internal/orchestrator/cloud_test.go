package orchestrator_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	cluster = "medusa-cluster"
	service = "medusa-service"
	taskDef = "arn:aws:ecs:us-east-1:000000000000:task-definition/medusa:7"
)

type body = awstest.Body

// cloud is an ECS with one service, whose facts the tests set.
type cloud struct {
	*awstest.AWS
	mu           sync.Mutex
	service      body
	deployments  []body // service deployments, newest first
	revisions    map[string][]body
	tasks        map[string]body // by ARN
	pageSize     int             // of every list
	listCalls    int
	onListing    func() // runs before every ListServiceDeployments
	updateAnswer any    // what UpdateService answers when it is not the service
}

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func newCloud(t *testing.T) *cloud {
	c := &cloud{AWS: awstest.New(t), revisions: map[string][]body{}, tasks: map[string]body{}, pageSize: 100}
	c.service = body{
		"serviceName": service, "serviceArn": "arn:s", "status": "ACTIVE", "desiredCount": 2, "runningCount": 2, "taskDefinition": taskDef,
		"deployments": []any{deploymentRecord("ecs-svc/1", "PRIMARY", start)}, "currentServiceDeployment": "arn:d1",
	}
	c.deployments = []body{deployment("arn:d1", "SUCCESSFUL", start)}
	c.On("DescribeServices", c.describeServices)
	c.On("ListServiceDeployments", c.listServiceDeployments)
	c.On("DescribeServiceDeployments", c.describeServiceDeployments)
	c.On("DescribeServiceRevisions", c.describeServiceRevisions)
	c.On("DescribeTaskDefinition", awstest.Always(body{"taskDefinition": taskDefinition()}))
	c.On("ListTasks", c.listTasks)
	c.On("DescribeTasks", c.describeTasks)
	return c
}

func (c *cloud) orchestrator(t *testing.T) *orchestrator.Orchestrator {
	return orchestrator.New(c.Session(t))
}

func taskDefinition() body {
	return body{
		"taskDefinitionArn": taskDef, "family": "medusa", "revision": 7, "runtimePlatform": body{"cpuArchitecture": "ARM64"},
		"containerDefinitions": []any{
			body{"name": "medusa", "image": "h/medusa:latest", "essential": true, "healthCheck": body{"command": []any{"CMD", "x"}},
				"logConfiguration": body{"logDriver": "awslogs", "options": body{"awslogs-group": "/ecs/medusa", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "m"}}},
			body{"name": "silent", "image": "h/silent:1", "essential": false},
		},
	}
}

func deploymentRecord(id, status string, at time.Time) body {
	return body{"id": id, "status": status, "createdAt": awstest.Epoch(at), "taskDefinition": taskDef}
}

func deployment(arn, status string, at time.Time) body {
	return body{"serviceDeploymentArn": arn, "status": status, "createdAt": awstest.Epoch(at), "targetServiceRevisionArn": "arn:r" + strings.TrimPrefix(arn, "arn:d")}
}

func (c *cloud) describeServices(in body) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in["cluster"] != cluster {
		return awstest.Failure{Status: 400, Code: "ClusterNotFoundException", Message: "Cluster not found."}
	}
	if c.service == nil || in["services"].([]any)[0] != service {
		return body{"failures": []any{body{"reason": "MISSING"}}}
	}
	return body{"services": []any{c.service}}
}

func (c *cloud) listServiceDeployments(in body) any {
	if c.onListing != nil {
		c.onListing()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listCalls++
	var listed []body
	after := 0.0
	if window, ok := in["createdAt"].(body); ok {
		after = window["after"].(float64)
	}
	for _, d := range c.deployments {
		if d["createdAt"].(float64) >= after {
			listed = append(listed, d)
		}
	}
	return page(in, "serviceDeployments", listed, c.pageSize)
}

// page cuts one page out of a list.
func page[T any](in body, member string, all []T, size int) body {
	from := 0
	if token, ok := in["nextToken"].(string); ok {
		_, _ = fmt.Sscan(token, &from)
	}
	to := min(from+size, len(all))
	out := body{member: all[from:to]}
	if to < len(all) {
		out["nextToken"] = fmt.Sprint(to)
	}
	return out
}

func (c *cloud) describeServiceDeployments(in body) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.deployments {
		if d["serviceDeploymentArn"] == in["serviceDeploymentArns"].([]any)[0] {
			return body{"serviceDeployments": []any{d}}
		}
	}
	return body{"failures": []any{body{"reason": "MISSING"}}}
}

func (c *cloud) describeServiceRevisions(in body) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := in["serviceRevisionArns"].([]any)
	if len(asked) > 20 {
		return awstest.Failure{Status: 400, Code: "InvalidParameterException", Message: "at most 20"}
	}
	var found []body
	for _, arn := range asked {
		if images, ok := c.revisions[arn.(string)]; ok {
			found = append(found, body{"serviceRevisionArn": arn, "containerImages": images})
		}
	}
	return body{"serviceRevisions": found}
}

// addTask puts a task of the service into the cloud.
func (c *cloud) addTask(id, last, desired, startedBy string, more body) {
	arn := "arn:aws:ecs:us-east-1:000000000000:task/" + cluster + "/" + id
	task := body{
		"taskArn": arn, "group": "service:" + service, "lastStatus": last, "desiredStatus": desired, "startedBy": startedBy,
		"taskDefinitionArn": taskDef, "createdAt": awstest.Epoch(start.Add(time.Duration(len(c.tasks)) * time.Second)),
	}
	for key, value := range more {
		task[key] = value
	}
	c.tasks[arn] = task
}

func (c *cloud) listTasks(in body) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if in["serviceName"] != service {
		return awstest.Failure{Status: 400, Code: "ServiceNotFoundException", Message: "Service not found."}
	}
	var arns []string
	for arn, t := range c.tasks {
		if t["desiredStatus"] == in["desiredStatus"] && t["group"] == "service:"+service {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return page(in, "taskArns", arns, c.pageSize)
}

func (c *cloud) describeTasks(in body) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := in["tasks"].([]any)
	if len(asked) == 0 || len(asked) > 100 {
		return awstest.Failure{Status: 400, Code: "InvalidParameterException", Message: "1 to 100 tasks"}
	}
	found, missing := []body{}, []body{}
	for _, name := range asked {
		id := name.(string)
		id = id[strings.LastIndex(id, "/")+1:]
		if t, ok := c.tasks["arn:aws:ecs:us-east-1:000000000000:task/"+cluster+"/"+id]; ok {
			found = append(found, t)
		} else {
			missing = append(missing, body{"arn": name, "reason": "MISSING"})
		}
	}
	return body{"tasks": found, "failures": missing}
}

func rollout(n int, at time.Time) release.Rollout {
	return release.Rollout{Service: service, Deployment: fmt.Sprintf("arn:d%d", n), Revision: fmt.Sprintf("arn:r%d", n), StartedBy: fmt.Sprintf("ecs-svc/%d", n), Started: at}
}
