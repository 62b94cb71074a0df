package check

import "github.com/medusa-deploy/medusa-deploy/internal/release"

// Codes of findings. A code keeps its meaning for ever; one that goes is not used again.
const (
	codeCredentials   = "MD001"
	codeUnreachable   = "MD002"
	codeDenied        = "MD003"
	codeLookupFailed  = "MD004"
	codeNoService     = "MD005"
	codeNotActive     = "MD006"
	codeController    = "MD007"
	codeDefinition    = "MD008"
	codeNoReference   = "MD009"
	codeByDigest      = "MD010"
	codeOtherTag      = "MD011"
	codePlatform      = "MD012"
	codeDeadlock      = "MD013"
	codeStrategyLocal = "MD014"
	codeNothingRuns   = "MD015"
	codeConsistency   = "MD016"
	codeNoBreaker     = "MD017"
	codeNoRollback    = "MD018"
	codeInFlight      = "MD019"
	codeNoHealth      = "MD020"
)

// Rule is one thing that check looks for.
type Rule struct {
	Code     string
	Severity release.Severity
	Title    string
}

// Rules lists everything that check looks for, by code.
func Rules() []Rule {
	return []Rule{
		{codeCredentials, release.SeverityError, "AWS credentials are missing or not accepted"},
		{codeUnreachable, release.SeverityError, "AWS does not answer"},
		{codeDenied, release.SeverityUnknown, "a permission to look is missing"},
		{codeLookupFailed, release.SeverityError, "a look-up failed"},
		{codeNoService, release.SeverityError, "the service does not exist"},
		{codeNotActive, release.SeverityError, "the service is not active"},
		{codeController, release.SeverityError, "the service is not deployed by ECS itself"},
		{codeDefinition, release.SeverityError, "a definition file cannot be used"},
		{codeNoReference, release.SeverityError, "the task definition does not use the repository"},
		{codeByDigest, release.SeverityError, "the task definition names the image by digest"},
		{codeOtherTag, release.SeverityError, "the task definition names another tag"},
		{codePlatform, release.SeverityError, "the image is for another platform than the tasks"},
		{codeDeadlock, release.SeverityError, "the deployment bounds leave no room to replace a task"},
		{codeStrategyLocal, release.SeverityError, "local AWS cannot do this deployment strategy"},
		{codeNothingRuns, release.SeverityWarning, "the desired count is 0"},
		{codeConsistency, release.SeverityWarning, "version consistency is off"},
		{codeNoBreaker, release.SeverityWarning, "the circuit breaker is off"},
		{codeNoRollback, release.SeverityWarning, "the circuit breaker does not roll back"},
		{codeInFlight, release.SeverityWarning, "a rollout is in flight"},
		{codeNoHealth, release.SeverityWarning, "nothing tells whether a task is healthy"},
	}
}

// severity is that of a code.
func severity(code string) release.Severity {
	for _, r := range Rules() {
		if r.Code == code {
			return r.Severity
		}
	}
	return release.SeverityError
}

func finding(code, where, problem, why, cure string) release.Finding {
	return release.Finding{Code: code, Severity: severity(code), Where: where, Problem: problem, Why: why, Cure: cure}
}
