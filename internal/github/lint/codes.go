package lint

import "github.com/medusa-deploy/medusa-deploy/internal/release"

// Codes of problems. A code keeps its meaning for ever; one that goes is not used again.
const (
	codeYAML              = "MW001"
	codeShape             = "MW002"
	codeExpression        = "MW003"
	codeTrigger           = "MW004"
	codeNeeds             = "MW005"
	codeAction            = "MW006"
	codeName              = "MW007"
	codePermission        = "MW008"
	codeShellName         = "MW009"
	codeCall              = "MW010"
	codeRunner            = "MW011"
	codeConstant          = "MW012"
	codeAlwaysTrue        = "MW013"
	codePassword          = "MW014"
	codeDisabledCommand   = "MW015"
	codeDeprecatedCommand = "MW016"
	codeShellcheck        = "MW017"
	codeOpenQuote         = "MW018"
	codeOpenHeredoc       = "MW019"
	codeHeredocTerminator = "MW020"
	codeShellSyntax       = "MW021"
	codeBashism           = "MW022"
	codeInjection         = "MW023"
	codePasted            = "MW024"
	codePrinted           = "MW025"
	codeArgument          = "MW026"
	codeSwallowed         = "MW027"
	codeContinues         = "MW028"
	codePipe              = "MW029"
	codeCurl              = "MW030"
	codeNoDispatch        = "MW031"
	codeDispatchRight     = "MW032"
	codeDispatchTarget    = "MW033"
	codeDispatchInput     = "MW034"
	codeEmptyInput        = "MW035"
	codeNoPermissions     = "MW036"
	codeWriteAll          = "MW037"
	codeIDToken           = "MW038"
	codeContents          = "MW039"
	codeCallerGrants      = "MW040"
	codeFork              = "MW041"
	codePullRequest       = "MW042"
	codeCancel            = "MW043"
	codeConcurrency       = "MW044"
	codeTimeout           = "MW045"
	codeUnpinned          = "MW046"
	codeShortSHA          = "MW047"
	codeNoVersion         = "MW048"
	codeOnlyLatest        = "MW049"
	codeNoImage           = "MW050"
	codeNotLoaded         = "MW051"
	codeOtherImage        = "MW052"
	codeSameImage         = "MW053"
	codeNoLogin           = "MW054"
	codeWrongLogin        = "MW055"
	codeNoCredentials     = "MW056"
	codeNoRegion          = "MW057"
	codeVariable          = "MW058"
	codeNoSecret          = "MW059"
	codeStaticKeys        = "MW060"
	codeNotAwaited        = "MW061"
	codeUnchecked         = "MW062"
	codeOldAction         = "MW063"
	codeNoToken           = "MW064"
)

// Rule is one thing that is looked for, with the words that a problem of it comes with unless it has better ones.
type Rule struct {
	Code     string
	Severity release.Severity
	Title    string
	Why      string // what would happen
	Cure     string
}

const (
	fails   = release.SeverityError
	warns   = release.SeverityWarning
	notes   = release.SeverityInfo
	unknown = release.SeverityUnknown
)

// Rules lists everything that is looked for, by code.
func Rules() []Rule {
	rules := make([]Rule, 0, len(syntaxRules)+len(scriptRules)+len(rightsRules)+len(deployRules))
	for _, some := range [][]Rule{syntaxRules, scriptRules, rightsRules, deployRules} {
		rules = append(rules, some...)
	}
	return rules
}

// byCode finds a rule.
var byCode = func() map[string]Rule {
	m := map[string]Rule{}
	for _, r := range Rules() {
		m[r.Code] = r
	}
	return m
}()

// syntaxRules are about what GitHub itself makes of the file: actionlint finds these.
var syntaxRules = []Rule{
	{codeYAML, fails, "the file is not YAML",
		"GitHub shows an error in place of the workflow, and nothing starts",
		"correct the indentation, the quote or the colon at this place; a value that holds \": \" or \" #\" needs quotes"},
	{codeShape, fails, "the workflow has a form that GitHub refuses",
		"GitHub refuses the whole file, and nothing starts",
		"correct the key or the value; the message names what may stand there"},
	{codeExpression, fails, "an expression is wrong",
		"the run ends with an error at this expression, or the expression is empty",
		"correct the expression: the message names what there is"},
	{codeTrigger, fails, "a trigger is wrong",
		"GitHub refuses the file, or the event never starts it",
		"correct the event, its filter, input or schedule; the message names what may stand there"},
	{codeNeeds, fails, "needs or a matrix is wrong",
		"GitHub refuses the whole file, and nothing starts",
		"name jobs of this file in needs, without a circle; give each value of a matrix once"},
	{codeAction, fails, "an action is used wrongly",
		"the job fails before its first step, or the input is ignored",
		"write OWNER/REPOSITORY@COMMIT, and the inputs that the action's action.yml has"},
	{codeName, fails, "an id or a name is not allowed",
		"GitHub refuses the whole file, or the variable is never set",
		"use letters, digits, - and _ (no - in the name of a variable), and each step's id once a job"},
	{codePermission, fails, "a permission does not exist",
		"GitHub refuses the whole file, and nothing starts",
		"write a permission that exists, and read, write or none; the message lists them"},
	{codeShellName, fails, "the shell does not exist",
		"the step fails at once",
		"write bash, sh, pwsh, python, or a command with {0} in it"},
	{codeCall, fails, "another workflow is called wrongly",
		"GitHub refuses the whole file, and nothing starts",
		"give the inputs and secrets that the called workflow declares"},
	{codeRunner, warns, "the runner's label is unknown",
		"when no runner has this label, the job waits for a day and then fails",
		"correct the label; list labels of your own runners in .github/actionlint.yaml"},
	{codeConstant, warns, "a condition is always the same",
		"the job or step always runs, or never does",
		"remove the condition, or compare it with what may change"},
	{codeAlwaysTrue, fails, "a condition is always true",
		"text around ${{ }} makes the condition a string, and a string that is not empty is true: the job or step always runs",
		"put the whole condition between the braces, or leave the braces out"},
	{codePassword, fails, "a password is written in the workflow",
		"whoever can read the repository has the password",
		"revoke it, keep the new one as a secret, and write ${{ secrets.NAME }}"},
	{codeDisabledCommand, fails, "a workflow command that GitHub no longer obeys",
		"the runner fails the step, or what it sets is never set",
		"write to $GITHUB_ENV or $GITHUB_PATH in its place"},
	{codeDeprecatedCommand, warns, "a deprecated workflow command",
		"GitHub may stop obeying it: what it sets is then empty",
		"write to $GITHUB_OUTPUT or $GITHUB_STATE in its place"},
}

// scriptRules are about the scripts of `run:`.
var scriptRules = []Rule{
	{codeShellcheck, warns, "shellcheck warns",
		"the script may do something else than it seems to",
		"shellcheck's wiki explains each SC number"},
	{codeOpenQuote, fails, "a quote is not closed",
		"the shell stops with \"unexpected EOF\"; all that follows the quote counts as text",
		"close the quote, or write \\ before it when it is meant to be a character"},
	{codeOpenHeredoc, fails, "a here-document is not closed",
		"the shell takes the rest of the script as text and still ends well: the step is green and did nothing",
		"put the terminator alone on a line of its own, as far left as the script itself"},
	{codeHeredocTerminator, fails, "a here-document's terminator is not alone on its line",
		"the shell takes the rest of the script as text and still ends well: the step is green and did nothing",
		"begin the line with the terminator, and write nothing behind it"},
	{codeShellSyntax, fails, "the script is not valid shell",
		"the shell stops at this place; the lines before it may have run already",
		"correct the syntax, then try it: bash -n SCRIPT"},
	{codeBashism, warns, "a feature of bash in a script for sh",
		"where sh is dash, as on Ubuntu, the step fails with a syntax error",
		"write shell: bash, or do without the feature"},
	{codeInjection, fails, "text from outside becomes part of a script",
		"GitHub pastes the text into the script before the shell sees it: $(command) in it runs, with the job's secrets",
		"hand it over as a variable: env: {NAME: ${{ … }}}, and \"$NAME\" in the script"},
	{codePasted, warns, "an expression is pasted into a script",
		"a quote, a blank or a $ in the value changes what the script does",
		"hand it over as a variable: env: {NAME: ${{ … }}}, and \"$NAME\" in the script"},
	{codePrinted, warns, "a secret is printed",
		"GitHub masks only the exact text: a part of it, or another encoding, is shown to whoever can read the log",
		"do not print it; hand it to the program that needs it"},
	{codeArgument, warns, "a password is an argument of a command",
		"every process of the machine can read it there, and it shows in traces",
		"write it to the command's input: printf %s \"$PASSWORD\" | docker login --password-stdin …"},
	{codeSwallowed, fails, "the failure of a deploy is swallowed",
		"the step is green although nothing was deployed",
		"let the command's own exit code end the step"},
	{codeContinues, fails, "a deploy may fail without failing the job",
		"the run is green although nothing was deployed",
		"remove continue-on-error; give what may fail a step of its own"},
	{codePipe, warns, "a pipe hides the failure of a deploy",
		"without a shell: of its own a script runs without pipefail: only the last command of a pipe counts, and the step is green",
		"write shell: bash, which sets pipefail"},
	{codeCurl, warns, "curl takes an HTTP error for a success",
		"curl ends well on a 500: the health check passes although the app is down",
		"add --fail-with-body"},
}

// rightsRules are about what starts a workflow and what it may do.
var rightsRules = []Rule{
	{codeNoDispatch, warns, "a deploy that cannot be started by hand",
		"gh workflow run and the Run button answer 422: there is no way to deploy again without a push",
		"add workflow_dispatch to the triggers"},
	{codeNoToken, fails, "gh without a token",
		"gh ends with: set the GH_TOKEN environment variable",
		"add env: {GH_TOKEN: ${{ github.token }}} to the step"},
	{codeDispatchRight, fails, "a dispatch without the permission for it",
		"GitHub answers 403: Resource not accessible by integration",
		"add actions: write to the permissions of this job"},
	{codeDispatchTarget, fails, "the workflow to dispatch cannot be dispatched",
		"GitHub answers 404 when there is no such file, and 422 when it has no workflow_dispatch trigger",
		"name a file of .github/workflows that has workflow_dispatch among its triggers"},
	{codeDispatchInput, fails, "the inputs of a dispatch do not fit",
		"GitHub answers 422: unexpected inputs, or a required one is missing",
		"give the inputs that workflow_dispatch of that file declares"},
	{codeEmptyInput, warns, "an input is empty when another event starts the workflow",
		"inputs and their defaults exist for a dispatch only: after a push the value is empty",
		"write ${{ inputs.NAME || 'default' }}"},
	{codeNoPermissions, warns, "no permissions are declared",
		"the token gets the repository's default, which may be to write everything: a hijacked action could push code",
		"declare what the jobs need, at the top of the file: permissions: {contents: read}"},
	{codeWriteAll, warns, "every permission is granted",
		"a hijacked action, or an injected command, can push code, make releases and approve pull requests",
		"name the few permissions that the jobs need"},
	{codeIDToken, fails, "OIDC without the permission for it",
		"GitHub hands out no token: the step fails with \"Credentials could not be loaded\"",
		"add id-token: write (and contents: read) to the permissions of this job"},
	{codeContents, warns, "a checkout without the permission for it",
		"once permissions are named, all others are none: in a private repository the checkout fails with \"repository not found\"",
		"add contents: read to the permissions of this job"},
	{codeCallerGrants, fails, "a called workflow needs a permission that the caller does not grant",
		"GitHub refuses the whole file, and nothing starts",
		"grant it in the permissions of the job that calls"},
	{codeFork, fails, "a stranger's code runs with this repository's rights",
		"the event runs with secrets and a token that can write; whoever opens a pull request can take both",
		"use pull_request for what builds or tests the code, or do not check it out here"},
	{codePullRequest, warns, "a pull request deploys",
		"code that nobody has merged is deployed; from a fork it fails, because forks get no secrets",
		"deploy on push to the default branch, or write if: github.event_name != 'pull_request'"},
	{codeCancel, warns, "a running deploy is cancelled by the next push",
		"a migration, or a rollout half done, is killed in the middle",
		"write cancel-in-progress: false: the next run waits"},
	{codeConcurrency, notes, "two deploys can run at once",
		"of two pushes the older one may win",
		"add concurrency: {group: deploy-TARGET, cancel-in-progress: false}"},
	{codeTimeout, notes, "a deploy without a timeout",
		"a deploy that hangs holds the runner for six hours",
		"add timeout-minutes to the job"},
	{codeUnpinned, warns, "an action is not pinned to a commit",
		"a tag or a branch can be moved: the next run may execute other code, with this job's secrets",
		"write the commit in place of the tag, and the version behind it: uses: OWNER/REPOSITORY@SHA # v1.2.3"},
	{codeShortSHA, fails, "a commit is abbreviated",
		"GitHub refuses it: the job fails before its first step",
		"write all 40 digits of the commit"},
	{codeNoVersion, notes, "a pinned action does not say its version",
		"nobody can see which version runs, and the tools that update actions need it",
		"write the version behind the commit: # v1.2.3"},
}

// deployRules are about images, registries and AWS.
var deployRules = []Rule{
	{codeOnlyLatest, warns, "only :latest is pushed",
		"the next push moves the tag: nobody can tell which commit runs, and there is nothing to roll back to",
		"push the commit's tag, too: -t REPOSITORY:${GITHUB_SHA}"},
	{codeNoImage, fails, "an image is pushed that nothing of this name was built for",
		"docker push ends with: An image does not exist locally with the tag",
		"build or tag the image under the very name that is pushed, in the same job"},
	{codeNotLoaded, fails, "the image stays in the build's cache",
		"a builder of docker buildx create keeps its result to itself: docker does not find the image",
		"add --push (or push: true) to the build, or --load (load: true) when another step needs the image"},
	{codeOtherImage, fails, "another image is deployed than was pushed",
		"the new tasks cannot pull it: CannotPullContainerError",
		"deploy the very name that was pushed"},
	{codeSameImage, warns, "the new deployment starts the old image",
		"a forced deployment runs the tag of the task definition again, and this job did not move it: green, and nothing new runs",
		"push :latest, too (or the tag that the task definition names), or register a task definition with the new image"},
	{codeNoLogin, fails, "a push without a login",
		"the registry answers: no basic auth credentials",
		"log in before the push: uses: aws-actions/amazon-ecr-login, behind aws-actions/configure-aws-credentials"},
	{codeWrongLogin, fails, "a login that the registry refuses",
		"ECR knows one user, AWS, with a password for one region's registry: the push ends with 401 or 403",
		"aws ecr get-login-password --region REGION | docker login --username AWS --password-stdin ACCOUNT.dkr.ecr.REGION.amazonaws.com"},
	{codeNoCredentials, fails, "AWS is called without credentials",
		"the AWS CLI ends with: Unable to locate credentials",
		"put aws-actions/configure-aws-credentials before this step"},
	{codeNoRegion, fails, "AWS is called without a region",
		"the AWS CLI ends with: You must specify a region",
		"set AWS_REGION in env, or use aws-actions/configure-aws-credentials, which sets it"},
	{codeVariable, fails, "AWS tools do not read this variable",
		"the AWS CLI ends with: Unable to locate credentials",
		"use the names AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN"},
	{codeNoSecret, fails, "a secret or variable that the repository does not have",
		"its value is empty",
		"add it: gh secret set NAME, or correct the name"},
	{codeStaticKeys, notes, "long-lived keys where OIDC would do",
		"a key that leaks works until somebody notices",
		"use role-to-assume with id-token: write; medusa-deploy iam prints the role's policies"},
	{codeNotAwaited, warns, "nobody waits for the deployment",
		"the job is green before the first new task has started: a crash loop or a rollback goes unnoticed",
		"wait and look: aws ecs wait services-stable (or wait-for-service-stability: true), then compare the running digest; medusa-deploy ship does both"},
	{codeUnchecked, unknown, "the file could not be checked",
		"a fault may be in it that nobody has looked for",
		"report the file that this happens with"},
	{codeOldAction, warns, "an action, or an input of it, is out of date",
		"it is made for a version of Node that runners no longer have, or its next version has the input no more",
		"use a newer major version, and what it takes in place of the input"},
}
