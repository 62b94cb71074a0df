package orchestrator

import (
	"math"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"
)

// Defaults of the strategies that shift traffic in steps.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_LinearConfiguration.html and API_CanaryConfiguration.html
const (
	defaultStepPercent       = 10.0
	defaultStepBakeMinutes   = 6
	defaultCanaryBakeMinutes = 10
)

// bakeOf is what a strategy waits by design: after each shift of traffic but the last, and then for the whole.
// https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DeploymentConfiguration.html
func bakeOf(c types.DeploymentConfiguration) time.Duration {
	minutes := 0
	switch c.Strategy {
	case types.DeploymentStrategyBlueGreen:
	case types.DeploymentStrategyLinear:
		percent, each := defaultStepPercent, defaultStepBakeMinutes
		if l := c.LinearConfiguration; l != nil {
			percent, each = given(l.StepPercent, percent), int(given(l.StepBakeTimeInMinutes, int32(each)))
		}
		minutes = (int(math.Ceil(100/max(percent, 1))) - 1) * each
	case types.DeploymentStrategyCanary:
		minutes = defaultCanaryBakeMinutes
		if l := c.CanaryConfiguration; l != nil {
			minutes = int(given(l.CanaryBakeTimeInMinutes, int32(minutes)))
		}
	default:
		return 0
	}
	return time.Duration(minutes+int(aws.ToInt32(c.BakeTimeInMinutes))) * time.Minute
}

func given[T any](v *T, otherwise T) T {
	if v == nil {
		return otherwise
	}
	return *v
}
