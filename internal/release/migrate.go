package release

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// stopMigrationTimeout is what stopping a migration's task may take.
const stopMigrationTimeout = time.Minute

// migrate runs the target's migration on the new image, before any service changes. A migration that fails ends the
// release with everything as it was.
func (r *run) migrate(ctx context.Context, t Target, moves []*move, image Image) error {
	if t.Migrate == nil || r.backwards {
		return nil
	}
	about := strings.Join(t.Migrate.Command, " ")
	var ended *Task
	err := r.phase(ctx, PhaseMigrate, about, migrateByHand(t, image), func(ctx context.Context) (string, bool, error) {
		task, err := r.runMigration(ctx, t, moves[0], image)
		if task.ID != "" {
			ended = &task
		}
		return "task " + task.ID + " ended with exit code 0", false, err
	})
	if err == nil {
		return nil
	}
	failure := asFailure(ctx, fmt.Errorf("migration: %w; no service was touched", err), OutcomeFailed, ExitMigration)
	if failure.Outcome == OutcomeInterrupted {
		failure.Err = errors.New("interrupted: the migration's task goes on, and no service was touched; run the same command again to follow it")
		return failure
	}
	if ended != nil {
		log, _ := r.lastLines(context.WithoutCancel(ctx), *ended)
		failure.Explanation = ExplainTask(*ended, log)
		failure.Explanation.Service = moves[0].name
	}
	return failure
}

// runMigration runs the migration's task to its end. One that an interrupted release started is joined.
func (r *run) runMigration(ctx context.Context, t Target, m *move, image Image) (Task, error) {
	req := MigrationRequest{Cluster: t.Cluster, Service: m.name, Image: image, Command: t.Migrate.Command}
	if !m.exists {
		req.Definition = t.Definitions[m.name]
	}
	running, err := r.Orchestrator.StartMigration(ctx, req)
	if err != nil {
		return Task{}, err
	}
	verb := "runs in"
	if running.Joined {
		verb = "is running already in"
	}
	r.Emit(Notice{Level: "info", Text: fmt.Sprintf("the migration %s task %s", verb, running.Task.ID)})
	limited, cancel := context.WithTimeoutCause(ctx, t.Migrate.Timeout, errTimedOut)
	defer cancel()
	expected := newExpectation(t.Migrate.Expect)
	task, err := r.Orchestrator.AwaitTask(limited, running, expected.listen(r.Emit))
	switch {
	case err != nil && errors.Is(context.Cause(limited), errTimedOut):
		return running.Task, r.stopMigration(ctx, t, running)
	case err != nil:
		return Task{}, err
	}
	if err := judgeMigration(task, running.Container); err != nil {
		return task, err
	}
	return task, r.judgeLog(ctx, task, running.Container, expected)
}

// judgeMigration is nil when the container that migrates ended with exit code 0.
func judgeMigration(task Task, container string) error {
	for _, c := range task.Containers {
		switch {
		case c.Name != container:
		case c.ExitCode == nil:
			return fmt.Errorf("task %s never ran: %s", task.ID, orElse(reasonOf(task, c), "no reason given"))
		case *c.ExitCode != 0:
			return fmt.Errorf("task %s ended with exit code %d", task.ID, *c.ExitCode)
		default:
			return nil
		}
	}
	return fmt.Errorf("task %s has no container %s", task.ID, container)
}

// stopMigration stops a migration that takes too long.
func (r *run) stopMigration(ctx context.Context, t Target, running MigrationTask) error {
	safe, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopMigrationTimeout)
	defer cancel()
	late := fmt.Errorf("task %s did not end within %s", running.Task.ID, t.Migrate.Timeout)
	if err := r.Orchestrator.StopTask(safe, t.Cluster, running.Task.ARN, "medusa-deploy: the migration took longer than "+t.Migrate.Timeout.String()); err != nil {
		return fmt.Errorf("%w, and could not be stopped: %w", late, err)
	}
	return fmt.Errorf("%w and was stopped", late)
}

func migrateByHand(t Target, image Image) []string {
	return []string{
		"aws ecs register-task-definition --cli-input-json <the service's, as FAMILY-migrate, with the image " + image.Ref() + ">",
		fmt.Sprintf("aws ecs run-task --cluster %s --task-definition FAMILY-migrate --network-configuration <the service's> --overrides '{\"containerOverrides\":[{\"name\":NAME,\"command\":%q}]}'", t.Cluster, t.Migrate.Command),
	}
}
