package orchestrator_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// appliedTask and appliedService are files; described and serviceNow are what AWS makes of them.
const (
	appliedTask = `{
	"family": "medusa", "networkMode": "awsvpc", "cpu": ".25 vCPU", "memory": "0.5 GB", "requiresCompatibilities": ["FARGATE"],
	"enableFaultInjection": true, "executionRoleArn": "arn:aws:iam::000000000000:role/execution", "taskRoleArn": "arn:aws:iam::000000000000:role/task",
	"runtimePlatform": {"cpuArchitecture": "ARM64"}, "ephemeralStorage": {"sizeInGiB": 30},
	"volumes": [{"name": "files", "efsVolumeConfiguration": {"fileSystemId": "fs-1", "transitEncryption": "ENABLED", "rootDirectory": "/"}}],
	"containerDefinitions": [
		{"name": "proxy", "image": "public.ecr.aws/nginx/nginx:1.27"},
		{"name": "medusa", "image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa:v2", "command": ["", "start"],
		 "environment": [{"name": "EMPTY", "value": ""}], "secrets": [{"name": "DATABASE_URL", "valueFrom": "arn:secret"}],
		 "ulimits": [{"name": "core", "softLimit": 0, "hardLimit": 0}], "dockerLabels": {"Any.Key": ""},
		 "healthCheck": {"command": ["CMD", "x"]}, "portMappings": [{"containerPort": 9000, "name": "http"}],
		 "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "/ecs/medusa", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "m"}}},
		{"name": "worker", "image": "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa", "essential": false}]}`
	appliedService = `{
	"serviceName": "medusa-service", "cluster": "medusa-cluster", "taskDefinition": "medusa", "desiredCount": 2, "launchType": "FARGATE",
	"deploymentController": {"type": "ECS"}, "schedulingStrategy": "REPLICA", "propagateTags": "NONE", "enableExecuteCommand": false,
	"availabilityZoneRebalancing": "DISABLED", "healthCheckGracePeriodSeconds": 0,
	"deploymentConfiguration": {"strategy": "ROLLING", "maximumPercent": 150, "deploymentCircuitBreaker": {"enable": false, "rollback": false}},
	"loadBalancers": [{"targetGroupArn": "arn:tg", "containerName": "medusa", "containerPort": 9000}],
	"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-2", "subnet-1"]}},
	"tags": [{"key": "team", "value": "shop"}]}`
	serviceNow = `{
	"serviceName": "medusa-service", "serviceArn": "arn:s", "status": "ACTIVE", "desiredCount": 2, "runningCount": 2, "launchType": "FARGATE",
	"taskDefinition": "arn:aws:ecs:us-east-1:000000000000:task-definition/medusa:7", "deploymentController": {"type": "ECS"}, "schedulingStrategy": "REPLICA",
	"platformVersion": "LATEST", "propagateTags": "NONE", "currentServiceDeployment": "arn:d1", "enableECSManagedTags": true,
	"deploymentConfiguration": {"maximumPercent": 150, "minimumHealthyPercent": 100,
		"deploymentCircuitBreaker": {"enable": false, "rollback": false, "resetOnHealthyTask": true}, "bakeTimeInMinutes": 0},
	"loadBalancers": [{"targetGroupArn": "arn:tg", "containerName": "medusa", "containerPort": 9000}],
	"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"], "securityGroups": [], "assignPublicIp": "DISABLED"}},
	"placementConstraints": [], "placementStrategy": [], "serviceRegistries": [],
	"tags": [{"key": "aws:cloudformation:stack-name", "value": "x"}, {"key": "team", "value": "shop"}]}`
)

// applied is a cloud whose service was made from the files, by another release.
func applied(t *testing.T) *cloud {
	c := newCloud(t)
	c.onShelf(parsed(t, describedJSON))
	c.service = parsed(t, serviceNow)
	return c
}

func compare(t *testing.T, c *cloud, task, service string) ([]release.Difference, error) {
	t.Helper()
	return c.orchestrator(t).Compare(t.Context(), cluster, definition(task, service), "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa")
}

func TestCompareWithWhatWasJustApplied(t *testing.T) {
	c := applied(t)
	got, err := compare(t, c, appliedTask, appliedService)
	if err != nil || len(got) > 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, call := range []string{"RegisterTaskDefinition", "UpdateService", "TagResource"} {
		if c.Count(call) > 0 {
			t.Errorf("%s was called", call)
		}
	}
}

func TestCompare(t *testing.T) {
	const task, service = "task definition medusa", "service medusa-service"
	cases := map[string]struct {
		change []string // old, new …
		want   []release.Difference
	}{
		"size": {[]string{`"0.5 GB"`, `"1 GB"`}, []release.Difference{{Where: task, Path: "memory", From: `"512"`, To: `"1024"`}}},
		"an environment": {[]string{`[{"name": "EMPTY", "value": ""}]`, `[{"name": "LOG_LEVEL", "value": "debug"}, {"name": "JWT_SECRET", "value": "hunter2"}]`}, []release.Difference{
			{Where: task, Path: "containerDefinitions[medusa].environment[EMPTY]", From: `""`},
			{Where: task, Path: "containerDefinitions[medusa].environment[JWT_SECRET]", To: `"***"`},
			{Where: task, Path: "containerDefinitions[medusa].environment[LOG_LEVEL]", To: `"debug"`}}},
		"a secret's place": {[]string{`"arn:secret"`, `"arn:other"`}, []release.Difference{
			{Where: task, Path: "containerDefinitions[medusa].secrets[DATABASE_URL]", From: `"arn:secret"`, To: `"arn:other"`}}},
		"a health check": {[]string{`"healthCheck": {"command": ["CMD", "x"]}`, `"healthCheck": {"command": ["CMD", "y"], "interval": 5}`}, []release.Difference{
			{Where: task, Path: "containerDefinitions[medusa].healthCheck.command", From: `["CMD","x"]`, To: `["CMD","y"]`},
			{Where: task, Path: "containerDefinitions[medusa].healthCheck.interval", From: "30", To: "5"}}},
		"no health check": {[]string{`"healthCheck": {"command": ["CMD", "x"]}, `, ``}, []release.Difference{
			{Where: task, Path: "containerDefinitions[medusa].healthCheck", From: `{"command":["CMD","x"],"interval":30,"retries":3,"timeout":5}`}}},
		"a container": {[]string{`{"name": "proxy", "image": "public.ecr.aws/nginx/nginx:1.27"},`,
			`{"name": "cron", "image": "x", "environment": [{"name": "API_KEY", "value": "hunter2"}], "command": ["run", "--token", "hunter2", "PASSWORD=hunter2", "redis://u:hunter2@h"]},`}, []release.Difference{
			{Where: task, Path: "containerDefinitions[cron]", To: `{"command":["run","--token","***","PASSWORD=***","redis://u:***@h"],"environment":[{"name":"API_KEY","value":"***"}],"essential":true,"image":"x","name":"cron","versionConsistency":"enabled"}`},
			{Where: task, Path: "containerDefinitions[proxy]", From: `{"essential":true,"image":"public.ecr.aws/nginx/nginx:1.27","name":"proxy","versionConsistency":"enabled"}`}}},
		"a port": {[]string{`"containerPort": 9000, "name"`, `"containerPort": 9001, "name"`}, []release.Difference{
			{Where: task, Path: "containerDefinitions[medusa].portMappings[9000/tcp]", From: `{"containerPort":9000,"hostPort":9000,"name":"http","protocol":"tcp"}`},
			{Where: task, Path: "containerDefinitions[medusa].portMappings[9001/tcp]", To: `{"containerPort":9001,"hostPort":9001,"name":"http","protocol":"tcp"}`}}},
		"another registry": {[]string{`000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa:v2`, `111111111111.dkr.ecr.us-east-1.amazonaws.com/medusa:v2`}, []release.Difference{
			{Where: task, Path: "containerDefinitions[medusa].image", From: `"000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa"`, To: `"111111111111.dkr.ecr.us-east-1.amazonaws.com/medusa"`}}},
		"another image": {[]string{`nginx:1.27`, `nginx:1.28`}, []release.Difference{
			{Where: task, Path: "containerDefinitions[proxy].image", From: `"public.ecr.aws/nginx/nginx:1.27"`, To: `"public.ecr.aws/nginx/nginx:1.28"`}}},
		"a log option": {[]string{`"awslogs-stream-prefix": "m"`, `"awslogs-stream-prefix": "m", "splunk-token": "hunter2"`}, []release.Difference{
			{Where: task, Path: "containerDefinitions[medusa].logConfiguration.options.splunk-token", To: `"***"`}}},
		"how many":     {[]string{`"desiredCount": 2`, `"desiredCount": 3`}, []release.Difference{{Where: service, Path: "desiredCount", From: "2", To: "3"}}},
		"none":         {[]string{`"desiredCount": 2`, `"desiredCount": 0`}, []release.Difference{{Where: service, Path: "desiredCount", From: "2", To: "0"}}},
		"not how many": {[]string{`"desiredCount": 2, `, ``}, nil},
		"percentages": {[]string{`"maximumPercent": 150`, `"maximumPercent": 200, "minimumHealthyPercent": 50`}, []release.Difference{
			{Where: service, Path: "deploymentConfiguration.maximumPercent", From: "150", To: "200"},
			{Where: service, Path: "deploymentConfiguration.minimumHealthyPercent", From: "100", To: "50"}}},
		"the breaker": {[]string{`{"enable": false, "rollback": false}`, `{"enable": true, "rollback": true}`}, []release.Difference{
			{Where: service, Path: "deploymentConfiguration.deploymentCircuitBreaker.enable", From: "false", To: "true"},
			{Where: service, Path: "deploymentConfiguration.deploymentCircuitBreaker.rollback", From: "false", To: "true"}}},
		"public": {[]string{`"subnet-1"]`, `"subnet-1"], "assignPublicIp": "ENABLED"`}, []release.Difference{
			{Where: service, Path: "networkConfiguration.awsvpcConfiguration.assignPublicIp", From: `"DISABLED"`, To: `"ENABLED"`}}},
		"subnets": {[]string{`"subnet-2", `, ``}, []release.Difference{
			{Where: service, Path: "networkConfiguration.awsvpcConfiguration.subnets", From: `["subnet-1","subnet-2"]`, To: `["subnet-1"]`}}},
		"no load balancer": {[]string{`[{"targetGroupArn": "arn:tg", "containerName": "medusa", "containerPort": 9000}]`, `[]`}, []release.Difference{
			{Where: service, Path: "loadBalancers[medusa/9000]", From: `{"containerName":"medusa","containerPort":9000,"targetGroupArn":"arn:tg"}`}}},
		"another target group": {[]string{`arn:tg`, `arn:other`}, []release.Difference{
			{Where: service, Path: "loadBalancers[medusa/9000].targetGroupArn", From: `"arn:tg"`, To: `"arn:other"`}}},
		"capacity": {[]string{`"launchType": "FARGATE",`, `"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}],`}, []release.Difference{
			{Where: service, Path: "capacityProviderStrategy", To: `[{"capacityProvider":"FARGATE_SPOT","weight":1}]`}}},
		"shell":   {[]string{`"enableExecuteCommand": false`, `"enableExecuteCommand": true`}, []release.Difference{{Where: service, Path: "enableExecuteCommand", From: "false", To: "true"}}},
		"zones":   {[]string{`"availabilityZoneRebalancing": "DISABLED"`, `"availabilityZoneRebalancing": "ENABLED"`}, []release.Difference{{Where: service, Path: "availabilityZoneRebalancing", From: `"DISABLED"`, To: `"ENABLED"`}}},
		"managed": {[]string{`"propagateTags": "NONE"`, `"propagateTags": "SERVICE", "enableECSManagedTags": true`}, []release.Difference{{Where: service, Path: "propagateTags", From: `"NONE"`, To: `"SERVICE"`}}},
		"tags": {[]string{`"value": "shop"}]`, `"value": "till"}, {"key": "tier", "value": "1"}]`}, []release.Difference{
			{Where: service, Path: "tags[team]", From: `"shop"`, To: `"till"`}, {Where: service, Path: "tags[tier]", To: `"1"`}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			task, service := appliedTask, appliedService
			for i := 0; i < len(tc.change); i += 2 {
				if !strings.Contains(task+service, tc.change[i]) {
					t.Fatalf("the files do not have %s", tc.change[i])
				}
				task, service = strings.Replace(task, tc.change[i], tc.change[i+1], 1), strings.Replace(service, tc.change[i], tc.change[i+1], 1)
			}
			got, err := compare(t, applied(t), task, service)
			if err != nil {
				t.Fatal(err)
			}
			slices.SortFunc(tc.want, func(a, b release.Difference) int { return strings.Compare(a.Where+a.Path, b.Where+b.Path) })
			slices.SortFunc(got, func(a, b release.Difference) int { return strings.Compare(a.Where+a.Path, b.Where+b.Path) })
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestCompareWithARevisionOfTheService: some settings are told of a service's revision only.
func TestCompareWithARevisionOfTheService(t *testing.T) {
	c := applied(t)
	file := strings.Replace(appliedService, `"tags"`, `"volumeConfigurations": [{"name": "data", "managedEBSVolume": {"roleArn": "arn:r", "sizeInGiB": 20}}], "tags"`, 1)
	c.deployments[0]["targetServiceRevision"] = body{"arn": "arn:r1"}
	c.On("DescribeServiceRevisions", awstest.Always(body{"serviceRevisions": []any{body{
		"serviceRevisionArn": "arn:r1", "volumeConfigurations": []any{body{"name": "data", "managedEBSVolume": body{"roleArn": "arn:r", "sizeInGiB": 10}}},
	}}}))
	got, err := compare(t, c, appliedTask, file)
	want := []release.Difference{{Where: "service medusa-service", Path: "volumeConfigurations[data].managedEBSVolume.sizeInGiB", From: "10", To: "20"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestCompareRefuses(t *testing.T) {
	cases := map[string]struct {
		old, new string
		prepare  func(*cloud)
		want     string
	}{
		"launch type": {`"launchType": "FARGATE"`, `"launchType": "EC2"`, nil,
			`ecs/service.json:2:111: "launchType" is EC2, but service medusa-service has FARGATE, and ECS does not change that` + "\n" + `  write "FARGATE", or take "launchType" out and write a capacityProviderStrategy`},
		"a strategy": {`"FARGATE"`, `"FARGATE"`, func(c *cloud) { delete(c.service, "launchType") },
			`"launchType" is FARGATE, but service medusa-service has a capacityProviderStrategy, and ECS does not change that` + "\n" + `  take "launchType" out`},
		"controller": {`"type": "ECS"`, `"type": "EXTERNAL"`, nil, `ecs/service.json:3:2: "deploymentController" is EXTERNAL, but service medusa-service has ECS`},
		"daemon":     {`"REPLICA"`, `"DAEMON"`, nil, `"schedulingStrategy" is DAEMON, but service medusa-service has REPLICA`},
		"role":       {`"tags"`, `"role": "arn:aws:iam::000000000000:role/lb", "tags"`, nil, `"role" is lb, but service medusa-service has none`},
		"cluster":    {`"medusa-cluster"`, `"elsewhere"`, nil, `ecs/service.json:2:35: the service belongs to cluster "elsewhere"`},
		"a slip":     {`"desiredCount"`, `"desiredCuont"`, nil, `unknown member "desiredCuont" in CreateService`},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := applied(t)
			if tc.prepare != nil {
				tc.prepare(c)
			}
			_, err := compare(t, c, appliedTask, strings.Replace(appliedService, tc.old, tc.new, 1))
			var wrong *orchestrator.DefinitionError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	c := applied(t)
	c.service = nil
	if _, err := compare(t, c, appliedTask, appliedService); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("of a service that does not exist: %v", err)
	}
}

func TestDeployAppliesSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		c.On("UpdateService", c.accept("ecs-svc/2", "arn:d2", 1))
		c.On("ListTagsForResource", awstest.Always(body{"tags": []any{body{"key": "team", "value": "till"}}}))
		c.On("TagResource", awstest.Always(body{}))
		got, err := c.orchestrator(t).Deploy(t.Context(), cluster, service, release.Change{TaskDefinition: arnOf("medusa", 8), Settings: definition(appliedTask, appliedService)})
		if err != nil || got.Deployment != "arn:d2" {
			t.Fatalf("got %+v, %v", got, err)
		}
		file := parsed(t, appliedService)
		for _, member := range []string{"serviceName", "launchType", "deploymentController", "schedulingStrategy", "tags"} {
			delete(file, member)
		}
		file["service"], file["taskDefinition"], file["forceNewDeployment"] = service, arnOf("medusa", 8), true
		if diff := cmp.Diff([]body{file}, c.Inputs("UpdateService")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]body{{"resourceArn": "arn:s", "tags": []any{body{"key": "team", "value": "shop"}}}}, c.Inputs("TagResource")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDeployMovesToATaskDefinition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		c.On("UpdateService", c.accept("ecs-svc/2", "arn:d2", 1))
		if _, err := c.orchestrator(t).Deploy(t.Context(), cluster, service, release.Change{TaskDefinition: "arn:t"}); err != nil {
			t.Fatal(err)
		}
		want := []body{{"cluster": cluster, "service": service, "taskDefinition": "arn:t", "forceNewDeployment": true}}
		if diff := cmp.Diff(want, c.Inputs("UpdateService")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDeployOfBrokenSettingsTouchesNothing(t *testing.T) {
	o := orchestrator.New(awstest.New(t).Session(t)) // which answers nothing
	_, err := o.Deploy(t.Context(), cluster, service, release.Change{Settings: definition(appliedTask, `{"serviceName": 1}`)})
	var wrong *orchestrator.DefinitionError
	if !errors.As(err, &wrong) {
		t.Errorf("got %v", err)
	}
}

func TestCreateWithAPinnedRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := emptyCloud(t)
		if _, err := c.orchestrator(t).Create(t.Context(), cluster, definition(taskFile, serviceFile), "arn:pinned"); err != nil {
			t.Fatal(err)
		}
		if got := c.Inputs("CreateService")[0]["taskDefinition"]; got != "arn:pinned" || c.Count("RegisterTaskDefinition") > 0 {
			t.Errorf("the service runs %v; registered %d times", got, c.Count("RegisterTaskDefinition"))
		}
	})
	synctest.Test(t, func(t *testing.T) { // somebody else has created it meanwhile, with another revision
		c := newCloud(t)
		c.On("DescribeClusters", awstest.Always(body{"clusters": []any{body{"status": "ACTIVE"}}}))
		c.On("UpdateService", c.accept("ecs-svc/2", "arn:d2", 1))
		if _, err := c.orchestrator(t).Create(t.Context(), cluster, definition(taskFile, serviceFile), "arn:pinned"); err != nil {
			t.Fatal(err)
		}
		if got := c.Inputs("UpdateService")[0]["taskDefinition"]; got != "arn:pinned" {
			t.Errorf("the service moves to %v", got)
		}
	})
}
