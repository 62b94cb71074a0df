package main

import (
	"context"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// kind is one way in which a new version is good or bad.
type kind struct {
	name    string
	outcome release.Outcome
	exit    int
	cause   string // what the explanation must say; empty: there is none
	// answers: the new version passes its checks before it fails, so that the load balancer sends it requests meanwhile.
	answers bool
	// late: it fails only after ECS has called its deployment successful and taken the old version away, so that an
	// interruption is not the release's doing. It needs a local AWS on which a task counts as soon as its checks pass.
	late bool
	// task changes the task definition, for both versions; nil: nothing to change.
	task func(c *cell, task map[string]any)
	// before gets ready what the good version needs; nil: nothing.
	before func(ctx context.Context, c *cell) error
	// plant breaks the next version; nil: it is as good as the one before.
	plant func(ctx context.Context, c *cell) error
	// during takes away what the next version needs, while it is being built: check has found nothing; nil: nothing.
	during func(ctx context.Context, c *cell) error
}

// bad is a kind that ends with what ran before.
func bad(name, cause string, plant func(context.Context, *cell) error) kind {
	return kind{name: name, outcome: release.OutcomeRolledBack, exit: release.ExitRolledBack, cause: cause, plant: plant}
}

// Names of the kinds that the rest of the program singles out.
const (
	good          = "good"
	afterTakeover = "crash after taking over"
)

// kinds are the columns of the matrix, those that take longest first.
func kinds() []kind {
	crashing := setting("CRASH_AFTER=5s CRASH=4")
	slow := bad("crash after 5 s", "exit code 4", crashing)
	slow.answers = true
	late := bad(afterTakeover, "exit code 4", crashing)
	late.answers, late.late = true, true
	pull := bad("cannot pull", "not in the registry", nil)
	pull.task, pull.before, pull.during = addSidecar, pushSidecar, deleteSidecar
	secret := bad("missing secret", "secret", nil)
	secret.task, secret.before, secret.during = addSecret, createSecret, deleteSecret
	return []kind{
		bad("never healthy", "health check", setting("UNHEALTHY=1")),
		slow,
		{name: good, outcome: release.OutcomeSucceeded, exit: release.ExitDone, answers: true},
		bad("crash at start", "exit code 3", setting("CRASH=3")),
		pull,
		bad("wrong architecture", "CPU architecture", foreign),
		bad("OOM", "more memory", setting("EAT_MEMORY=512")),
		secret,
		late,
	}
}

// anchor is a line of the example's Dockerfile that a fault goes before.
const anchor = "USER 65532:65532"

// setting makes the app fail by environment variables of its image.
func setting(env string) func(context.Context, *cell) error {
	return func(_ context.Context, c *cell) error {
		return c.app.Edit("Dockerfile", anchor, "ENV "+env+"\n"+anchor)
	}
}

// foreign puts a program for another CPU into the image.
func foreign(_ context.Context, c *cell) error {
	return rehearsal.CopyProgram(c.programs.foreign, c.app.Path("bin/hello"))
}

// sidecar is the image of a second container: a copy of the app's own in a repository of its own.
func (c *cell) sidecar() string { return c.name + "-sidecar" }

const sidecarTag = "stable"

func addSidecar(c *cell, task map[string]any) {
	containers, _ := task["containerDefinitions"].([]any)
	task["containerDefinitions"] = append(containers, map[string]any{
		"name": "sidecar", "image": registry + c.sidecar() + ":" + sidecarTag,
		"environment": []any{map[string]string{"name": "PORT", "value": "9001"}},
	})
}

func pushSidecar(ctx context.Context, c *cell) error {
	pushed, err := c.app.Green(ctx, release.OutcomeSucceeded, "push")
	if err != nil {
		return err
	}
	return c.cloud.CopyImage(ctx, pushed.Image, c.sidecar(), sidecarTag)
}

func deleteSidecar(ctx context.Context, c *cell) error {
	return c.cloud.DeleteTag(ctx, c.sidecar(), sidecarTag)
}

// noSecret stands in the task definition until the secret is made and has an ARN.
const noSecret = "the secret's ARN"

func addSecret(_ *cell, task map[string]any) {
	if containers, ok := task["containerDefinitions"].([]any); ok {
		if main, ok := containers[0].(map[string]any); ok {
			main["secrets"] = []any{map[string]string{"name": "JWT_SECRET", "valueFrom": noSecret}}
		}
	}
}

func createSecret(ctx context.Context, c *cell) error {
	arn, err := c.cloud.CreateSecret(ctx, c.name, "supersecret")
	if err != nil {
		return err
	}
	if err := c.app.Edit("ecs/task-definition.json", noSecret, arn); err != nil {
		return err
	}
	_, err = c.app.Commit("name the secret")
	return err
}

func deleteSecret(ctx context.Context, c *cell) error { return c.cloud.DeleteSecret(ctx, c.name) }
