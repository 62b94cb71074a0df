package orchestrator

import (
	"context"
	"fmt"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Register implements release.Orchestrator. Tags alone make no new revision: they are not part of what runs.
func (o *Orchestrator) Register(ctx context.Context, def release.Definition, pin release.Image) (string, error) {
	b, err := readDefinition(def)
	if err != nil {
		return "", err
	}
	if pin.Repository != "" || pin.Digest != "" {
		if err := pinContainers(b.task.ContainerDefinitions, pin); err != nil {
			return "", fmt.Errorf("pin %s: %w", def.TaskDefinitionPath, err)
		}
	}
	return o.ensureTaskDefinition(ctx, b.task)
}
