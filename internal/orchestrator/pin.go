package orchestrator

import (
	"context"
	"errors"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

var errUnavailable = errors.New("not available in this version")

// Pin implements release.Orchestrator.
func (o *Orchestrator) Pin(context.Context, string, release.Image) (string, error) {
	return "", errUnavailable
}

// Register implements release.Orchestrator.
func (o *Orchestrator) Register(context.Context, release.Definition, release.Image) (string, error) {
	return "", errUnavailable
}

// Compare implements release.Orchestrator.
func (o *Orchestrator) Compare(context.Context, string, release.Definition, string) ([]release.Difference, error) {
	return nil, errUnavailable
}

// StartMigration implements release.Orchestrator.
func (o *Orchestrator) StartMigration(context.Context, release.MigrationRequest) (release.MigrationTask, error) {
	return release.MigrationTask{}, errUnavailable
}

// AwaitTask implements release.Orchestrator.
func (o *Orchestrator) AwaitTask(context.Context, release.MigrationTask, release.Emit) (release.Task, error) {
	return release.Task{}, errUnavailable
}

// StopTask implements release.Orchestrator.
func (o *Orchestrator) StopTask(context.Context, string, string, string) error { return errUnavailable }
