package e2e

import (
	"encoding/json"
	"testing"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// TestTwoServices releases a server and a worker of one image, together and in turn. An image that is good for the server
// and bad for the worker leaves both on what ran before.
func TestTwoServices(t *testing.T) {
	for _, order := range []string{"together", "in-turn"} {
		t.Run(order, func(t *testing.T) {
			stage := upStage(t)
			serverAndWorker(t, stage, order)
			good := green(t, stage, release.OutcomeSucceeded, "ship")
			expectBothRun(t, stage, good.Digest)

			breakImage(t, stage, "ENV UNHEALTHY=1") // the server's task definition says otherwise
			bad, report := releaseUnderLoad(t, stage, good.Services[0].URL, 1, "ship")
			if bad.Exit != release.ExitRolledBack || bad.Explanation == nil || bad.Explanation.Service != "worker" {
				t.Errorf("outcome %s, exit %d: %s, explanation %+v", bad.Outcome, bad.Exit, bad.Error, bad.Explanation)
			}
			expectServed(t, report)
			expectBothRun(t, stage, good.Digest)
		})
	}
}

// serverAndWorker makes two services of the example's one: the worker has no load balancer.
func serverAndWorker(t *testing.T, stage *rehearsal.Stage, order string) {
	t.Helper()
	if err := stage.Edit("medusa-deploy.yaml", "services: [medusa-service]", "services: [server, worker]\n    order: "+order); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"server", "worker"} {
		task, service := object(t, stage, "ecs/task-definition.json"), object(t, stage, "ecs/service.json")
		task["family"], service["serviceName"], service["taskDefinition"], service["desiredCount"] = name, name, name, 1
		if name == "worker" {
			delete(service, "loadBalancers")
		} else {
			task["containerDefinitions"].([]any)[0].(map[string]any)["environment"] = []any{map[string]string{"name": "UNHEALTHY", "value": ""}}
		}
		for file, content := range map[string]any{"ecs/" + name + ".task-definition.json": task, "ecs/" + name + ".service.json": service} {
			raw, err := json.MarshalIndent(content, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			if err := stage.Write(file, raw); err != nil {
				t.Fatal(err)
			}
		}
	}
	if _, err := stage.Commit("a server and a worker"); err != nil {
		t.Fatal(err)
	}
}

func object(t *testing.T, stage *rehearsal.Stage, file string) map[string]any {
	t.Helper()
	text, err := stage.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	var found map[string]any
	decode(t, text, &found)
	return found
}

func expectBothRun(t *testing.T, stage *rehearsal.Stage, digest release.Digest) {
	t.Helper()
	if runs, err := stage.Settled(t.Context()); err != nil || runs != digest {
		t.Errorf("%s runs, want %s on both: %v", runs, digest, err)
	}
}
