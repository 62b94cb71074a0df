package check

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// apps are the containers that run the image of the release.
func (v view) apps() []release.ContainerDefinition {
	var found []release.ContainerDefinition
	for _, c := range v.facts.TaskDefinition.Containers {
		if r := parseReference(c.Image); r.name == v.target.Repository && v.inRegistry(r.host) {
			found = append(found, c)
		}
	}
	return found
}

// whereText names the task definition and, where it is a file that holds the text, the line.
func (v view) whereText(text string) string {
	at := bytes.Index(v.def.TaskDefinition, []byte(strconv.Quote(text)))
	if !v.fromFiles || at < 0 {
		return v.whereTask()
	}
	return fmt.Sprintf("%s:%d", v.def.TaskDefinitionPath, 1+bytes.Count(v.def.TaskDefinition[:at], []byte("\n")))
}

// judgeGrace: what the load balancer says of a task's health counts from the start, whatever the container's own health
// check allows for.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html (healthCheckGracePeriodSeconds)
func judgeGrace(v view) []release.Finding {
	if !v.facts.LoadBalanced || v.facts.GracePeriod > 0 {
		return nil
	}
	var slowest release.ContainerDefinition
	for _, c := range v.facts.TaskDefinition.Containers {
		if c.StartPeriod > slowest.StartPeriod {
			slowest = c
		}
	}
	if slowest.StartPeriod == 0 {
		return nil
	}
	seconds := int((slowest.StartPeriod + leastGrace).Seconds())
	return one(finding(codeGrace, v.whereService(),
		fmt.Sprintf("container %s may take %s to start, and healthCheckGracePeriodSeconds is 0", slowest.Name, span(slowest.StartPeriod)),
		"ECS stops the task as soon as the load balancer calls it unhealthy, which may be before it has started",
		changeService(v, fmt.Sprintf("healthCheckGracePeriodSeconds to %d", seconds), fmt.Sprintf("--health-check-grace-period-seconds %d", seconds))))
}

// leastGrace is what a load balancer takes on top of the app's own start: two checks, 30 seconds apart.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html
const leastGrace = time.Minute

// usualInterval is how far apart ECS's health checks are when nothing is said.
const usualInterval = 30 * time.Second

// judgeRareHealth: ECS calls a deployment successful once the first checks pass, and a release waits for `settle` more. A
// check that comes later than that is seen by nobody.
func judgeRareHealth(v view) []release.Finding {
	for _, c := range v.apps() {
		if v.target.Local || c.HealthInterval <= usualInterval || c.HealthInterval < v.target.Settle {
			continue
		}
		return one(finding(codeRareHealth, v.whereTask(), fmt.Sprintf("container %s has its health checked every %s", c.Name, span(c.HealthInterval)),
			fmt.Sprintf("each new task keeps the rollout waiting that long for its first check, and an app that breaks after it is found long after the release is green (settle is %s)", span(v.target.Settle)),
			changeTaskDefinition(v, "set interval to 10 in the container's healthCheck")))
	}
	return nil
}

// judgeEssential: ECS looks at essential containers alone.
func judgeEssential(v view) []release.Finding {
	apps := v.apps()
	for _, c := range apps {
		if c.Essential {
			return nil
		}
	}
	if len(apps) == 0 {
		return nil
	}
	return one(finding(codeNotEssential, v.whereTask(), "container "+apps[0].Name+" has essential: false",
		"when the app dies its task goes on without it: ECS replaces nothing, and a rollout of an app that crashes counts as successful",
		changeTaskDefinition(v, "set essential to true on the container")))
}

// leastStop is the stop timeout below which requests that are in flight are likely to be cut off.
const leastStop = 10 * time.Second

// judgeStop: after SIGTERM an app has this long to finish what it does.
func judgeStop(v view) []release.Finding {
	for _, c := range v.apps() {
		if c.StopTimeout == nil || *c.StopTimeout >= leastStop {
			continue
		}
		return one(finding(codeStopTimeout, v.whereTask(), fmt.Sprintf("container %s has stopTimeout %d", c.Name, int(c.StopTimeout.Seconds())),
			"at every rollout and scale-in ECS kills the old tasks that soon after SIGTERM, with the requests and jobs that they are busy with",
			changeTaskDefinition(v, "set stopTimeout to the longest request and more, or leave it out (30 s)")))
	}
	return nil
}

// judgeSecrets: ECS reads every secret before it starts a container. Only names are looked at.
func judgeSecrets(v view) []release.Finding {
	var findings []release.Finding
	for _, c := range v.facts.TaskDefinition.Containers {
		for _, s := range c.Secrets {
			err := v.seen.secrets[s.From]
			if !errors.Is(err, release.ErrNotFound) {
				continue
			}
			reason, _, _ := strings.Cut(err.Error(), "\n")
			where := v.whereText(s.From)
			if !v.fromFiles {
				where = "container " + c.Name + " of " + where
			}
			findings = append(findings, finding(codeSecret, where, nameOf(s)+" to come from "+s.From+": "+reason,
				"no task can be started (ResourceInitializationError)", createSecret(v.target, s)))
		}
	}
	return findings
}

// nameOf says what a secret is for.
func nameOf(s release.SecretReference) string {
	if s.Name == "" {
		return "the registry's credentials are"
	}
	return s.Name + " is"
}

// createSecret is how to make a secret without its value in the shell's history.
func createSecret(t release.Target, s release.SecretReference) string {
	parts := strings.Split(s.From, ":")
	if len(parts) >= 7 && parts[2] == "secretsmanager" {
		name := parts[6]
		if i := strings.LastIndex(name, "-"); i > 0 && len(name)-i == 7 { // the six characters that Secrets Manager adds
			name = name[:i]
		}
		return aws(t, "secretsmanager create-secret --name "+name+" --secret-string file:///dev/stdin") + ", and put the ARN that it prints in the task definition; or correct valueFrom"
	}
	name := s.From
	if _, after, ok := strings.Cut(s.From, ":parameter/"); ok {
		if name = after; strings.Contains(after, "/") {
			name = "/" + after
		}
	}
	return aws(t, "ssm put-parameter --name "+name+" --type SecureString --value file:///dev/stdin") + "; or correct valueFrom"
}

// judgeLogGroups: without its log group a container does not start.
func judgeLogGroups(v view) []release.Finding {
	var findings []release.Finding
	for _, c := range v.facts.TaskDefinition.Containers {
		g := logGroup{c.LogRegion, c.LogGroup}
		if c.LogGroup == "" || c.LogCreatesGroup || !errors.Is(v.seen.groups[g], release.ErrNotFound) {
			continue
		}
		in := v.target
		in.Region = orElse(c.LogRegion, in.Region)
		findings = append(findings, finding(codeLogGroup, v.whereText(c.LogGroup), "there is no log group "+c.LogGroup+" in "+in.Region,
			"no task can be started (ResourceInitializationError)", aws(in, "logs create-log-group --log-group-name "+c.LogGroup)))
	}
	return findings
}

// judgeLog: a log that goes nowhere can neither be shown nor explain anything.
func judgeLog(v view) []release.Finding {
	why := "when the app fails, nobody can say why: neither its explanation nor `medusa-deploy logs` has anything to show"
	for _, c := range v.apps() {
		problem := ""
		switch {
		case c.LogDriver == "":
			problem = "container " + c.Name + " has no logConfiguration"
		case v.target.Migrate == nil:
			continue // it goes somewhere, and whoever chose the driver knows where
		case c.LogDriver != "awslogs":
			problem = "container " + c.Name + " logs by " + c.LogDriver
		case c.LogPrefix == "":
			problem = "container " + c.Name + " has no awslogs-stream-prefix"
		default:
			continue
		}
		if v.target.Migrate != nil {
			why = "the migration's log cannot be shown, neither as it runs nor when it fails"
		}
		return one(finding(codeNoLog, v.whereTask(), problem, why,
			changeTaskDefinition(v, `add a logConfiguration with logDriver "awslogs" and the options awslogs-group, awslogs-region and awslogs-stream-prefix`)))
	}
	return nil
}
