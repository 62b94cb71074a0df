package check

import (
	"fmt"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// judgePace: strategies that move traffic in stages wait by design, and a release must not give up before they are
// through. Local AWS refuses them altogether.
func judgePace(v view) []release.Finding {
	f := v.facts
	if v.target.Local || f.DeploymentStrategy == "" || f.DeploymentStrategy == "ROLLING" {
		return nil
	}
	if v.target.Timeout > 0 && f.Bake >= v.target.Timeout {
		return one(finding(codeTooSlow, v.whereService(),
			fmt.Sprintf("%s waits %s by design, and the target's timeout is %s", f.DeploymentStrategy, span(f.Bake), span(v.target.Timeout)),
			"every release would time out and be rolled back, however good it is",
			fmt.Sprintf("set timeout: %s in medusa-deploy.yaml, or shorten the service's bake times", span(f.Bake+enoughForTasks))))
	}
	return one(finding(codePace, v.whereService(), "the deployment strategy is "+f.DeploymentStrategy,
		fmt.Sprintf("ECS moves traffic in stages and waits %s by design; the release follows the stages, and is green only when ECS calls the deployment successful", span(f.Bake)),
		fmt.Sprintf("nothing to do; the target's timeout (%s) has to be longer than that and the start of the tasks together", span(v.target.Timeout))))
}

// enoughForTasks is what starting and draining tasks takes on top of what a strategy waits.
const enoughForTasks = 15 * time.Minute
