package release

import (
	"regexp"
	"slices"
	"strings"
)

// stopFacts are what a cause is known by: how a task stopped, or what ECS says of a rollout that has no task to show.
type stopFacts struct {
	task      Task
	container Container
	log       string // the container's last lines
}

// words are ECS's own texts.
func (f stopFacts) words() string { return f.task.StoppedReason + "\n" + f.container.Reason }

// cause is one row of the table below: how to know it, what to call it, and what to type next. Both may name what ECS's
// words name (see namings), and {container}, {exit}, {family}, {cluster} and {service}.
type cause struct {
	name    string
	matches func(f stopFacts) bool
	says    string
	next    []string
}

// What is typed next, where several rows say the same.
const (
	nextShip       = "then: medusa-deploy ship"
	nextLogs       = "medusa-deploy logs"
	nextStatus     = "medusa-deploy status"
	nextSecrets    = "aws ecs describe-task-definition --task-definition {family} --query 'taskDefinition.containerDefinitions[].secrets'"
	nextImages     = "aws ecs describe-task-definition --task-definition {family} --query 'taskDefinition.containerDefinitions[].image'"
	nextRole       = "aws ecs describe-task-definition --task-definition {family} --query taskDefinition.executionRoleArn"
	nextEvents     = "aws ecs describe-services --cluster {cluster} --services {service} --query 'services[0].events[:5]'"
	nextSubnets    = "check the service's subnets, security groups, assignPublicIp, and the VPC endpoints"
	nextDescribe   = "aws secretsmanager describe-secret --secret-id {secret}"
	nextParameter  = "aws ssm get-parameter --name {parameter}"
	nextDefinition = "correct `secrets` in the task definition, " + nextShip
)

// causes is ordered: the first row that matches explains the stop. The texts matched are ECS's own.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-event-messages-list.html
var causes = slices.Concat(programCauses, pullCauses, secretCauses, resourceCauses, placementCauses, runCauses)

// programCauses are of a program that the container runtime could not start.
var programCauses = []cause{
	{"architecture", anyOf(containing("exec format error"), logged("exec format error")),
		"the image was built for another CPU architecture than the task definition's runtimePlatform",
		[]string{"set image.platforms in medusa-deploy.yaml to the task definition's architecture, " + nextShip}},
	{"no executable", anyOf(containing("executable file not found", "no such file or directory: unknown"), logged("exec /", "no such file or directory")),
		"the image's entry point, or the task definition's command, names a program that is not in the image",
		[]string{"check ENTRYPOINT and CMD in the Dockerfile and `command` in the task definition, " + nextShip}},
}

// pullCauses are of images.
var pullCauses = []cause{
	{"pull not found", allOf(pullError("not found", "manifest unknown", "name unknown", "does not exist"), naming("image")),
		"the image {image} is not in the registry",
		[]string{nextImages, "push the missing image, or correct the task definition"}},
	{"pull unnamed not found", pullError("not found", "manifest unknown", "name unknown", "does not exist"),
		"an image that the task definition names is not in the registry",
		[]string{nextImages, "push the missing image, or correct the task definition"}},
	{"pull limit", pullError("toomanyrequests", "rate limit"),
		"the registry lets nobody pull any more for now: its limit for this address or account is reached",
		[]string{"copy the image to ECR and name it there in the task definition, or wait, " + nextShip}},
	{"pull no space", pullError("no space left on device"),
		"the image does not fit on the task's disk",
		[]string{"make the image smaller, or raise `ephemeralStorage` in the task definition, " + nextShip}},
	{"pull denied", pullError("403", "denied", "not authorized", "unauthorized", "no basic auth"),
		"ECS may not pull the image: the execution role lacks ecr:BatchGetImage, ecr:GetDownloadUrlForLayer or ecr:GetAuthorizationToken",
		[]string{nextRole, "attach AmazonECSTaskExecutionRolePolicy to that role, " + nextShip}},
	{"pull no route", pullError(noRoute...),
		"the task's subnet has no way to the registry (no public IP, NAT gateway or VPC endpoint)",
		[]string{nextSubnets}},
	{"pull", pullError(""), "ECS could not pull the image", []string{nextStatus}},
	{"registry login denied", allOf(containing("unable to retrieve ecr registry auth"), containing(denied...)),
		"ECS may not log in to the registry: the execution role lacks ecr:GetAuthorizationToken",
		[]string{nextRole, "attach AmazonECSTaskExecutionRolePolicy to that role, " + nextShip}},
	{"registry login", containing("unable to retrieve ecr registry auth"),
		"the task's subnet has no way to the registry (no public IP, NAT gateway or VPC endpoint)",
		[]string{nextSubnets}},
}

// secretCauses are of the secrets of a container definition.
var secretCauses = []cause{
	{"secret denied", allOf(fromSecretsManager, containing(denied...), naming("secret")),
		"the execution role may not read the secret {secret}: it lacks secretsmanager:GetSecretValue on it, or kms:Decrypt on its key",
		[]string{nextRole, "allow that role to read the secret, " + nextShip}},
	{"secret deleted", allOf(containing("marked for deletion"), naming("secret")),
		"the secret {secret} was deleted, and waits for its recovery window to end",
		[]string{"aws secretsmanager restore-secret --secret-id {secret}", nextShip}},
	{"secret without value", allOf(containing("can't find the specified secret value"), naming("secret")),
		"the secret {secret} exists, but not the version of it that the task definition asks for",
		[]string{nextDescribe, "aws secretsmanager put-secret-value --secret-id {secret} --secret-string file://FILE, or " + nextDefinition}},
	{"secret missing", allOf(containing("ResourceNotFoundException", "can't retrieve the secret with ARN"), naming("secret")),
		"the secret {secret} does not exist",
		[]string{nextDescribe, "create it (aws secretsmanager create-secret), or " + nextDefinition}},
	{"secret no route", allOf(fromSecretsManager, containing(noRoute...), naming("secret")),
		"the task's subnet has no way to AWS Secrets Manager (no public IP, NAT gateway or VPC endpoint), where the secret {secret} is",
		[]string{nextSubnets}},
	{"secret key", allOf(fromSecretsManager, naming("key")),
		"a secret's JSON has no key {key}",
		[]string{nextSecrets, "add the key to that secret (aws secretsmanager put-secret-value), or " + nextDefinition}},
	{"secret not JSON", allOf(fromSecretsManager, containing("looking for beginning of value", "cannot unmarshal", "unexpected end of JSON")),
		"a secret of which the task definition wants one key is not a JSON object",
		[]string{nextSecrets, "put a JSON object into that secret (aws secretsmanager put-secret-value), or " + nextDefinition}},
	{"parameter missing", naming("parameter"),
		"the parameter {parameters} does not exist in Parameter Store",
		[]string{nextParameter, "create it (aws ssm put-parameter), or " + nextDefinition}},
	{"parameter denied", allOf(fromParameterStore, containing(denied...)),
		"the execution role may not read a parameter of Parameter Store: it lacks ssm:GetParameters on it, or kms:Decrypt on its key",
		[]string{nextRole, "allow that role to read what `secrets` in the task definition name, " + nextShip}},
	{"parameter no route", allOf(fromParameterStore, containing(noRoute...)),
		"the task's subnet has no way to Parameter Store (no public IP, NAT gateway or VPC endpoint)",
		[]string{nextSubnets}},
	{"secret", anyOf(fromSecretsManager, fromParameterStore),
		"a secret that the task definition names could not be read",
		[]string{nextSecrets}},
}

// resourceCauses are of what else a task needs before it starts.
var resourceCauses = []cause{
	{"log group", allOf(containing("log group does not exist"), naming("group")),
		"the log group {group} does not exist",
		[]string{"aws logs create-log-group --log-group-name {group}"}},
	{"log group unnamed", containing("log group does not exist"),
		"the log group that the task definition names does not exist",
		[]string{"aws logs create-log-group --log-group-name <the awslogs-group of the task definition>"}},
	{"log denied", allOf(loggerArgs, containing(denied...)),
		"the execution role may not write to the log group: it lacks logs:CreateLogStream, logs:PutLogEvents, or logs:CreateLogGroup for awslogs-create-group",
		[]string{nextRole, "attach AmazonECSTaskExecutionRolePolicy to that role, and allow logs:CreateLogGroup if the task definition asks for it, " + nextShip}},
	{"log no route", allOf(loggerArgs, containing(append([]string{"connection issue", "signal: killed"}, noRoute...)...)),
		"the task's subnet has no way to CloudWatch Logs (no public IP, NAT gateway or VPC endpoint), or the log group does not exist there",
		[]string{nextSubnets}},
	{"log", loggerArgs,
		"the task definition's logConfiguration does not work as it is",
		[]string{"aws ecs describe-task-definition --task-definition {family} --query 'taskDefinition.containerDefinitions[].logConfiguration'"}},
	{"role", containing("unable to assume the role"),
		"ECS cannot use a role of the task definition: it does not exist, or does not trust ecs-tasks.amazonaws.com",
		[]string{"aws ecs describe-task-definition --task-definition {family} --query 'taskDefinition.[executionRoleArn,taskRoleArn]'"}},
	{"resources", containing("ResourceInitializationError"),
		"ECS could not prepare what the task needs before it starts", []string{nextStatus}},
}

// placementCauses are of tasks for which there is no place.
var placementCauses = []cause{
	{"host port", containing("already using a port required by your task", "RESOURCE:PORTS", "port is already allocated", "address already in use"),
		"a port of the container instance that the task wants for itself is taken: two tasks with the same hostPort cannot run on one instance",
		[]string{"set hostPort to 0 or networkMode to awsvpc in the task definition, or lower minimumHealthyPercent so that the old task stops first"}},
	{"capacity", containing("Capacity is unavailable at this time", "capacity is unavailable at this time"),
		"AWS has no free capacity for a task of this size in the service's subnets at this time",
		[]string{"try again later, or add subnets in other availability zones to the service, " + nextShip}},
	{"task limit", containing("limit on the number of tasks", "limit on the number of vCPUs"),
		"the account's quota of tasks or vCPUs that run at once is reached",
		[]string{"ask for a higher quota, or stop tasks that nobody needs: aws service-quotas list-service-quotas --service-code fargate"}},
	{"no instances", containing("No Container Instances were found"),
		"the cluster has no container instance to run the task on",
		[]string{"aws ecs list-container-instances --cluster {cluster}", "register an instance, or use the launch type FARGATE"}},
	{"room", containing("RESOURCE:CPU", "RESOURCE:MEMORY", "RESOURCE:ENI", "insufficient CPU", "insufficient memory"),
		"no container instance of the cluster has enough free CPU, memory or network interfaces for another task",
		[]string{nextEvents, "add an instance, or lower `cpu` and `memory` in the task definition"}},
	{"placement", containing("no container instance met all of its requirements", "unable to place a task"),
		"no container instance of the cluster meets what the task requires (attributes, placement constraints, architecture)",
		[]string{nextEvents}},
}

// runCauses are of programs that ran.
var runCauses = []cause{
	{"memory", outOfMemory,
		"the container used more memory than the task definition gives it and was killed",
		[]string{"raise `memory` in the task definition, or find what grew: " + nextLogs}},
	{"container health", containing("failed container health checks"),
		"the container ran, but its health check (task definition, healthCheck) never passed",
		[]string{nextLogs, "check healthCheck.command and startPeriod in the task definition"}},
	{"target health", containing("failed ELB health checks"),
		"the container ran, but the load balancer's health check never passed",
		[]string{nextLogs, "check the target group's path and port, and healthCheckGracePeriodSeconds of the service"}},
	{"port in use", portInUse,
		"the program in container {container} could not listen: another program of the task has its port already",
		[]string{nextLogs, "give each container of the task, and each program in it, a port of its own"}},
	{"never ran", neverRan,
		"the container's program ended with exit code 255 and without a word: most likely it never ran, because it is for another CPU architecture or the entry point is not an executable",
		[]string{"check image.platforms in medusa-deploy.yaml against the task definition's runtimePlatform, and the Dockerfile's ENTRYPOINT"}},
	{"crash", crashed,
		"the program in container {container} ended by itself with exit code {exit}",
		[]string{nextLogs}},
}

// Words for what several services answer.
var (
	denied  = []string{"AccessDenied", "not authorized to perform", "Access to KMS is not allowed"}
	noRoute = []string{"timeout", "timed out", "dial tcp", "no route", "deadline exceeded", "RequestCanceled", "connection issue"}
)

var (
	fromSecretsManager = containing("unable to retrieve secret from asm", "AWS Secrets Manager", "from secrets manager")
	fromParameterStore = containing("unable to retrieve secrets from ssm", "SSM Parameter Store")
	loggerArgs         = containing("failed to validate logger args", "failed to initialize logging driver")
)

// namings find what ECS's words name. The first group of a pattern is the name; it takes only what may stand in a command.
var namings = map[string]*regexp.Regexp{
	"secret":     regexp.MustCompile(`(?:failed to fetch secret |secret with ARN ')([A-Za-z0-9:/_+=.@!-]+)`),
	"key":        regexp.MustCompile(`did not contain json key ([^\s'";|&$]+)`),
	"parameter":  regexp.MustCompile(`invalid (?:ssm )?parameters: ([A-Za-z0-9_./:-]+)`),
	"parameters": regexp.MustCompile(`invalid (?:ssm )?parameters: ([A-Za-z0-9_./:, -]*[A-Za-z0-9_/])`),
	"group":      regexp.MustCompile(`log group does not exist\.? ?: ([A-Za-z0-9._/#-]+)`),
	"image":      regexp.MustCompile(`(?:failed to resolve ref |failed to pull |manifest for )([A-Za-z0-9.:/_@-]*[A-Za-z0-9])`),
}

// naming matches words that name such a thing.
func naming(what string) func(stopFacts) bool {
	pattern := namings[what]
	return func(f stopFacts) bool { return pattern.MatchString(f.words()) }
}

// named gives what the words name, as pairs for a replacer.
func (f stopFacts) named() []string {
	var pairs []string
	for what, pattern := range namings {
		if match := pattern.FindStringSubmatch(f.words()); match != nil {
			pairs = append(pairs, "{"+what+"}", match[1])
		}
	}
	return pairs
}

func containing(texts ...string) func(stopFacts) bool {
	return func(f stopFacts) bool {
		return slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(f.words(), s) })
	}
}

// logged matches a container that never got to run its program: its whole log is one line, of the container runtime, that
// has all of the texts.
func logged(texts ...string) func(stopFacts) bool {
	return func(f stopFacts) bool {
		line := strings.TrimSpace(f.log)
		return strings.HasPrefix(line, "exec ") && !strings.Contains(line, "\n") &&
			!slices.ContainsFunc(texts, func(s string) bool { return !strings.Contains(line, s) })
	}
}

func anyOf(matches ...func(stopFacts) bool) func(stopFacts) bool {
	return func(f stopFacts) bool {
		return slices.ContainsFunc(matches, func(m func(stopFacts) bool) bool { return m(f) })
	}
}

func allOf(matches ...func(stopFacts) bool) func(stopFacts) bool {
	return func(f stopFacts) bool {
		return !slices.ContainsFunc(matches, func(m func(stopFacts) bool) bool { return !m(f) })
	}
}

func pullError(texts ...string) func(stopFacts) bool {
	return func(f stopFacts) bool {
		words := f.words()
		return strings.Contains(words, "CannotPull") &&
			slices.ContainsFunc(texts, func(s string) bool { return strings.Contains(strings.ToLower(words), s) })
	}
}

func outOfMemory(f stopFacts) bool {
	return strings.Contains(f.words(), "OutOfMemory") ||
		f.container.ExitCode != nil && *f.container.ExitCode == 137 && f.task.StopCode == "EssentialContainerExited"
}

// portInUse is a program that says of itself that it could not listen: Linux's words, or Node's.
func portInUse(f stopFacts) bool {
	return crashed(f) && *f.container.ExitCode != 0 && (strings.Contains(f.log, "address already in use") || strings.Contains(f.log, "EADDRINUSE"))
}

// neverRan is a container that its runtime gave up on: it ends with 255 then.
func neverRan(f stopFacts) bool {
	return crashed(f) && *f.container.ExitCode == 255 && strings.TrimSpace(f.log) == ""
}

func crashed(f stopFacts) bool {
	return f.task.StopCode == "EssentialContainerExited" && f.container.ExitCode != nil
}
