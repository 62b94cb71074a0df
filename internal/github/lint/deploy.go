package lint

import (
	"slices"
	"strings"
)

// effect is what a command or an action does to the world.
type effect struct {
	// deploys: what runs is changed.
	deploys bool
	// pushes: an image goes to a registry.
	pushes bool
	// rolls: an ECS service starts a deployment, and nobody has waited for it yet.
	rolls bool
	// waits: it ends when what was deployed runs.
	waits bool
}

func (e effect) matters() bool { return e.deploys || e.pushes }

// deployCommands change what runs. The words are those that a command line begins with.
var deployCommands = [][]string{
	{"aws", "ecs", "update-service"}, {"aws", "ecs", "create-service"}, {"aws", "ecs", "deploy"}, {"aws", "ecs", "run-task"},
	{"aws", "ecs", "register-task-definition"}, {"aws", "deploy", "create-deployment"}, {"aws", "cloudformation", "deploy"},
	{"aws", "lambda", "update-function-code"}, {"aws", "apprunner", "start-deployment"},
	{"medusa-deploy", "ship"}, {"medusa-deploy", "deploy"}, {"medusa-deploy", "rollback"},
	{"ecspresso", "deploy"}, {"ecs-cli", "compose"}, {"ecs", "deploy"},
	{"copilot", "deploy"}, {"copilot", "svc", "deploy"}, {"cdk", "deploy"}, {"sam", "deploy"},
	{"terraform", "apply"}, {"tofu", "apply"}, {"pulumi", "up"},
}

// waitCommands end when a deployment has.
var waitCommands = [][]string{
	{"aws", "ecs", "wait"}, {"aws", "ecs", "describe-services"}, {"aws", "ecs", "describe-service-deployments"},
	{"aws", "ecs", "list-service-deployments"}, {"aws", "ecs", "deploy"},
	{"medusa-deploy", "ship"}, {"medusa-deploy", "deploy"}, {"medusa-deploy", "rollback"}, {"medusa-deploy", "status"}, {"medusa-deploy", "trace"},
	{"ecspresso", "deploy"}, {"ecspresso", "wait"}, {"ecspresso", "verify"},
}

var pushCommands = [][]string{
	{"docker", "push"}, {"docker", "image", "push"}, {"podman", "push"}, {"docker", "compose", "push"}, {"medusa-deploy", "push"}, {"medusa-deploy", "ship"},
	{"crane", "push"}, {"crane", "copy"}, {"skopeo", "copy"}, {"ko", "build"}, {"ko", "publish"},
}

// deployActions change what runs.
var deployActions = []string{
	"aws-actions/amazon-ecs-deploy-task-definition", "aws-actions/amazon-ecs-deploy-express-service", "aws-actions/aws-cloudformation-github-deploy",
	"azure/webapps-deploy", "azure/k8s-deploy", "google-github-actions/deploy-cloudrun", "superfly/flyctl-actions",
}

// effect is what the command does.
func (c *command) effect() effect {
	begins := func(words []string) bool { return c.is(words...) }
	e := effect{
		deploys: slices.ContainsFunc(deployCommands, begins), pushes: slices.ContainsFunc(pushCommands, begins),
		waits: slices.ContainsFunc(waitCommands, begins),
	}
	e.rolls = c.is("aws", "ecs", "update-service") && written(c.args, "--force-new-deployment", "--task-definition", "--cli-input-json")
	if b, isBuild := newBuild(c); isBuild && b.push {
		e.pushes = true
	}
	if flagged(c.args, "--dry-run", "--help", "--generate-cli-skeleton") {
		return effect{}
	}
	return e
}

// effect is what the step does.
func (s *step) effect() effect {
	var e effect
	for _, c := range s.commands {
		one := c.effect()
		e.deploys, e.pushes, e.waits = e.deploys || one.deploys, e.pushes || one.pushes, e.waits || one.waits
		e.rolls = e.rolls || one.rolls
	}
	switch name := s.action(); {
	case slices.Contains(deployActions, name) || strings.HasSuffix(name, "/medusa-deploy"):
		e.deploys = true
	case name == buildPushAction:
		push := s.input("push")
		e.pushes = push.there() && !push.is("false")
	}
	if s.action() == ecsDeployAction {
		waits := s.input("wait-for-service-stability")
		e.rolls, e.waits = s.input("service").there(), waits.there() && !waits.is("false")
	}
	return e
}

const (
	buildPushAction   = "docker/build-push-action"
	setupBuildxAction = "docker/setup-buildx-action"
	ecsDeployAction   = "aws-actions/amazon-ecs-deploy-task-definition"
	ecsRenderAction   = "aws-actions/amazon-ecs-render-task-definition"
	ecrLoginAction    = "aws-actions/amazon-ecr-login"
	credentialsAction = "aws-actions/configure-aws-credentials"
	loginAction       = "docker/login-action"
	checkoutAction    = "actions/checkout"
	scriptAction      = "actions/github-script"
)

// deploys tells whether a step of the job changes what runs.
func (j *job) deploys() bool {
	return slices.ContainsFunc(j.steps, func(s *step) bool { return s.effect().deploys })
}

// deploys tells whether a job of the workflow changes what runs.
func (w *workflow) deploys() bool { return slices.ContainsFunc(w.jobs, (*job).deploys) }
