package orchestrator_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// change alters the fleet.
func (f *fleet) change(how func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how()
}

// look observes a service once and reports whether its tasks were listed for it.
func look(t *testing.T, f *fleet, o *orchestrator.Orchestrator, m *member) (release.Observation, bool) {
	t.Helper()
	before := f.Count("ListTasks")
	seen, err := o.Observe(t.Context(), cluster, m.rollout())
	if err != nil {
		t.Fatal(err)
	}
	return seen, f.Count("ListTasks") > before
}

func TestTasksAreListedWhenSomethingHappenedToThem(t *testing.T) {
	signs := map[string]func(m *member){
		"one more runs":                             func(m *member) { m.running++ },
		"one more is on its way":                    func(m *member) { m.pending++ },
		"one more failed":                           func(m *member) { m.failed++ },
		"one was replaced, the counts are the same": func(m *member) { m.event = "(service a) has started 1 tasks: (task 2)." },
		"ECS gave the deployment up":                func(m *member) { m.status = "ROLLBACK_IN_PROGRESS" },
		"it has ended":                              func(m *member) { m.status = "SUCCESSFUL" },
	}
	for name, sign := range signs {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t)
				m := f.add("a", 2)
				o := f.orchestrator(t)
				if _, listed := look(t, f, o, m); !listed {
					t.Error("the first look lists")
				}
				time.Sleep(time.Second)
				if seen, listed := look(t, f, o, m); listed || len(seen.Tasks) != 2 {
					t.Errorf("nothing has happened: listed %t, %d tasks", listed, len(seen.Tasks))
				}
				f.change(func() { sign(m) })
				if _, listed := look(t, f, o, m); !listed {
					t.Error("something has happened, and the tasks were not listed")
				}
			})
		})
	}
}

func TestTasksAreListedEveryFewSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		m := f.add("a", 2)
		o := f.orchestrator(t)
		lists := 0
		for range 60 { // a minute
			if _, listed := look(t, f, o, m); listed {
				lists++
			}
			time.Sleep(time.Second)
		}
		if lists < 10 || lists > 13 {
			t.Errorf("listed %d times in a minute", lists)
		}
	})
}

// TestATaskOnItsWayOutIsFollowed: its exit code comes without any other sign.
func TestATaskOnItsWayOutIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		m := f.add("a", 1)
		m.task("0", "DEACTIVATING", "STOPPED")
		o := f.orchestrator(t)
		look(t, f, o, m)
		f.change(func() { m.task("0", "STOPPED", "STOPPED") })
		time.Sleep(time.Second)
		if seen, _ := look(t, f, o, m); seen.Tasks[0].LastStatus != "STOPPED" {
			t.Errorf("after a second: %+v", seen.Tasks)
		}
	})
}

// TestTasksAreNeverOlderThanTheStatusThatEndsTheRollout: they change at the very moment in which ECS tells the status,
// and nothing else shows it.
func TestTasksAreNeverOlderThanTheStatusThatEndsTheRollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		m := f.add("a", 1)
		o := f.orchestrator(t)
		look(t, f, o, m)
		f.change(func() { m.status, m.onSuccess = "SUCCESSFUL", func() { m.task("1", "RUNNING", "RUNNING") } })
		if seen, _ := look(t, f, o, m); len(seen.Tasks) != 2 {
			t.Errorf("got %+v", seen.Tasks)
		}
		f.change(func() { m.onSuccess = func() { m.task("2", "RUNNING", "RUNNING") } })
		if seen, _ := look(t, f, o, m); len(seen.Tasks) != 3 {
			t.Errorf("once more: %+v", seen.Tasks)
		}
	})
}

// TestAHundredServicesAreWatchedWithinAWSsRates as a release watches them: each in a loop of its own, fast while things
// move. Every end is seen soon, and no call is throttled.
func TestAHundredServicesAreWatchedWithinAWSsRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const services, most = 100, 3 * time.Second
		f := newFleet(t)
		f.enforce()
		o := f.orchestrator(t)
		ended := map[string]time.Time{}
		var watching sync.WaitGroup
		var all []*member
		for _, name := range names(services) {
			all = append(all, f.add(name, 2))
		}
		for i, m := range all {
			watching.Go(func() { // tasks come and go, and then it succeeds
				for j := range 20 {
					time.Sleep(time.Duration(500+37*i%900) * time.Millisecond)
					f.change(func() { m.running, m.event = 1+j%2, fmt.Sprint(j) })
				}
				f.change(func() { m.status, ended[m.name] = "SUCCESSFUL", time.Now() })
			})
			watching.Go(func() {
				for wait := 500 * time.Millisecond; ; wait = min(wait*5/4, most) {
					seen, err := o.Observe(t.Context(), cluster, m.rollout())
					if err != nil || len(seen.Tasks) != 2 || seen.Resolved["app"] != "sha256:1" {
						t.Errorf("%s: %v, %+v", m.name, err, seen)
						return
					}
					if seen.Status == "SUCCESSFUL" {
						break
					}
					time.Sleep(wait)
				}
				f.mu.Lock()
				defer f.mu.Unlock()
				if late := time.Since(ended[m.name]); late > most+2*time.Second {
					t.Errorf("%s ended %s ago", m.name, late)
				}
			})
		}
		watching.Wait()
		if f.throttled > 0 {
			t.Errorf("%d calls were throttled", f.throttled)
		}
		t.Logf("services %d, deployments %d, revisions %d, lists %d, tasks %d", f.Count("DescribeServices"), f.Count("DescribeServiceDeployments"),
			f.Count("DescribeServiceRevisions"), f.Count("ListTasks"), f.Count("DescribeTasks"))
	})
}

// TestOneRolloutThatIsGoneDoesNotBlindTheOthers: ECS refuses the whole call for it.
func TestOneRolloutThatIsGoneDoesNotBlindTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		o := f.orchestrator(t)
		all := []*member{f.add("a", 1), f.add("b", 1), f.add("c", 1), f.add("gone", 1)}
		var looking sync.WaitGroup
		for _, m := range all {
			looking.Go(func() {
				name, r := m.name, m.rollout()
				if name == "gone" {
					r.Deployment = "arn:d-nobody"
				}
				if _, err := o.Observe(t.Context(), cluster, r); errors.Is(err, release.ErrNotFound) != (name == "gone") {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		looking.Wait()
	})
}
