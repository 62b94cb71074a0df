// Package dispatch starts a workflow on GitHub (workflow_dispatch) and follows its run to the end.
//
// It owns what GitHub's REST API needs for that: hosts and tokens, the checks before a dispatch, every way in which GitHub
// refuses one together with its cure, finding the run, its steps and logs as they become available, and what a run's end
// means as an exit code. It also lists the names of secrets and variables that a repository's workflows see, for those who
// check a workflow. It speaks HTTP itself, because all of the work is in what a client library leaves to its user:
// rate limits, conditional requests, answers that got lost, and redirects that must not carry the token.
//
// It reports events and never prints. It must not know AWS, the config file, or what the workflow does.
package dispatch
