package orchestrator_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// accept makes UpdateService take up deployment n now; its service deployment shows up after some looks.
func (c *cloud) accept(id, arn string, after int) awstest.Handler {
	return func(body) any {
		c.mu.Lock()
		defer c.mu.Unlock()
		now := time.Now()
		c.service["deployments"] = []any{deploymentRecord(id, "PRIMARY", now), deploymentRecord("ecs-svc/1", "ACTIVE", start)}
		looks := 0
		c.onListing = func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			if looks++; looks == after {
				c.deployments = append([]body{deployment(arn, "PENDING", now.Add(100*time.Millisecond))}, c.deployments...)
			}
		}
		if c.updateAnswer != nil {
			return c.updateAnswer
		}
		return body{"service": c.service}
	}
}

func TestDeployGivesTheNewOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		recent := time.Now().Add(-3 * time.Second) // ECS does not yet call it the current one
		c.deployments = append([]body{deployment("arn:d9", "IN_PROGRESS", recent)}, c.deployments...)
		c.On("UpdateService", c.accept("ecs-svc/2", "arn:d2", 4))
		began := time.Now()
		got, err := c.orchestrator(t).Deploy(t.Context(), cluster, service, release.Change{})
		if err != nil {
			t.Fatal(err)
		}
		want := release.Rollout{Service: service, Deployment: "arn:d2", Revision: "arn:r2", StartedBy: "ecs-svc/2"}
		if got.Started.Before(began) {
			t.Errorf("it started at %s, before it was asked for", got.Started)
		}
		got.Started = time.Time{}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if in := c.Inputs("UpdateService")[0]; in["forceNewDeployment"] != true || in["cluster"] != cluster || in["service"] != service {
			t.Errorf("sent %v", in)
		}
	})
}

func TestDeployIsNotMistakenForOneStartedAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		c.On("UpdateService", func(in body) any {
			answer := c.accept("ecs-svc/2", "arn:d2", 1)(in)
			c.deployments = append([]body{deployment("arn:d3", "PENDING", time.Now().Add(4*time.Second))}, c.deployments...)
			return answer
		})
		got, err := c.orchestrator(t).Deploy(t.Context(), cluster, service, release.Change{})
		if err != nil || got.Deployment != "arn:d2" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestAForceWhoseAnswerIsLostIsLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		c.updateAnswer = syscall.ECONNRESET
		c.On("UpdateService", c.accept("ecs-svc/2", "arn:d2", 2))
		got, err := c.orchestrator(t).Deploy(t.Context(), cluster, service, release.Change{})
		if err != nil || got.Deployment != "arn:d2" || got.StartedBy != "ecs-svc/2" {
			t.Errorf("got %+v, %v", got, err)
		}
		if n := c.Count("UpdateService"); n != 1 {
			t.Errorf("sent %d times", n)
		}
	})
}

func TestAForceThatNeverArrivedIsSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		sent := 0
		accept := c.accept("ecs-svc/2", "arn:d2", 1)
		c.On("UpdateService", func(in body) any {
			if sent++; sent == 1 {
				return syscall.ECONNRESET
			}
			return accept(in)
		})
		got, err := c.orchestrator(t).Deploy(t.Context(), cluster, service, release.Change{})
		if err != nil || got.Deployment != "arn:d2" || sent != 2 {
			t.Errorf("got %+v, %v, sent %d times", got, err, sent)
		}
	})
}

func TestDeployFails(t *testing.T) {
	cases := map[string]struct {
		prepare func(*cloud)
		cluster string
		missing bool
		want    string
	}{
		"no cluster": {func(*cloud) {}, "another", true, "Cluster not found"},
		"no service": {func(c *cloud) { c.service = nil }, cluster, true, "has no service medusa-service"},
		"deleted":    {func(c *cloud) { c.service["status"] = "INACTIVE" }, cluster, true, "has no service"},
		"refused": {func(c *cloud) {
			c.On("UpdateService", awstest.Always(awstest.Failure{Status: 400, Code: "InvalidParameterException", Message: "the controller is EXTERNAL"}))
		}, cluster, false, "the controller is EXTERNAL"},
		"draining": {func(c *cloud) {
			c.On("UpdateService", awstest.Always(awstest.Failure{Status: 400, Code: "ServiceNotActiveException", Message: "Service was not ACTIVE."}))
		}, cluster, true, "Service was not ACTIVE"},
		"never appears": {func(c *cloud) { c.On("UpdateService", c.accept("ecs-svc/2", "arn:d2", -1)) }, cluster, false, "shows no service deployment for it after 2m0s"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				tc.prepare(c)
				_, err := c.orchestrator(t).Deploy(t.Context(), tc.cluster, service, release.Change{})
				if err == nil || !strings.Contains(err.Error(), tc.want) || errors.Is(err, release.ErrNotFound) != tc.missing {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestStop(t *testing.T) {
	conflict := awstest.Failure{Status: 400, Code: "ConflictException", Message: "The service deployment cannot be stopped."}
	with := func(status string, source ...any) body {
		d := deployment("arn:d2", status, start)
		d["sourceServiceRevisions"] = source
		return d
	}
	cases := map[string]struct {
		deployment body
		answers    []any
		asked      []string
		wrong      bool
	}{
		"stopped":                {with("IN_PROGRESS", body{"arn": "arn:r1"}), []any{body{}}, []string{"ROLLBACK"}, false},
		"over already":           {with("SUCCESSFUL"), []any{conflict}, []string{"ROLLBACK"}, false},
		"rolling back already":   {with("ROLLBACK_IN_PROGRESS"), []any{conflict}, []string{"ROLLBACK"}, false},
		"nothing to go back to":  {with("IN_PROGRESS"), []any{conflict, body{}}, []string{"ROLLBACK", "ABORT"}, false},
		"refused for real":       {with("IN_PROGRESS", body{"arn": "arn:r1"}), []any{conflict}, []string{"ROLLBACK"}, true},
		"gone":                   {deployment("arn:d9", "SUCCESSFUL", start), []any{conflict}, []string{"ROLLBACK"}, true},
		"a lost answer is cured": {with("STOP_REQUESTED"), []any{syscall.ECONNRESET, conflict}, []string{"ROLLBACK", "ROLLBACK"}, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newCloud(t)
				c.deployments = []body{tc.deployment}
				c.On("StopServiceDeployment", awstest.InTurn(tc.answers...))
				o := c.orchestrator(t)
				if _, err := o.Running(t.Context(), cluster, service); err != nil { // somebody has answered before
					t.Fatal(err)
				}
				if err := o.Stop(t.Context(), rollout(2, start)); (err != nil) != tc.wrong {
					t.Errorf("got %v", err)
				}
				var asked []string
				for _, in := range c.Inputs("StopServiceDeployment") {
					asked = append(asked, in["stopType"].(string))
				}
				if diff := cmp.Diff(tc.asked, asked); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
