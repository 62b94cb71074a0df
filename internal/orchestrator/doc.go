// Package orchestrator is the release.Orchestrator on Amazon ECS and CloudWatch Logs: it starts deployments, looks at
// them, stops them, tells their history, and reads what containers wrote.
//
// It owns what ECS's answers mean for a release, and must not know when a rollout is good: the verdict is made in
// package release, from what is observed here. It never imports localaws: it meets local AWS only over the wire.
package orchestrator
