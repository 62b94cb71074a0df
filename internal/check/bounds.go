package check

import (
	"fmt"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// judgeBounds finds bounds within which a rolling update can neither start a task nor stop one.
func judgeBounds(v view) []release.Finding {
	f := v.facts
	if f.MaximumPercent == 0 || (f.DeploymentStrategy != "" && f.DeploymentStrategy != "ROLLING") {
		return nil
	}
	least, most := bounds(f.Desired, f.MinimumHealthyPercent, f.MaximumPercent)
	if !stuck(f.Desired, least, most) {
		return nil
	}
	minimum, maximum := 100, 200
	return one(finding(codeDeadlock, v.whereService(),
		fmt.Sprintf("with desired count %d, %d %% to %d %% means at least %d and at most %d running tasks", f.Desired, f.MinimumHealthyPercent, f.MaximumPercent, least, most),
		"ECS may neither start a new task nor stop an old one, so that no rollout ever ends",
		changeService(v, fmt.Sprintf("deploymentConfiguration.maximumPercent to %d", maximum), deployment(minimum, maximum))))
}

// bounds are the fewest and the most tasks that ECS keeps running during a rolling update: the lower one is rounded
// up, the upper one down.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func bounds(desired, minimumPercent, maximumPercent int) (least, most int) {
	return (desired*minimumPercent + 99) / 100, desired * maximumPercent / 100
}

// stuck reports whether there is no room above the desired count and none below it.
func stuck(desired, least, most int) bool {
	return desired > 0 && most <= desired && least >= desired
}
