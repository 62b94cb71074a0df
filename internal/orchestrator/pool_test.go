package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
)

// pool runs one-off tasks for a cloud, with ECS's rules for client tokens.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/ECS_Idempotency.html
type pool struct {
	*cloud
	asked   map[string]body // what a token was first used with
	answers map[string]any  // what that gave
	started []string        // ARNs
	full    string          // why nothing can be started; empty: there is room
	lose    int             // how many answers of RunTask get lost
	onRun   func(arn string)
}

func newPool(c *cloud) *pool {
	p := &pool{cloud: c, asked: map[string]body{}, answers: map[string]any{}}
	c.On("RunTask", p.run)
	c.On("ListTasks", p.list)
	c.On("StopTask", p.stop)
	return p
}

func (p *pool) run(in body) any {
	answer := p.answer(in)
	if p.onRun != nil && len(p.started) > 0 {
		p.onRun(p.started[len(p.started)-1])
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lose > 0 {
		p.lose--
		return syscall.ECONNRESET
	}
	return answer
}

func (p *pool) answer(in body) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	token := in["clientToken"].(string)
	if first, ok := p.asked[token]; ok {
		return p.again(token, reflect.DeepEqual(first, in))
	}
	p.asked[token] = in
	if p.full != "" {
		p.answers[token] = body{"failures": []any{body{"reason": p.full, "arn": "arn:instance"}}}
		return p.answers[token]
	}
	arn := fmt.Sprintf("arn:aws:ecs:us-east-1:000000000000:task/%s/%032d", cluster, len(p.started)+1)
	p.started = append(p.started, arn)
	p.answers[token] = arn
	p.tasks[arn] = body{
		"taskArn": arn, "group": in["group"], "startedBy": in["startedBy"], "taskDefinitionArn": in["taskDefinition"],
		"lastStatus": "PROVISIONING", "desiredStatus": "RUNNING", "createdAt": awstest.Epoch(time.Now()),
	}
	return body{"tasks": []any{p.tasks[arn]}}
}

// again answers a token that was used before.
func (p *pool) again(token string, same bool) any {
	arn, isTask := p.answers[token].(string)
	if !isTask {
		return p.answers[token] // the same failure again
	}
	if !same {
		raw, _ := json.Marshal(body{"__type": "ConflictException", "message": "The clientToken is in use.", "resourceIds": []string{arn}})
		return awstest.Raw{Status: 400, Body: string(raw)}
	}
	t := p.tasks[arn]
	if t["lastStatus"] == "STOPPED" {
		return body{"tasks": []any{body{"taskArn": arn, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}}}
	}
	return body{"tasks": []any{t}}
}

func (p *pool) list(in body) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	filters := 0
	for _, f := range []string{"family", "startedBy", "desiredStatus", "serviceName"} {
		if in[f] != nil {
			filters++
		}
	}
	if in["startedBy"] != nil && filters > 1 {
		return awstest.Failure{Status: 400, Code: "InvalidParameterException", Message: "startedBy must be the only filter"}
	}
	wanted := in["desiredStatus"]
	if wanted == nil {
		wanted = "RUNNING"
	}
	var arns []string
	for arn, t := range p.tasks {
		family := t["taskDefinitionArn"].(string)
		family, _, _ = strings.Cut(family[strings.LastIndex(family, "/")+1:], ":")
		if t["desiredStatus"] == wanted && (in["family"] == nil || in["family"] == family) && (in["startedBy"] == nil || in["startedBy"] == t["startedBy"]) {
			arns = append(arns, arn)
		}
	}
	slices.Sort(arns)
	return page(in, "taskArns", arns, p.pageSize)
}

func (p *pool) stop(in body) any {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.tasks[in["task"].(string)]
	if !ok {
		return awstest.Failure{Status: 400, Code: "InvalidParameterException", Message: "The referenced task was not found."}
	}
	t["desiredStatus"], t["stopCode"], t["stoppedReason"] = "STOPPED", "UserInitiated", in["reason"]
	return body{"task": t}
}

// set changes a task. Answers that were given share nothing with it.
func (p *pool) set(arn string, more body) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := body{}
	for key, value := range p.tasks[arn] {
		changed[key] = value
	}
	for key, value := range more {
		changed[key] = value
	}
	p.tasks[arn] = changed
}

// end stops a task with an exit code.
func (p *pool) end(arn string, exit int) {
	p.set(arn, body{
		"lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "EssentialContainerExited",
		"containers": []any{body{"name": "medusa", "exitCode": exit, "lastStatus": "STOPPED"}},
	})
}
