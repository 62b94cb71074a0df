package e2e

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/rehearsal"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// createdLocally are the permissions that only a local target uses without --apply: it creates what does not exist.
var createdLocally = []string{"ecs:CreateCluster", "ecs:CreateService", "ecs:DescribeClusters", "ecs:RegisterTaskDefinition"}

// TestPolicyIsExact walks targets through every kind of release behind a proxy that notes which permission each call
// needs: the policy that `iam policy` prints must allow all of them, and nothing else.
func TestPolicyIsExact(t *testing.T) {
	t.Run("a tag that moves", func(t *testing.T) {
		stage, proxy := behindProxy(t)
		everyRelease(t, stage)
		used := slices.DeleteFunc(proxy.Permissions(), func(p string) bool { return slices.Contains(createdLocally, p) })
		expectPolicy(t, stage, used)
	})
	t.Run("digests, migrations, definitions, secrets", func(t *testing.T) {
		stage, proxy := behindProxy(t)
		aws := newAWS(t, stage)
		arn := aws.run("secretsmanager", "create-secret", "--name", "app", "--secret-string", "x", "--query", "ARN", "--output", "text")
		aws.run("ssm", "put-parameter", "--name", "/app", "--type", "SecureString", "--value", "y")
		aws.run("logs", "create-log-group", "--log-group-name", "/ecs/medusa")
		proxy.Forget()
		if err := stage.Edit("ecs/task-definition.json", `"awslogs-create-group": "true"`, `"mode": "non-blocking"`); err != nil {
			t.Fatal(err)
		}
		if err := stage.Append("medusa-deploy.yaml", "    strategy: pinned\n    migrate: {command: [-migrate], timeout: 5s}\n"); err != nil {
			t.Fatal(err)
		}
		if err := stage.Edit("ecs/task-definition.json", `"essential": true,`, `"essential": true, "secrets": [{"name": "A", "valueFrom": "`+arn+`"}, {"name": "B", "valueFrom": "/app"}],`); err != nil {
			t.Fatal(err)
		}
		migrates(t, stage, "MIGRATE_FOR=1m")
		if late, err := stage.Release(t.Context(), "ship", "--apply"); err != nil || late.Exit != release.ExitMigration {
			t.Fatalf("a migration that takes too long: %v, exit %d: %s", err, late.Exit, late.Error)
		}
		migrates(t, stage, "MIGRATE_FOR=0s")
		everyRelease(t, stage, "--apply")
		if err := stage.Edit("ecs/service.json", `"/health" }`, `"/health" }, { "key": "team", "value": "shop" }`); err != nil {
			t.Fatal(err)
		}
		if _, err := stage.Commit("tag the service"); err != nil {
			t.Fatal(err)
		}
		green(t, stage, release.OutcomeSucceeded, "ship", "--apply")
		expectPolicy(t, stage, proxy.Permissions(), "--apply")
	})
}

func behindProxy(t *testing.T) (*rehearsal.Stage, *rehearsal.Proxy) {
	t.Helper()
	stage := newStage(t)
	ordeal, err := rehearsal.NewOrdeal(t.Context(), stage, rehearsal.ProxyConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ordeal.Close() }) // before the stage is closed
	return stage, ordeal.Proxy()
}

// everyRelease fails, succeeds, fails over what succeeded, goes back, and looks at it all.
func everyRelease(t *testing.T, stage *rehearsal.Stage, flags ...string) {
	t.Helper()
	ship := append([]string{"ship"}, flags...)
	breakImage(t, stage, "ENV CRASH=3")
	if first, err := stage.Release(t.Context(), ship...); err != nil || first.Exit != release.ExitNotRolledBack {
		t.Fatalf("a first release that fails: %v, exit %d: %s", err, first.Exit, first.Error)
	}
	restoreImage(t, stage)
	green(t, stage, release.OutcomeSucceeded, ship...)
	edit(t, stage, "Hello from", "Hello again from")
	green(t, stage, release.OutcomeSucceeded, ship...)
	breakImage(t, stage, "ENV CRASH=4")
	if bad, err := stage.Release(t.Context(), ship...); err != nil || bad.Exit != release.ExitRolledBack {
		t.Fatalf("a release that fails: %v, exit %d: %s", err, bad.Exit, bad.Error)
	}
	restoreImage(t, stage)
	green(t, stage, release.OutcomeSucceeded, "rollback", "--yes")
	for _, args := range [][]string{{"check"}, {"status"}, {"history"}, {"trace", "latest"}, {"logs"}} {
		must(t, stage, args...)
	}
}

func expectPolicy(t *testing.T, stage *rehearsal.Stage, used []string, flags ...string) {
	t.Helper()
	var policy struct {
		Statement []struct{ Action []string }
	}
	decode(t, must(t, stage, append([]string{"iam", "policy"}, flags...)...), &policy)
	var allowed []string
	for _, s := range policy.Statement {
		allowed = append(allowed, s.Action...)
	}
	slices.Sort(allowed)
	allowed = slices.DeleteFunc(slices.Compact(allowed), func(action string) bool {
		return action == "iam:PassRole" // AWS asks for it when a definition with a role is registered: no call of its own
	})
	if diff := cmp.Diff(used, allowed); diff != "" {
		t.Errorf("what was used (-) and what is allowed (+):\n%s", diff)
	}
}
