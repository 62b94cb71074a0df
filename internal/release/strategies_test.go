package release

import "testing"

// Recorded sequences of looks at deployments that local AWS cannot make yet, as ECS's API answers them: statuses, stages
// and tasks. The same function decides on all of them.
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/blue-green-deployment-how-it-works.html
func TestJudgeStrategies(t *testing.T) {
	blue, green := runningTask("blue", oldDigest), runningTask("green", newDigest)
	leaving := blue
	leaving.DesiredStatus = "STOPPED"
	look := func(status, stage string, tasks ...Task) Observation {
		return Observation{Status: status, Stage: stage, Desired: 1, Tasks: tasks,
			Refs: map[string]string{"medusa": testRepo + ":latest"}, Resolved: map[string]Digest{"medusa": newDigest}}
	}
	alarmed := look("ROLLBACK_SUCCESSFUL", "", blue)
	alarmed.Alarms, alarmed.StatusReason = []string{"5xx"}, "Service deployment rolled back because of CloudWatch alarms 5xx."
	tests := map[string]struct {
		looks []Observation
		end   Decision // of the last look; all others wait
	}{
		"blue/green": {[]Observation{
			look("PENDING", "", blue),
			look("IN_PROGRESS", "RECONCILE_SERVICE", blue), look("IN_PROGRESS", "PRE_SCALE_UP", blue),
			look("IN_PROGRESS", "SCALE_UP", blue), look("IN_PROGRESS", "POST_SCALE_UP", blue, green),
			look("IN_PROGRESS", "TEST_TRAFFIC_SHIFT", blue, green), look("IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT", blue, green),
			look("IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT", blue, green), look("IN_PROGRESS", "POST_PRODUCTION_TRAFFIC_SHIFT", blue, green),
			look("IN_PROGRESS", "BAKE_TIME", blue, green), look("IN_PROGRESS", "CLEAN_UP", leaving, green),
			look("SUCCESSFUL", "CLEAN_UP", green),
		}, DecisionGreen},
		"blue/green, stages skipped between two looks": {[]Observation{
			look("PENDING", "", blue), look("IN_PROGRESS", "BAKE_TIME", blue, green), look("SUCCESSFUL", "", green),
		}, DecisionGreen},
		"blue/green, blue lingers": {[]Observation{look("SUCCESSFUL", "CLEAN_UP", blue, green)}, DecisionWait},
		"blue/green, a lifecycle hook fails": {[]Observation{
			look("IN_PROGRESS", "POST_TEST_TRAFFIC_SHIFT", blue, green), look("ROLLBACK_IN_PROGRESS", "", blue, green),
		}, DecisionGivenUp},
		"blue/green, green crashes": {[]Observation{
			look("IN_PROGRESS", "SCALE_UP", blue), look("IN_PROGRESS", "SCALE_UP", blue, crashedTask("g1", 1)),
			look("IN_PROGRESS", "SCALE_UP", blue, crashedTask("g1", 1), crashedTask("g2", 1)),
		}, DecisionDoomed},
		"linear": {[]Observation{
			look("IN_PROGRESS", "SCALE_UP", blue), look("IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT", blue, green),
			look("IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT", blue, green), look("IN_PROGRESS", "BAKE_TIME", blue, green),
			look("SUCCESSFUL", "CLEAN_UP", leaving, green),
		}, DecisionGreen},
		"canary rolled back by an alarm": {[]Observation{
			look("IN_PROGRESS", "PRODUCTION_TRAFFIC_SHIFT", blue, green), look("IN_PROGRESS", "BAKE_TIME", blue, green), alarmed,
		}, DecisionRolledBack},
		"canary whose rollback fails": {[]Observation{look("ROLLBACK_FAILED", "", blue, green)}, DecisionFailed},
		"rolling with early success: the rest follows": {[]Observation{
			{Status: "SUCCESSFUL", Desired: 2, Tasks: []Task{green, blue}}, {Status: "SUCCESSFUL", Desired: 2, Tasks: []Task{green}},
			{Status: "SUCCESSFUL", Desired: 2, Tasks: []Task{green, runningTask("green2", newDigest)}},
		}, DecisionGreen},
		"stopped by hand": {[]Observation{look("IN_PROGRESS", "BAKE_TIME", blue, green), look("STOP_REQUESTED", "", blue, green)}, DecisionGivenUp},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for i, o := range tt.looks {
				if !KnownStatus(o.Status) || !KnownStage(o.Stage) {
					t.Errorf("look %d: status %s, stage %s: not ECS's", i, o.Status, o.Stage)
				}
				want := DecisionWait
				if i == len(tt.looks)-1 {
					want = tt.end
				}
				if got := Judge(o, Rollout{StartedBy: "ecs-svc/1"}, testImage, 2); got.Decision != want {
					t.Errorf("look %d (%s %s): %v (%s), want %v", i, o.Status, o.Stage, got.Decision, got.Reason, want)
				}
			}
		})
	}
}
