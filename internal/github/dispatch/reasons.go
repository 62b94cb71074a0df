package dispatch

import "slices"

// Reason is why a dispatch is blocked. The names are stable.
type Reason string

// The reasons.
const (
	ReasonNoToken         Reason = "no-token"
	ReasonBadCredentials  Reason = "bad-credentials"
	ReasonNoRepository    Reason = "no-repository"
	ReasonSSO             Reason = "sso"
	ReasonIPAllowList     Reason = "ip-allow-list"
	ReasonArchived        Reason = "archived"
	ReasonTokenScope      Reason = "token-scope"
	ReasonNoWrite         Reason = "no-write"
	ReasonIntegration     Reason = "integration-permission"
	ReasonTokenPermission Reason = "token-permission"
	ReasonHidden          Reason = "dispatch-not-found"
	ReasonForbidden       Reason = "forbidden"
	ReasonActionsOff      Reason = "actions-off"
	ReasonNoWorkflow      Reason = "no-workflow"
	ReasonNotDefault      Reason = "not-on-default-branch"
	ReasonDisabled        Reason = "disabled"
	ReasonInactive        Reason = "disabled-by-inactivity"
	ReasonNoRef           Reason = "no-ref"
	ReasonNotAtRef        Reason = "not-at-ref"
	ReasonBadFile         Reason = "bad-workflow-file"
	ReasonNoTrigger       Reason = "no-trigger"
	ReasonUnknownInput    Reason = "unknown-input"
	ReasonMissingInput    Reason = "missing-input"
	ReasonBadValue        Reason = "bad-value"
	ReasonTooLarge        Reason = "inputs-too-large"
	ReasonRateLimit       Reason = "rate-limit"
	ReasonInvalid         Reason = "invalid"
	ReasonNoRun           Reason = "no-run"
)

// Explained are a reason's words. {host}, {web}, {repository}, {workflow}, {ref}, {token} and {detail} stand for what it is about.
type Explained struct {
	Reason Reason
	Answer string // GitHub's; empty when the reason is always found before asking
	Cause  string
	Cure   string
}

// Reasons are the words of every reason: what the messages, the documentation and the tests are made from.
func Reasons() []Explained { return slices.Clone(reasons) }

// explained gives a reason's words.
func explained(reason Reason) Explained {
	i := slices.IndexFunc(reasons, func(e Explained) bool { return e.Reason == reason })
	return reasons[i]
}

var reasons = []Explained{
	{
		Reason: ReasonNoToken,
		Cause:  "there is no token for {host}: none in {detail}, and gh is not signed in",
		Cure:   "sign in: gh auth login --hostname {host}\nor set GH_TOKEN (GitHub Enterprise: GH_ENTERPRISE_TOKEN) to a token with Actions: read and write, made at https://{host}/settings/personal-access-tokens",
	},
	{
		Reason: ReasonBadCredentials,
		Answer: "401 Bad credentials",
		Cause:  "{host} does not accept {token}: it is wrong, was revoked, or has expired",
		Cure:   "sign in again: gh auth login --hostname {host}\nor make a new token at https://{host}/settings/tokens",
	},
	{
		Reason: ReasonNoRepository,
		Answer: "404 Not Found, for the repository",
		Cause:  "{repository} does not exist, or {token} may not see it",
		Cure:   "check the spelling (--repo OWNER/NAME)\na private repository needs a classic token with the scope repo (gh auth refresh --hostname {host} --scopes repo), or a fine-grained one that names it (https://{host}/settings/personal-access-tokens)\nin an organisation with single sign-on the token must be let in as well: https://{host}/settings/tokens, Configure SSO",
	},
	{
		Reason: ReasonSSO,
		Answer: "403 Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this organization.",
		Cause:  "the organisation of {repository} has single sign-on, and {token} has not been let in",
		Cure:   "let it in: {detail}\nor sign in again: gh auth login --hostname {host}",
	},
	{
		Reason: ReasonIPAllowList,
		Answer: "403 Although you appear to have the correct authorization credentials, the `OWNER` organization has an IP allow list enabled, and your IP address is not permitted to access this resource.",
		Cause:  "the organisation of {repository} only lets certain networks in, and this one is not among them",
		Cure:   "use the organisation's network or VPN, or have an owner add this address under Settings → Authentication security → IP allow list",
	},
	{
		Reason: ReasonArchived,
		Answer: "403 Repository was archived so is read-only.",
		Cause:  "{repository} is archived: it runs no workflows",
		Cure:   "an administrator can bring it back: {web}/settings, Unarchive this repository",
	},
	{
		Reason: ReasonTokenScope,
		Cause:  "{token} lacks the scope repo, without which a workflow cannot be dispatched (it has: {detail})",
		Cure:   "add it: gh auth refresh --hostname {host} --scopes repo\nor make a token with it at https://{host}/settings/tokens",
	},
	{
		Reason: ReasonNoWrite,
		Answer: "403 Must have admin rights to Repository.",
		Cause:  "the user of {token} may read {repository}, but running a workflow needs write access",
		Cure:   "have an administrator give the role Write: {web}/settings/access",
	},
	{
		Reason: ReasonIntegration,
		Answer: "403 Resource not accessible by integration",
		Cause:  "{token} belongs to a workflow or a GitHub App that may not write actions in {repository}",
		Cure:   "in a workflow, for its own repository: permissions: {actions: write} on the job that runs this (all that is not named there is taken away, so name contents: read too)\nfor another repository the workflow's own token is never enough: use one of an app, or a fine-grained one\nfor a GitHub App: Actions: read and write under its Permissions, which an owner then accepts",
	},
	{
		Reason: ReasonTokenPermission,
		Answer: "403 Resource not accessible by personal access token",
		Cause:  "{token} is a fine-grained one that lacks the permission Actions: read and write for {repository}",
		Cure:   "edit it at https://{host}/settings/personal-access-tokens: Repository access includes {repository}, and Permissions → Actions is Read and write; an organisation may have to approve it",
	},
	{
		Reason: ReasonHidden,
		Answer: "404 Not Found, for the dispatch, of a workflow that can be read",
		Cause:  "{token} may read {workflow} in {repository} but not run it: GitHub hides what a token may not do",
		Cure:   "a classic token needs the scope repo (gh auth refresh --hostname {host} --scopes repo), a fine-grained one Actions: read and write (https://{host}/settings/personal-access-tokens), and its user the role Write ({web}/settings/access)",
	},
	{
		Reason: ReasonForbidden,
		Answer: "403, in other words",
		Cause:  "{repository} refuses {token}",
		Cure:   "see what GitHub says below; the policies for Actions are at {web}/settings/actions",
	},
	{
		Reason: ReasonActionsOff,
		Answer: "422 Actions has been disabled for this repository.",
		Cause:  "GitHub Actions is turned off for {repository}, or for this user",
		Cure:   "turn it on: {web}/settings/actions, Actions permissions (an organisation's own setting goes before it)",
	},
	{
		Reason: ReasonNoWorkflow,
		Answer: "404 Not Found, for the workflow",
		Cause:  "{repository} has no workflow {workflow}{detail}",
		Cure:   "name another one with --workflow, or write one: medusa-deploy init; a workflow is known once its file is on the default branch",
	},
	{
		Reason: ReasonNotDefault,
		Answer: "404 Not Found, for the workflow, whose file is at the ref",
		Cause:  "{workflow} is in {repository} at {ref}, but not on the default branch {detail}: GitHub only knows workflows that are there",
		Cure:   "merge it to {detail} first; from then on --ref {ref} runs the file as it is at {ref}",
	},
	{
		Reason: ReasonDisabled,
		Answer: "422 Cannot trigger a 'workflow_dispatch' on a disabled workflow",
		Cause:  "{workflow} in {repository} is disabled",
		Cure:   "enable it: gh workflow enable {workflow} --repo {repository}\nor at {web}/actions/workflows/{workflow}, Enable workflow",
	},
	{
		Reason: ReasonInactive,
		Cause:  "{workflow} in {repository} was disabled by GitHub ({detail}): it does so to scheduled workflows of repositories without activity for 60 days, and to those of forks",
		Cure:   "enable it: gh workflow enable {workflow} --repo {repository}\nor at {web}/actions/workflows/{workflow}, Enable workflow",
	},
	{
		Reason: ReasonNoRef,
		Answer: "422 No ref found for: REF",
		Cause:  "{repository} has no branch or tag {ref}",
		Cure:   "push it: git push origin {ref}\nor name another one with --ref (a commit's sha is not enough: only a branch or a tag can be dispatched)",
	},
	{
		Reason: ReasonNotAtRef,
		Answer: "404 Not Found, for the workflow's file at the ref",
		Cause:  "{workflow} is on the default branch of {repository}, but there is no such file at {ref}",
		Cure:   "bring {ref} up to date with the default branch, or name another one with --ref",
	},
	{
		Reason: ReasonBadFile,
		Cause:  "{workflow} at {ref} in {repository} is not a workflow that GitHub can read: {detail}",
		Cure:   "mend it; medusa-deploy check --workflow finds where",
	},
	{
		Reason: ReasonNoTrigger,
		Answer: "422 Workflow does not have 'workflow_dispatch' trigger",
		Cause:  "{workflow} at {ref} in {repository} has no workflow_dispatch trigger",
		Cure:   "add workflow_dispatch: under on: in that file, at that very ref, and push it: {web}/blob/{ref}/.github/workflows/{workflow}",
	},
	{
		Reason: ReasonUnknownInput,
		Answer: `422 Unexpected inputs provided: ["NAME"]`,
		Cause:  "{workflow} at {ref} does not have that input: {detail}",
		Cure:   "inputs are listed under on: workflow_dispatch: inputs: in the file at that very ref: {web}/blob/{ref}/.github/workflows/{workflow}",
	},
	{
		Reason: ReasonMissingInput,
		Answer: "422 Required input 'NAME' not provided",
		Cause:  "{workflow} at {ref} cannot run without an input: {detail}",
		Cure:   "add --input NAME=VALUE (--target, --action and --release set the inputs of their names)",
	},
	{
		Reason: ReasonBadValue,
		Answer: "422 Provided value 'VALUE' for input 'NAME' not in the list of allowed values",
		Cause:  "{workflow} at {ref} does not take that value: {detail}",
		Cure:   "the values are listed under the input's options: {web}/blob/{ref}/.github/workflows/{workflow}",
	},
	{
		Reason: ReasonTooLarge,
		Answer: "422 inputs are too large.",
		Cause:  "GitHub does not take that much in inputs: {detail}",
		Cure:   "pass a name instead of the thing itself: at most 25 inputs, 65,535 characters in all",
	},
	{
		Reason: ReasonRateLimit,
		Answer: "403 or 429 API rate limit exceeded; You have exceeded a secondary rate limit.",
		Cause:  "GitHub's rate limit for {token} is used up, for longer than is waited for",
		Cure:   "try again later; gh api rate_limit --hostname {host} tells when; another program may be using the same token",
	},
	{
		Reason: ReasonInvalid,
		Answer: "422 or 400, in other words",
		Cause:  "{repository} does not take the dispatch of {workflow} at {ref}",
		Cure:   "see what GitHub says below",
	},
	{
		Reason: ReasonNoRun,
		Answer: "404 Not Found, for the run",
		Cause:  "{repository} has no such run, or {token} may not see it (Actions: read)",
		Cure:   "gh run list --repo {repository} lists the runs that there are",
	},
}
