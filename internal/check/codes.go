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
	codeUnknown       = "MD021"
	codeClock         = "MD022"
	codeExpiry        = "MD023"
	codeTagStays      = "MD024"
	codeLifecycle     = "MD025"
	codeGone          = "MD026"
	codeRole          = "MD027"
	codePace          = "MD028"
	codeTooSlow       = "MD029"
	codeGrace         = "MD030"
	codeNotEssential  = "MD031"
	codeStopTimeout   = "MD032"
	codeSecret        = "MD033"
	codeLogGroup      = "MD034"
	codeNoLog         = "MD035"
	codeNoCommit      = "MD036"
	codeDirty         = "MD037"
	codeBuildFile     = "MD038"
	codeFrontend      = "MD039"
	codeRoot          = "MD040"
	codeHealthcheck   = "MD041"
	codeShellForm     = "MD042"
	codeCacheOrder    = "MD043"
	codeAddURL        = "MD044"
	codeSecretInImage = "MD045"
	codeFloatingBase  = "MD046"
	codeUnignored     = "MD047"
	codeHugeContext   = "MD048"
	codeNoBuilder     = "MD049"
	codeForeign       = "MD050"
	codeEmulated      = "MD051"
	codeCrossed       = "MD052"
	codeNoNeed        = "MD053"
	codeKnownSecret   = "MD054"
	codePlainSecret   = "MD055"
	codeCORS          = "MD056"
	codeInMemory      = "MD057"
	codeLocalFiles    = "MD058"
	codeWorkerModes   = "MD059"
	codeMigrateRace   = "MD060"
	codeMigratePrompt = "MD061"
	codeNoMigration   = "MD062"
	codeServerDir     = "MD063"
	codeDevelop       = "MD064"
	codeNode          = "MD065"
	codeMemory        = "MD066"
	codeNoAdmin       = "MD067"
	codeIdleAdmin     = "MD068"
	codeAdminURL      = "MD069"
	codeSlowStart     = "MD070"
	codeLiveness      = "MD071"
	codeTelemetry     = "MD072"
	codeConfig        = "MD073"
	codeRareHealth    = "MD074"
	codeSecretFile    = "MD075"
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
		{codeUnknown, release.SeverityUnknown, "something could not be looked at"},
		{codeClock, release.SeverityError, "this machine's clock is wrong"},
		{codeExpiry, release.SeverityWarning, "the credentials may end before the release does"},
		{codeTagStays, release.SeverityError, "the release tag cannot move"},
		{codeLifecycle, release.SeverityWarning, "a lifecycle policy can delete what runs"},
		{codeGone, release.SeverityWarning, "what runs is no longer in the registry"},
		{codeRole, release.SeverityWarning, "the execution role lacks a permission"},
		{codePace, release.SeverityInfo, "the deployment strategy moves traffic in stages"},
		{codeTooSlow, release.SeverityError, "the deployment strategy takes longer than the timeout"},
		{codeGrace, release.SeverityWarning, "a slow start gets no grace period"},
		{codeNotEssential, release.SeverityWarning, "the app's container is not essential"},
		{codeStopTimeout, release.SeverityWarning, "the stop timeout is short"},
		{codeSecret, release.SeverityError, "a secret does not exist"},
		{codeLogGroup, release.SeverityError, "the log group does not exist"},
		{codeNoLog, release.SeverityWarning, "the app's log cannot be read"},
		{codeNoCommit, release.SeverityWarning, "there is no commit to ship"},
		{codeDirty, release.SeverityInfo, "the work tree differs from the commit"},
		{codeBuildFile, release.SeverityError, "a file that the build needs cannot be used"},
		{codeFrontend, release.SeverityWarning, "the Dockerfile needs a frontend to be downloaded"},
		{codeRoot, release.SeverityWarning, "the app runs as root"},
		{codeHealthcheck, release.SeverityWarning, "ECS ignores the image's HEALTHCHECK"},
		{codeShellForm, release.SeverityWarning, "a shell keeps SIGTERM from the app"},
		{codeCacheOrder, release.SeverityWarning, "every change installs all dependencies again"},
		{codeAddURL, release.SeverityWarning, "ADD downloads what nobody has verified"},
		{codeSecretInImage, release.SeverityWarning, "a secret may end up in the image"},
		{codeFloatingBase, release.SeverityWarning, "the base image is whatever its tag names today"},
		{codeUnignored, release.SeverityWarning, "the build context has what no image needs"},
		{codeHugeContext, release.SeverityWarning, "the build context is huge"},
		{codeNoBuilder, release.SeverityWarning, "there is no builder"},
		{codeForeign, release.SeverityError, "the builder cannot run the image's platform"},
		{codeEmulated, release.SeverityInfo, "steps of the build are emulated"},
		{codeCrossed, release.SeverityInfo, "the image is cross-compiled"},
		{codeNoNeed, release.SeverityError, "Medusa lacks what it cannot start without"},
		{codeKnownSecret, release.SeverityError, "Medusa's secrets are ones that everybody knows"},
		{codePlainSecret, release.SeverityWarning, "a secret of Medusa stands in the task definition"},
		{codeCORS, release.SeverityWarning, "CORS keeps the shop's own pages out"},
		{codeInMemory, release.SeverityWarning, "each of several tasks keeps to itself what they must share"},
		{codeLocalFiles, release.SeverityWarning, "uploaded files are lost with their task"},
		{codeWorkerModes, release.SeverityWarning, "the services' worker modes do not fit together"},
		{codeMigrateRace, release.SeverityWarning, "every task migrates the database when it starts"},
		{codeMigratePrompt, release.SeverityWarning, "the migration may wait for an answer"},
		{codeNoMigration, release.SeverityInfo, "nothing migrates the database"},
		{codeServerDir, release.SeverityWarning, "Medusa does not start where its build lies"},
		{codeDevelop, release.SeverityWarning, "Medusa runs in development mode"},
		{codeNode, release.SeverityWarning, "the image's Node is not one that the app takes"},
		{codeMemory, release.SeverityWarning, "the memory is too small for Medusa"},
		{codeNoAdmin, release.SeverityWarning, "the admin is served but not built"},
		{codeIdleAdmin, release.SeverityInfo, "the admin is built but never served"},
		{codeAdminURL, release.SeverityWarning, "the admin is built for an address that is not the task's"},
		{codeSlowStart, release.SeverityWarning, "the health check gives Medusa too little time to start"},
		{codeLiveness, release.SeverityInfo, "the load balancer asks whether Medusa lives, not whether it is ready"},
		{codeTelemetry, release.SeverityInfo, "Medusa sends telemetry"},
		{codeConfig, release.SeverityUnknown, "the medusa-config could not be judged"},
		{codeRareHealth, release.SeverityWarning, "the health check is too rare for a rollout"},
		{codeSecretFile, release.SeverityWarning, "a file with secrets goes into the image"},
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
