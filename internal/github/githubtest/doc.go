// Package githubtest is a GitHub for tests: the part of its REST API that dispatches and follows workflows and lists the
// names of secrets and variables, with GitHub's own statuses, messages and headers, for github.com and for GitHub Enterprise (/api/v3), in the test's own process or
// over TLS for programs such as gh.
//
// Its storage host, to which logs are redirected, reports every request that brings a token along. It is for tests only
// and knows nothing of the packages that it tests.
package githubtest
