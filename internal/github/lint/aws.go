package lint

import (
	"slices"
	"strings"
)

// judgeAWS finds the first step of a job that calls AWS without credentials, or without a region.
func (c *checker) judgeAWS(j *job) {
	if !j.hosted() {
		return // a runner of one's own may have a role
	}
	var a awsState
	for _, s := range j.steps {
		if name := s.action(); name != "" {
			if (name == ecrLoginAction || name == ecsDeployAction) && !a.signedIn(s) {
				c.at(codeNoCredentials, s.uses.val, name+" calls AWS, and no step before signs in")
				return
			}
			a.action(name)
			continue
		}
		for _, cmd := range s.commands {
			if cmd.callsAWS() {
				if !a.signedIn(s) {
					c.add(codeNoCredentials, s.script.source(cmd.place), title(cmd)+" calls AWS, and no step before signs in")
					return
				}
				if !a.hasRegion(s) && !written(cmd.args, "--region") && !setsRegion(s) {
					c.add(codeNoRegion, s.script.source(cmd.place), title(cmd)+" is not told a region")
					return
				}
			}
		}
		a.script(s)
	}
}

// awsState is what the steps so far leave to the next.
type awsState struct {
	credentials, region bool
}

func (a *awsState) action(name string) {
	switch {
	case name == credentialsAction:
		a.credentials, a.region = true, true
	case isLocal(name), strings.Contains(name, "aws") && !strings.HasPrefix(name, "aws-actions/amazon-"), strings.Contains(name, "cred"), strings.Contains(name, "vault"), strings.Contains(name, "secret"):
		a.credentials, a.region = true, true // it may sign in
	}
}

// script notes what a script may set for the steps behind it.
func (a *awsState) script(s *step) {
	if s.script == nil {
		return
	}
	if text := s.script.value; strings.Contains(text, "GITHUB_ENV") && strings.Contains(text, "AWS_") || strings.Contains(text, "aws configure") || strings.Contains(text, ".aws/") || s.script.file == nil {
		a.credentials, a.region = true, true
	}
	if slices.ContainsFunc(s.commands, func(cmd *command) bool { return slices.Contains(opaque, cmd.name()) }) {
		a.credentials, a.region = true, true
	}
}

// callsAWS tells whether the command needs credentials.
func (c *command) callsAWS() bool {
	if c.name() != "aws" || len(c.args) < 2 || written(c.args, "--no-sign-request", "--endpoint-url", "--profile", "--generate-cli-skeleton") {
		return false
	}
	service := c.behind("aws")
	for len(service) > 0 && strings.HasPrefix(service[0].text, "-") {
		service = service[1:]
	}
	return len(service) > 0 && slices.Contains([]string{"ecr", "ecs", "s3", "sts", "cloudformation", "lambda", "ssm", "secretsmanager", "cloudfront", "logs", "ec2"}, service[0].text) &&
		!c.is("aws", "sts", "assume-role-with-web-identity")
}

// signedIn tells whether the step may have credentials.
func (a *awsState) signedIn(s *step) bool {
	if a.credentials || s.envContains(func(name string) bool {
		return strings.HasPrefix(name, "AWS_") && (strings.Contains(name, "KEY") || strings.Contains(name, "SECRET") || strings.Contains(name, "TOKEN")) || name == "AWS_PROFILE" || strings.HasPrefix(name, "AWS_ROLE") || name == "AWS_ENDPOINT_URL"
	}) {
		return true
	}
	return s.script != nil && (strings.Contains(s.script.value, "AWS_ACCESS_KEY_ID") || strings.Contains(s.script.value, "AWS_WEB_IDENTITY_TOKEN_FILE") || strings.Contains(s.script.value, "aws configure"))
}

func (a *awsState) hasRegion(s *step) bool {
	return a.region || s.envContains(func(name string) bool {
		return name == "AWS_REGION" || name == "AWS_DEFAULT_REGION" || name == "AWS_PROFILE" || name == "AWS_CONFIG_FILE"
	})
}

func setsRegion(s *step) bool {
	return strings.Contains(s.script.value, "AWS_REGION=") || strings.Contains(s.script.value, "AWS_DEFAULT_REGION=") || strings.Contains(s.script.value, "aws configure")
}

// envContains tells whether an `env:` that reaches the step has a name of a kind.
func (s *step) envContains(is func(string) bool) bool {
	for _, scope := range []field{s.get("env"), s.job.get("env"), s.of.env} {
		if slices.ContainsFunc(entries(scope.val), func(f field) bool { return is(f.key.Value) }) {
			return true
		}
	}
	return false
}
