package release

import (
	"context"
	"slices"
	"strings"
	"testing"
)

func stopped(code, reason string, c Container) Task {
	c.Name = "medusa"
	return Task{
		ARN: "arn:aws:ecs:us-east-1:1:task/shop/0123", ID: "0123", Service: "web", TaskDefinition: "arn:aws:ecs:us-east-1:1:task-definition/medusa:7",
		LastStatus: "STOPPED", StopCode: code, StoppedReason: reason, Containers: []Container{c},
	}
}

func code(n int) *int { return &n }

// failedStart is a task that never ran, in ECS's words.
func failedStart(reason string) Task { return stopped("TaskFailedToStart", reason, Container{}) }

// exited is a task whose container ended.
func exited(exit int, reason string) Task {
	return stopped("EssentialContainerExited", "Essential container in task exited", Container{ExitCode: code(exit), Reason: reason})
}

const (
	unableToPull = "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
	fromASM      = unableToPull + "unable to retrieve secret from asm: service call has been retried 1 time(s): "
	fetchSecret  = fromASM + "failed to fetch secret " + sampleSecret + " from secrets manager: "
	fromSSM      = unableToPull + "unable to retrieve secrets from ssm: service call has been retried 1 time(s): "
	sampleSecret = "arn:aws:secretsmanager:us-east-1:1:secret:medusa/db-AbCdEf"
	unplaced     = "(service web) was unable to place a task because no container instance met all of its requirements. "
)

// sample is one stop in ECS's own words, with what the explanation must say and what must be there to type.
type sample struct {
	task Task
	log  string
	says string
	next string
}

// samples hold one stop for every row of the table.
var samples = map[string]sample{
	"architecture":  {failedStart("CannotStartContainerError: failed to create task: exec /hello: exec format error"), "", "architecture", "image.platforms"},
	"no executable": {failedStart(`CannotStartContainerError: exec: "node": executable file not found in $PATH: unknown`), "", "not in the image", "ENTRYPOINT"},

	"pull not found": {failedStart("CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref 1.dkr.ecr.us-east-1.amazonaws.com/medusa:x: 1.dkr.ecr.us-east-1.amazonaws.com/medusa:x: not found"),
		"", "the image 1.dkr.ecr.us-east-1.amazonaws.com/medusa:x is not in the registry", "--task-definition medusa "},
	"pull unnamed not found": {failedStart("CannotPullContainerError: Error response from daemon: repository does not exist"), "", "not in the registry", "containerDefinitions[].image"},
	"pull limit":             {failedStart("CannotPullContainerError: inspect image has been retried 1 time(s): httpReadSeeker: failed open: 429 Too Many Requests - toomanyrequests: You have reached your unauthenticated pull rate limit"), "", "limit", "ECR"},
	"pull no space":          {failedStart("CannotPullContainerError: failed to register layer: write /app: no space left on device"), "", "disk", "ephemeralStorage"},
	"pull denied":            {failedStart("CannotPullECRContainerError: AccessDeniedException: User is not authorized to perform: ecr:BatchGetImage"), "", "execution role", "AmazonECSTaskExecutionRolePolicy"},
	"pull no route":          {failedStart("CannotPullContainerError: dial tcp 52.1.1.1:443: i/o timeout"), "", "subnet", "VPC endpoints"},
	"pull":                   {failedStart("CannotPullContainerError: unexpected EOF"), "", "could not pull", "medusa-deploy status"},
	"registry login denied": {failedStart(unableToPull + "unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::1:assumed-role/r/t is not authorized to perform: ecr:GetAuthorizationToken on resource: *"),
		"", "ecr:GetAuthorizationToken", "AmazonECSTaskExecutionRolePolicy"},
	"registry login": {failedStart(unableToPull + "unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused by: Post https://api.ecr.us-east-1.amazonaws.com/: dial tcp 52.1.1.1:443: i/o timeout"),
		"", "no way to the registry", "VPC endpoints"},

	"secret denied": {failedStart(fetchSecret + "AccessDeniedException: User: arn:aws:sts::1:assumed-role/r/t is not authorized to perform: secretsmanager:GetSecretValue on resource: " + sampleSecret),
		"", "the execution role may not read the secret " + sampleSecret, "taskDefinition.executionRoleArn"},
	"secret deleted": {failedStart(fetchSecret + "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."),
		"", sampleSecret + " was deleted", "aws secretsmanager restore-secret --secret-id " + sampleSecret},
	"secret without value": {failedStart(fetchSecret + "ResourceNotFoundException: Secrets Manager can't find the specified secret value for staging label: AWSCURRENT"),
		"", sampleSecret + " exists, but not the version", "aws secretsmanager put-secret-value --secret-id " + sampleSecret},
	"secret missing": {failedStart(fetchSecret + "ResourceNotFoundException: Secrets Manager can't find the specified secret."),
		"", "the secret " + sampleSecret + " does not exist", "aws secretsmanager describe-secret --secret-id " + sampleSecret},
	"secret no route": {failedStart(fetchSecret + "RequestCanceled: request context canceled caused by: context deadline exceeded. Please check your task network configuration."),
		"", "no way to AWS Secrets Manager", "VPC endpoints"},
	"secret key":      {failedStart(fromASM + "retrieved secret from Secrets Manager did not contain json key PASSWORD"), "", "no key PASSWORD", "containerDefinitions[].secrets"},
	"secret not JSON": {failedStart(fromASM + `invalid character '\'' looking for beginning of value`), "", "not a JSON object", "put-secret-value"},
	"parameter missing": {failedStart(fromSSM + "invalid ssm parameters: /medusa/jwt,/medusa/cookie"),
		"", "the parameter /medusa/jwt,/medusa/cookie does not exist", "aws ssm get-parameter --name /medusa/jwt"},
	"parameter denied": {failedStart(fromSSM + "AccessDeniedException: User: arn:aws:sts::1:assumed-role/r/t is not authorized to perform: ssm:GetParameters on resource: arn:aws:ssm:us-east-1:1:parameter/medusa/jwt"),
		"", "ssm:GetParameters", "taskDefinition.executionRoleArn"},
	"parameter no route": {failedStart(fromSSM + "RequestCanceled: request context canceled caused by: context deadline exceeded"), "", "no way to Parameter Store", "VPC endpoints"},
	"secret":             {failedStart(fromASM + "InternalServiceError: An error occurred on the server side."), "", "could not be read", "containerDefinitions[].secrets"},

	"log group": {failedStart("ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : /ecs/medusa"),
		"", "the log group /ecs/medusa does not exist", "aws logs create-log-group --log-group-name /ecs/medusa"},
	"log group unnamed": {failedStart("CannotStartContainerError: failed to initialize logging driver: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist."), "", "log group", "create-log-group"},
	"log denied": {failedStart("ResourceInitializationError: failed to validate logger args: create log group: AccessDeniedException: User: arn:aws:sts::1:assumed-role/r/t is not authorized to perform: logs:CreateLogGroup"),
		"", "logs:CreateLogGroup", "taskDefinition.executionRoleArn"},
	"log no route": {failedStart("ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task definition. There is a connection issue between the task and Amazon CloudWatch. Check your network configuration. : signal: killed"),
		"", "no way to CloudWatch Logs", "VPC endpoints"},
	"log":       {failedStart("ResourceInitializationError: failed to validate logger args: unable to get awslogs driver arguments: awslogs-region is required"), "", "logConfiguration", "containerDefinitions[].logConfiguration"},
	"role":      {failedStart("ECS was unable to assume the role 'arn:aws:iam::1:role/r' that was provided for this task. Please verify that the role being passed has the proper trust relationship."), "", "trust", "taskRoleArn"},
	"resources": {failedStart("ResourceInitializationError: failed to invoke EFS utils"), "", "prepare", "medusa-deploy status"},

	"host port": {failedStart(unplaced + "The closest matching (container-instance 3f4de1c5) is already using a port required by your task."), "", "hostPort", "awsvpc"},
	"capacity": {failedStart("Capacity is unavailable at this time. Please try again later or in a different availability zone"),
		"", "no free capacity", "availability zones"},
	"task limit":   {failedStart("(service web) was unable to place a task. Reason: You've reached the limit on the number of vCPUs you can run concurrently."), "", "quota", "service-quotas"},
	"no instances": {failedStart(unplaced + "Reason: No Container Instances were found in your cluster."), "", "no container instance to run the task on", "list-container-instances --cluster shop"},
	"room":         {failedStart(unplaced + "The closest matching (container-instance 40f53686) has insufficient memory available."), "", "enough free CPU, memory", "--cluster shop --services web"},
	"placement":    {failedStart(unplaced + "The closest matching (container-instance 40f53686) is missing an attribute required by your task."), "", "meets what the task requires", "services[0].events"},

	"memory":           {exited(137, "OutOfMemoryError: Container killed due to memory usage"), "", "more memory", "raise `memory`"},
	"container health": {stopped("ServiceSchedulerInitiated", "Task failed container health checks", Container{}), "", "health check", "startPeriod"},
	"target health":    {stopped("ServiceSchedulerInitiated", "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/m/1)", Container{}), "", "load balancer", "healthCheckGracePeriodSeconds"},
	"port in use":      {exited(1, ""), "hello: listen tcp :9000: bind: address already in use", "container medusa could not listen", "port of its own"},
	"never ran":        {exited(255, ""), "", "never ran", "image.platforms"},
	"crash":            {exited(3, ""), "", "container medusa ended by itself with exit code 3", "medusa-deploy logs"},
}

func TestExplainTask(t *testing.T) {
	for _, row := range causes {
		sample, ok := samples[row.name]
		if !ok {
			t.Errorf("cause %q has no sample", row.name)
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			first := slices.IndexFunc(causes, func(c cause) bool { return c.matches(stopFacts{sample.task, sample.task.culprit(), sample.log}) })
			if first < 0 || causes[first].name != row.name {
				t.Fatalf("the sample is taken for %d", first)
			}
			got := ExplainTask(sample.task, strings.Split(sample.log, "\n"))
			if !strings.Contains(got.Cause, sample.says) {
				t.Errorf("cause = %q, want one that says %q", got.Cause, sample.says)
			}
			if next := strings.Join(got.Next, "\n"); !strings.Contains(next, sample.next) || strings.ContainsAny(next+got.Cause, "{}") {
				t.Errorf("next = %q, want something with %q, and nothing left open", next, sample.next)
			}
			if !strings.Contains(got.Reason, sample.task.StoppedReason) {
				t.Errorf("reason = %q, want ECS's own words %q", got.Reason, sample.task.StoppedReason)
			}
		})
	}
	if len(samples) != len(causes) {
		t.Errorf("%d samples for %d causes", len(samples), len(causes))
	}
}

// Other words for the same causes, as other versions of ECS's agents say them.
func TestExplainTaskInOtherWords(t *testing.T) {
	for words, cause := range map[string]string{
		"ResourceInitializationError: The task can't retrieve the secret with ARN '" + sampleSecret + "' from AWS Secrets Manager. Check that the secret ARN is correct":                "the secret " + sampleSecret + " does not exist",
		fetchSecret + "AccessDeniedException: Access to KMS is not allowed":                                                                                                             "may not read the secret " + sampleSecret,
		"fetching secret data from SSM Parameter Store in us-east-1: AccessDeniedException: User: arn:aws:sts::1:assumed-role/r/t is not authorized to perform: ssm:GetParameters":      "may not read a parameter",
		"fetching secret data from SSM Parameter Store in us-east-1: invalid parameters: /medusa/jwt":                                                                                   "the parameter /medusa/jwt does not exist",
		"CannotStartContainerError: Error response from daemon: driver failed programming external connectivity on endpoint web: Bind for 0.0.0.0:80 failed: port is already allocated": "hostPort",
		"RESOURCE:CPU": "enough free CPU",
		"ResourceInitializationError: unable to pull secrets or registry auth: pull command failed: : signal: killed": "could not prepare",
	} {
		if got := ExplainTask(failedStart(words), nil); !strings.Contains(got.Cause, cause) {
			t.Errorf("%s\nis explained by %q, want %q", words, got.Cause, cause)
		}
	}
	if got := ExplainTask(exited(1, ""), []string{"Error: listen EADDRINUSE: address already in use :::9000"}); !strings.Contains(got.Cause, "could not listen") {
		t.Errorf("Node's words: %q", got.Cause)
	}
	if got := ExplainTask(exited(0, ""), []string{"address already in use, trying the next one"}); strings.Contains(got.Cause, "could not listen") {
		t.Errorf("a program that ended well: %q", got.Cause)
	}
}

// What ECS's words name goes into a command that a person will type: nothing of a shell may be in it.
func FuzzExplainTask(f *testing.F) {
	for _, s := range samples {
		f.Add(s.task.StoppedReason)
	}
	f.Fuzz(func(t *testing.T, words string) {
		facts := stopFacts{task: failedStart(words)}
		for _, pair := range slices.Collect(slices.Chunk(facts.named(), 2)) {
			if strings.ContainsAny(pair[1], "'\"`;|&$<>()\\\n\t") || pair[1] == "" {
				t.Errorf("%s = %q", pair[0], pair[1])
			}
		}
		ExplainTask(facts.task, nil)
	})
}

func TestExplainTaskNamesTheContainerThatFailed(t *testing.T) {
	task := exited(0, "")
	task.Containers = append(task.Containers, Container{Name: "sidecar", ExitCode: code(2)})
	got := ExplainTask(task, nil)
	if got.ExitCode == nil || *got.ExitCode != 2 || !strings.Contains(got.Cause, "sidecar") {
		t.Errorf("explanation = %+v, want the sidecar's exit code 2", got)
	}
}

func TestExplainTaskReadsTheRuntimesLine(t *testing.T) {
	tests := map[string]string{
		"exec /hello: exec format error":                  "architecture",
		"exec /hello: no such file or directory":          "not in the image",
		"app: exec /hello: exec format error":             "ended by itself",
		"started\nexec /hello: exec format error":         "ended by itself",
		"exec /bin/sh: permission denied, says my script": "ended by itself",
	}
	for log, says := range tests {
		if got := ExplainTask(exited(255, ""), strings.Split(log, "\n")); !strings.Contains(got.Cause, says) {
			t.Errorf("log %q: cause = %q, want one that says %q", log, got.Cause, says)
		}
	}
}

// A rollout that ends with no task to blame is explained by what ECS says of it.
func TestExplainRollout(t *testing.T) {
	say := func(texts ...string) (all []ServiceMessage) {
		for _, text := range texts {
			all = append(all, ServiceMessage{Text: text})
		}
		return all
	}
	failure := failf(OutcomeTimedOut, ExitTimedOut, "the rollout did not end within 15m0s")
	for name, tt := range map[string]struct {
		last   Observation
		says   string
		reason string
		next   string
	}{
		"an alarm": {Observation{Status: statusRollbackSuccessful, StatusReason: "Deployment failed: alarm(s) detected", Alarms: []string{"5xx", "shop's pages"}},
			"CloudWatch alarm went off: 5xx, shop's pages", "Deployment failed: alarm(s) detected", "aws cloudwatch describe-alarms --alarm-names '5xx' 'shop'\\''s pages'"},
		"an alarm without a name": {Observation{Status: statusStopped, StatusReason: "ECS deployment ecs-svc/1 failed: alarm detected."},
			"a CloudWatch alarm went off", "alarm detected", "--state-value ALARM"},
		"an alarm that changed nothing": {Observation{Status: statusSuccessful, Alarms: []string{"5xx"}}, "did not end within 15m0s", "", "medusa-deploy status"},
		"no capacity": {Observation{Messages: say("(service web) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone.", "(service web) has started 1 tasks: (task 1).")},
			"no free capacity", "Capacity is unavailable", "try again later"},
		"no room": {Observation{Messages: say(unplaced + "The closest matching (container-instance 4) has insufficient CPU units available.")},
			"enough free CPU", "insufficient CPU", "--cluster shop --services web"},
		"a host port": {Observation{Messages: say(unplaced+"Reason: No Container Instances were found in your cluster.", unplaced+"The closest matching (container-instance 4) is already using a port required by your task.")},
			"hostPort", "already using a port", "awsvpc"},
		"nothing known":  {Observation{Messages: say("(service secrets-and-capacity) has started 1 tasks: (task 1).")}, "did not end within 15m0s", "has started 1 tasks", "medusa-deploy status"},
		"nothing at all": {Observation{}, "did not end within 15m0s", "", "medusa-deploy logs"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &run{}
			got := r.explain(context.Background(), Target{Cluster: "shop"}, []*move{{name: "web", last: tt.last}}, nil, failure)
			if !strings.Contains(got.Cause, tt.says) || !strings.Contains(got.Reason, tt.reason) || !strings.Contains(strings.Join(got.Next, "\n"), tt.next) {
				t.Errorf("explanation = %+v, want %q, %q, %q", got, tt.says, tt.reason, tt.next)
			}
		})
	}
}
