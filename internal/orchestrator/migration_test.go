package orchestrator_test

import (
	"errors"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// withService is a cloud with the service of compare_test.go, in which one-off tasks can run.
func withService(t *testing.T) (*pool, *shelf) {
	c := newCloud(t)
	s := c.onShelf(parsed(t, describedJSON))
	c.service = parsed(t, serviceNow)
	c.On("ListTagsForResource", awstest.Always(body{"tags": []any{body{"key": "team", "value": "shop"}, body{"key": "aws:x", "value": "y"}}}))
	return newPool(c), s
}

func migrationOf(digest string, command ...string) release.MigrationRequest {
	return release.MigrationRequest{Cluster: cluster, Service: service, Image: imageOf(digest), Command: command}
}

func start1(t *testing.T, o *orchestrator.Orchestrator, req release.MigrationRequest) release.MigrationTask {
	t.Helper()
	got, err := o.StartMigration(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestMigrationRunsWhereTheServiceDoes(t *testing.T) {
	p, _ := withService(t)
	got := start1(t, p.orchestrator(t), migrationOf(digestA, "npx", "medusa", "db:migrate"))
	if got.Task.ARN != p.started[0] || got.Container != "medusa" || got.Cluster != cluster || got.Joined {
		t.Errorf("got %+v", got)
	}
	in := p.Inputs("RunTask")[0]
	startedBy, token := in["startedBy"].(string), in["clientToken"].(string)
	if !regexp.MustCompile(`^medusa-migrate/aaaaaaaaaaaa/[0-9a-f]{12}$`).MatchString(startedBy) {
		t.Errorf("started by %q", startedBy)
	}
	if !regexp.MustCompile(`^[!-~]{1,64}$`).MatchString(token) {
		t.Errorf("the token is %q", token)
	}
	delete(in, "startedBy")
	delete(in, "clientToken")
	want := body{
		"cluster": cluster, "taskDefinition": arnOf("medusa-migrate", 1), "count": 1.0, "group": "migrate-medusa-service", "launchType": "FARGATE",
		"platformVersion": "LATEST", "enableECSManagedTags": true,
		"networkConfiguration": body{"awsvpcConfiguration": body{"subnets": []any{"subnet-1", "subnet-2"}, "securityGroups": []any{}, "assignPublicIp": "DISABLED"}},
	}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Error(diff)
	}
	registered := p.Inputs("RegisterTaskDefinition")[0]
	medusa := registered["containerDefinitions"].([]any)[0].(body)
	if registered["family"] != "medusa-migrate" || !cmp.Equal(medusa["command"], []any{"npx", "medusa", "db:migrate"}) ||
		medusa["image"] != "000000000000.dkr.ecr.us-east-1.amazonaws.com/medusa@"+digestA || medusa["healthCheck"] != nil {
		t.Errorf("registered %v", registered)
	}
}

func TestMigrationTakesAfterItsService(t *testing.T) {
	cases := map[string]struct {
		service body // changes
		want    body // of RunTask's input
	}{
		"a strategy in place of a launch type": {body{"capacityProviderStrategy": []any{body{"capacityProvider": "FARGATE_SPOT", "weight": 1}}},
			body{"launchType": nil, "capacityProviderStrategy": []any{body{"capacityProvider": "FARGATE_SPOT", "weight": 1.0}}}},
		"tags of the service":         {body{"propagateTags": "SERVICE"}, body{"propagateTags": nil, "tags": []any{body{"key": "team", "value": "shop"}}}},
		"tags of the task definition": {body{"propagateTags": "TASK_DEFINITION"}, body{"propagateTags": "TASK_DEFINITION", "tags": nil}},
		"no shell":                    {body{"enableExecuteCommand": true}, body{"enableExecuteCommand": nil}},
		"where instances are": {body{"launchType": "EC2", "placementConstraints": []any{body{"type": "distinctInstance"}}},
			body{"launchType": "EC2", "placementConstraints": []any{body{"type": "distinctInstance"}}}},
		"volumes": {body{"deployments": []any{body{"status": "PRIMARY", "volumeConfigurations": []any{body{"name": "v", "managedEBSVolume": body{"roleArn": "arn:r", "sizeInGiB": 5}}}}}},
			body{"volumeConfigurations": []any{body{"name": "v", "managedEBSVolume": body{"roleArn": "arn:r", "sizeInGiB": 5.0}}}}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, _ := withService(t)
			for member, value := range tc.service {
				p.service[member] = value
			}
			start1(t, p.orchestrator(t), migrationOf(digestA, "x"))
			in := p.Inputs("RunTask")[0]
			for member, want := range tc.want {
				if diff := cmp.Diff(want, in[member]); diff != "" {
					t.Errorf("%s: %s", member, diff)
				}
			}
		})
	}
}

func TestMigrationBeforeTheServiceExists(t *testing.T) {
	c := newCloud(t)
	c.service = nil
	c.onShelf(nil)
	c.On("DescribeClusters", awstest.Always(body{"failures": []any{body{"reason": "MISSING"}}}))
	c.On("CreateCluster", awstest.Always(body{}))
	p := newPool(c)
	req := migrationOf(digestA, "x")
	req.Image.Repository = "h/medusa"
	o := p.orchestrator(t)
	if _, err := o.StartMigration(t.Context(), req); !errors.Is(err, release.ErrNotFound) || c.Count("CreateCluster") > 0 {
		t.Errorf("without a definition: %v", err)
	}
	file := strings.Replace(serviceFile, `"desiredCount"`, `"launchType": "FARGATE", "propagateTags": "SERVICE", "tags": [{"key": "a", "value": "b"}],
		"networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}}, "desiredCount"`, 1)
	req.Definition = definition(taskFile, file)
	got := start1(t, o, req)
	in := p.Inputs("RunTask")[0]
	if got.Container != "medusa" || c.Count("CreateCluster") != 1 || in["launchType"] != "FARGATE" || in["taskDefinition"] != arnOf("medusa-migrate", 1) {
		t.Errorf("got %+v, ran %v", got, in)
	}
	if diff := cmp.Diff([]any{body{"key": "a", "value": "b"}}, in["tags"]); diff != "" {
		t.Error(diff)
	}
}

// TestOneMigrationAtATime holds what a second call does by what became of the first one's task.
func TestOneMigrationAtATime(t *testing.T) {
	cases := map[string]struct {
		between func(p *pool, arn string)
		second  release.MigrationRequest
		started int
		joined  bool
	}{
		"it runs":                  {func(*pool, string) {}, migrationOf(digestA, "x"), 1, true},
		"it failed":                {func(p *pool, arn string) { p.end(arn, 1) }, migrationOf(digestA, "x"), 2, false},
		"it is done":               {func(p *pool, arn string) { p.end(arn, 0) }, migrationOf(digestA, "x"), 2, false},
		"another image":            {func(*pool, string) {}, migrationOf(digestB, "x"), 2, false},
		"another command":          {func(*pool, string) {}, migrationOf(digestA, "y"), 2, false},
		"it runs, and ECS forgets": {func(p *pool, _ string) { p.asked, p.answers = map[string]body{}, map[string]any{} }, migrationOf(digestA, "x"), 1, true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, _ := withService(t)
			o := p.orchestrator(t)
			first := start1(t, o, migrationOf(digestA, "x"))
			tc.between(p, first.Task.ARN)
			second := start1(t, o, tc.second)
			if len(p.started) != tc.started || second.Joined != tc.joined || second.Task.ARN != p.started[tc.started-1] {
				t.Errorf("started %d, got %+v", len(p.started), second)
			}
		})
	}
}

func TestEveryRunAfterAFailedOneIsNew(t *testing.T) {
	p, _ := withService(t)
	o := p.orchestrator(t)
	for i := range 5 {
		got := start1(t, o, migrationOf(digestA, "x"))
		if len(p.started) != i+1 || got.Task.ARN != p.started[i] {
			t.Fatalf("run %d gave %+v, started %d", i, got, len(p.started))
		}
		p.end(got.Task.ARN, 1)
	}
	if n := p.Count("RegisterTaskDefinition"); n != 1 {
		t.Errorf("registered %d times", n)
	}
}

func TestAMigrationWhoseAnswerIsLost(t *testing.T) {
	for name, exit := range map[string]int{"it runs": -1, "it has failed meanwhile": 1, "it is done meanwhile": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := withService(t)
				o := p.orchestrator(t)
				p.end(start1(t, o, migrationOf(digestA, "x")).Task.ARN, 1) // an earlier run
				p.lose = 1
				p.onRun = func(arn string) {
					if exit >= 0 && arn != p.started[0] {
						p.end(arn, exit)
					}
				}
				got := start1(t, o, migrationOf(digestA, "x"))
				if len(p.started) != 2 || got.Task.ARN != p.started[1] {
					t.Errorf("started %d, got %+v", len(p.started), got)
				}
			})
		})
	}
}

// TestTwoReleasesMigrateOnce: both look before either has started its task, and then register a revision each.
func TestTwoReleasesMigrateOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := withService(t)
		both := make(chan struct{})
		var looking sync.WaitGroup
		looking.Add(2)
		go func() { looking.Wait(); close(both) }()
		p.On("RegisterTaskDefinition", func(in body) any {
			looking.Done()
			<-both
			return s.register(in)
		})
		var got [2]release.MigrationTask
		var errs [2]error
		var all sync.WaitGroup
		for i := range got {
			o := p.orchestrator(t)
			all.Go(func() { got[i], errs[i] = o.StartMigration(t.Context(), migrationOf(digestA, "x")) })
		}
		all.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		if len(p.started) != 1 || got[0].Task.ARN != got[1].Task.ARN {
			t.Errorf("started %d: %+v", len(p.started), got)
		}
		if a, b := p.Inputs("RunTask")[0]["taskDefinition"], p.Inputs("RunTask")[1]["taskDefinition"]; a == b {
			t.Error("both used one revision: the test tests less than it says")
		}
		if got[0].Joined == got[1].Joined {
			t.Errorf("one of the two joined the other: %+v", got)
		}
	})
}

func TestAMigrationThatIsEndingIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := withService(t)
		o := p.orchestrator(t)
		first := start1(t, o, migrationOf(digestA, "x")).Task.ARN
		p.set(first, body{"desiredStatus": "STOPPED", "lastStatus": "STOPPING"})
		began := time.Now()
		time.AfterFunc(20*time.Second, func() { p.end(first, 137) })
		second := start1(t, o, migrationOf(digestA, "x"))
		if waited := time.Since(began); waited < 20*time.Second || second.Task.ARN == first || len(p.started) != 2 {
			t.Errorf("after %s: %+v", waited, second)
		}
	})
}

func TestNoRoomForAMigration(t *testing.T) {
	cases := map[string]string{
		"RESOURCE:MEMORY": "ECS could not start the task: RESOURCE:MEMORY on arn:instance: no instance of the cluster has that much memory left\n  add instances",
		"AGENT":           "the ECS agent of the instance is disconnected\n  restart the agent",
		"Capacity is unavailable at this time. Please try again later or in a different availability zone": "Fargate has no room of that size",
		"SOMETHING:NEW": "SOMETHING:NEW on arn:instance\n  run the same command again; ECS's reasons: https://",
	}
	for reason, want := range cases {
		t.Run(reason, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, _ := withService(t)
				o := p.orchestrator(t)
				p.full = reason
				for range 3 {
					_, err := o.StartMigration(t.Context(), migrationOf(digestA, "x"))
					if err == nil || !strings.Contains(err.Error(), want) || len(p.started) > 0 {
						t.Fatalf("got %v", err)
					}
				}
				p.full = "" // there is room by now, but the tokens that were used give the old failure
				time.Sleep(time.Minute)
				if got := start1(t, o, migrationOf(digestA, "x")); got.Task.ARN != p.started[0] {
					t.Errorf("got %+v", got)
				}
			})
		})
	}
}

func TestMigrationThatCannotBe(t *testing.T) {
	refuse := func(code, message string) func(*pool) {
		return func(p *pool) {
			p.On("RunTask", awstest.Always(awstest.Failure{Status: 400, Code: code, Message: message}))
		}
	}
	cases := map[string]struct {
		prepare func(*pool)
		req     release.MigrationRequest
		want    string
	}{
		"no command":      {func(*pool) {}, migrationOf(digestA), "the migration has no command: set `migrate:"},
		"no digest":       {func(*pool) {}, migrationOf("", "x"), "has no digest to pin"},
		"another app":     {func(*pool) {}, release.MigrationRequest{Cluster: cluster, Service: service, Image: release.Image{Repository: "h/x", Digest: digestA}, Command: []string{"x"}}, "none of its containers"},
		"refused":         {refuse("InvalidParameterException", "Network Configuration must be provided"), migrationOf(digestA, "x"), "migration of medusa-service: run its task: ecs:RunTask: Network Configuration must be provided"},
		"may not":         {refuse("AccessDeniedException", "User: arn:u is not authorized to perform: iam:PassRole on resource: arn:r"), migrationOf(digestA, "x"), "iam:PassRole"},
		"empty answer":    {func(p *pool) { p.On("RunTask", awstest.Always(body{})) }, migrationOf(digestA, "x"), "ECS could not start the task: it gave no reason"},
		"no such service": {func(p *pool) { p.service = nil }, migrationOf(digestA, "x"), "has no service medusa-service"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			p, _ := withService(t)
			tc.prepare(p)
			if _, err := p.orchestrator(t).StartMigration(t.Context(), tc.req); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}
