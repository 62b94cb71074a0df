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
	case isLocal(name), strings.Contains(name, "aws") && !strings.HasPrefix(name, "aws-actions/amazon-"), containsAny(name, "cred", "vault", "secret"):
		a.credentials, a.region = true, true // it may sign in
	}
}

// script notes what a script may set for the steps behind it.
func (a *awsState) script(s *step) {
	if s.script == nil {
		return
	}
	text := s.script.value
	if s.script.file == nil || strings.Contains(text, "GITHUB_ENV") && strings.Contains(text, "AWS_") || containsAny(text, "aws configure", ".aws/") {
		a.credentials, a.region = true, true
	}
	if slices.ContainsFunc(s.commands, func(cmd *command) bool { return slices.Contains(opaque, cmd.name()) }) {
		a.credentials, a.region = true, true
	}
}

// awsServices are those whose every command needs credentials.
var awsServices = []string{"ecr", "ecs", "s3", "sts", "cloudformation", "lambda", "ssm", "secretsmanager", "cloudfront", "logs", "ec2"}

// callsAWS tells whether the command needs credentials.
func (c *command) callsAWS() bool {
	if c.name() != "aws" || len(c.args) < 2 || written(c.args, "--no-sign-request", "--endpoint-url", "--profile", "--generate-cli-skeleton") {
		return false
	}
	service := c.behind("aws")
	for len(service) > 0 && strings.HasPrefix(service[0].text, "-") {
		service = service[1:]
	}
	return len(service) > 0 && slices.Contains(awsServices, service[0].text) && !c.is("aws", "sts", "assume-role-with-web-identity")
}

// signedIn tells whether the step may have credentials.
func (a *awsState) signedIn(s *step) bool {
	if a.credentials || s.envContains(func(name string) bool {
		return strings.HasPrefix(name, "AWS_") && containsAny(name, "KEY", "SECRET", "TOKEN", "PROFILE", "ROLE", "ENDPOINT_URL")
	}) {
		return true
	}
	return s.script != nil && containsAny(s.script.value, "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE", "aws configure")
}

func (a *awsState) hasRegion(s *step) bool {
	return a.region || s.envContains(func(name string) bool {
		return name == "AWS_REGION" || name == "AWS_DEFAULT_REGION" || name == "AWS_PROFILE" || name == "AWS_CONFIG_FILE"
	})
}

func setsRegion(s *step) bool {
	return containsAny(s.script.value, "AWS_REGION=", "AWS_DEFAULT_REGION=", "aws configure")
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

// containsAny tells whether one of the pieces is in a text.
func containsAny(text string, pieces ...string) bool {
	return slices.ContainsFunc(pieces, func(piece string) bool { return strings.Contains(text, piece) })
}
