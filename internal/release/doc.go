// Package release is the heart: the words of a release (commit, image, target, service, rollout, task), the events
// that a release reports, the verdict, and the pipeline that takes a commit to verified running.
//
// It declares the few interfaces that it needs (Builder, Registry, Orchestrator, Checker) and must not know who
// implements them: it imports the standard library only, never prints, and never reads flags or files.
package release
