package check

import (
	"errors"
	"fmt"
	"slices"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// view is one service with all that is needed to judge it.
type view struct {
	serviceLook
	target    release.Target
	def       release.Definition
	account   string
	host      string
	platforms []string
	seen      *look
}

// whereService names the service, or the file that will make it.
func (v view) whereService() string {
	if v.fromFiles {
		return v.def.ServicePath
	}
	return "service " + v.target.Cluster + "/" + v.name
}

// whereTask names the task definition, or the file that will make it.
func (v view) whereTask() string {
	if v.fromFiles {
		return v.def.TaskDefinitionPath
	}
	return "task definition " + taskName(v.facts.TaskDefinition)
}

func taskName(t release.TaskDefinition) string {
	if t.Revision == 0 {
		return t.Family
	}
	return fmt.Sprintf("%s:%d", t.Family, t.Revision)
}

func viewOf(req release.CheckRequest, seen *look, s serviceLook) view {
	return view{
		serviceLook: s, target: req.Target, def: req.Target.Definitions[s.name],
		account: seen.account, host: seen.host, platforms: req.Platforms, seen: seen,
	}
}

// judgeService gives what is wrong with one service.
func judgeService(req release.CheckRequest, seen *look, s serviceLook) []release.Finding {
	v := viewOf(req, seen, s)
	switch {
	case errors.Is(s.err, release.ErrNotFound):
		return []release.Finding{missing(v)}
	case s.err != nil:
		return nil // judgeAccess has said so
	case s.previewErr != nil:
		return []release.Finding{finding(codeDefinition, v.def.TaskDefinitionPath+", "+v.def.ServicePath, s.previewErr.Error(),
			"the service cannot be made from these files", "correct what the message names")}
	}
	var findings []release.Finding
	for _, rule := range []func(view) []release.Finding{
		judgeStatus, judgeController, judgeStrategy, judgeReference, judgePlatform, judgeBounds, judgeDesired,
		judgeConsistency, judgeBreaker, judgeInFlight, judgeHealth, judgeRareHealth, judgePace, judgeGrace, judgeEssential, judgeStop,
		judgeSecrets, judgeLogGroups, judgeLog,
	} {
		findings = append(findings, rule(v)...)
	}
	return findings
}

func one(f release.Finding) []release.Finding { return []release.Finding{f} }

func missing(v view) release.Finding {
	t := v.target
	cure := "see what there is: " + aws(t, "ecs list-services --cluster "+t.Cluster) + "; create it: " +
		aws(t, "ecs create-service --cluster "+t.Cluster+" --cli-input-json file://ecs/service.json")
	if t.Local {
		cure = "write ecs/task-definition.json and ecs/service.json beside medusa-deploy.yaml: local AWS makes the service from them"
	}
	return finding(codeNoService, v.whereService(), fmt.Sprintf("there is no service %s in cluster %s, or no such cluster", v.name, t.Cluster),
		"there is nothing to deploy to", cure)
}

func judgeStatus(v view) []release.Finding {
	if v.preview || v.facts.Status == "ACTIVE" {
		return nil
	}
	return one(finding(codeNotActive, v.whereService(), "the service is "+v.facts.Status, "ECS starts no deployment of a service that is being deleted, or was",
		"wait until it is gone, then create it again: "+aws(v.target, "ecs create-service --cluster "+v.target.Cluster+" --cli-input-json file://ecs/service.json")))
}

func judgeController(v view) []release.Finding {
	if v.facts.Controller == "" || v.facts.Controller == "ECS" {
		return nil
	}
	return one(finding(codeController, v.whereService(), "the deployment controller is "+v.facts.Controller,
		"a new deployment of this service can only be started through that controller",
		changeService(v, `deploymentController.type to "ECS"`, "--deployment-controller type=ECS")))
}

// judgeStrategy: local AWS does rolling updates alone.
func judgeStrategy(v view) []release.Finding {
	if !v.target.Local || v.facts.DeploymentStrategy == "" || v.facts.DeploymentStrategy == "ROLLING" {
		return nil
	}
	return one(finding(codeStrategyLocal, v.whereService(), "the deployment strategy is "+v.facts.DeploymentStrategy,
		"local AWS does rolling updates only", changeService(v, `deploymentConfiguration.strategy to "ROLLING"`, "--deployment-configuration strategy=ROLLING")))
}

func judgeDesired(v view) []release.Finding {
	if v.facts.Desired != 0 {
		return nil
	}
	return one(finding(codeNothingRuns, v.whereService(), "the desired count is 0", "the release will end with nothing running, and so with nothing verified",
		changeService(v, "desiredCount to 1 or more", "--desired-count 1")))
}

func judgeBreaker(v view) []release.Finding {
	const inFile = "deploymentConfiguration.deploymentCircuitBreaker to {\"enable\": true, \"rollback\": true}"
	cure := changeService(v, inFile, deployment(v.facts.MinimumHealthyPercent, v.facts.MaximumPercent))
	switch {
	case v.facts.DeploymentStrategy != "" && v.facts.DeploymentStrategy != "ROLLING":
		return nil // the circuit breaker belongs to rolling updates
	case !v.facts.Breaker:
		return one(finding(codeNoBreaker, v.whereService(), "the deployment circuit breaker is off",
			"ECS starts failing tasks again and again, for ever, once nobody watches the rollout", cure))
	case !v.facts.BreakerRollback:
		return one(finding(codeNoRollback, v.whereService(), "the deployment circuit breaker does not roll back",
			"a rollout that fails while nobody watches stays half done", cure))
	}
	return nil
}

func judgeInFlight(v view) []release.Finding {
	if !v.facts.DeploymentInFlight {
		return nil
	}
	return one(finding(codeInFlight, v.whereService(), "a rollout is in flight: "+v.facts.CurrentDeployment,
		"the release joins it when it is of the same image, and overtakes it otherwise",
		"wait for it: "+aws(v.target, "ecs wait services-stable --cluster "+v.target.Cluster+" --services "+v.name)))
}

// judgeHealth: without a health check or a load balancer ECS counts a task that has run for a while as good. A sidecar's
// health tells nothing of the app's.
func judgeHealth(v view) []release.Finding {
	if v.facts.LoadBalanced {
		return nil
	}
	checked := func(c release.ContainerDefinition) bool { return c.HealthCheck }
	apps, all := v.apps(), v.facts.TaskDefinition.Containers
	problem := "no container has a health check, and the service has no load balancer"
	switch {
	case slices.ContainsFunc(apps, checked), len(apps) == 0 && slices.ContainsFunc(all, checked):
		return nil
	case slices.ContainsFunc(all, checked):
		problem = "container " + apps[0].Name + " has no health check, and the service has no load balancer"
	}
	return one(finding(codeNoHealth, v.whereTask(), problem,
		"a rollout counts as successful although the app does not answer", changeTaskDefinition(v, "add a healthCheck to the container")))
}
