// Package workflow writes the GitHub Actions workflow that deploys an app: the managed one, whose one real step is this
// program's action, and the plain one, which does the same with docker buildx and the AWS CLI alone.
//
// The same options always give the same bytes. The package knows GitHub's syntax and which third-party actions are
// trusted at which commit; it must not know files, the command line or AWS's APIs, and it runs nothing.
package workflow
