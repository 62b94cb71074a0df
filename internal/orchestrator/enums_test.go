package orchestrator

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestTheVerdictKnowsEveryEnum: a status that a newer SDK brings must not be waited out.
func TestTheVerdictKnowsEveryEnum(t *testing.T) {
	for _, status := range types.ServiceDeploymentStatus("").Values() {
		if !release.KnownStatus(string(status)) {
			t.Errorf("release.Judge does not know the status %s", status)
		}
	}
	for _, stage := range types.ServiceDeploymentLifecycleStage("").Values() {
		if !release.KnownStage(string(stage)) {
			t.Errorf("release.Judge does not know the stage %s", stage)
		}
	}
	for _, code := range types.TaskStopCode("").Values() {
		if !release.KnownStopCode(string(code)) {
			t.Errorf("release does not know the stop code %s", code)
		}
	}
	if release.KnownStatus("BRAND_NEW") || release.KnownStage("BRAND_NEW") || release.KnownStopCode("BrandNew") {
		t.Error("release claims to know what does not exist")
	}
}
