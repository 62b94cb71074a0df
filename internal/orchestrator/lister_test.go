package orchestrator_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/medusa-deploy/medusa-deploy/internal/orchestrator"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// runningOf asks for the tasks of services at once.
func runningOf(t *testing.T, o *orchestrator.Orchestrator, services ...string) map[string]int {
	t.Helper()
	var mu sync.Mutex
	counts := map[string]int{}
	var asking sync.WaitGroup
	for _, name := range services {
		asking.Go(func() {
			tasks, err := o.Running(t.Context(), cluster, name)
			mu.Lock()
			defer mu.Unlock()
			counts[name] = len(tasks)
			if errors.Is(err, release.ErrNotFound) {
				counts[name] = -1
			} else if err != nil {
				t.Error(err)
			}
		})
	}
	asking.Wait()
	return counts
}

func names(n int) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("s%02d", i))
	}
	return all
}

func TestTasksOfManyServicesAreListedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		for _, name := range append(names(50), "other") {
			f.add(name, 3).task("gone", "STOPPED", "STOPPED")
		}
		o := f.orchestrator(t)
		for round, calls := range []struct{ lists, describes int }{{3, 3}, {6, 5}} { // the second time, 53 have stopped or are another's
			for name, n := range runningOf(t, o, names(50)...) {
				if n != 3 {
					t.Errorf("%s runs %d tasks", name, n)
				}
			}
			if l, d := f.Count("ListTasks"), f.Count("DescribeTasks"); l != calls.lists || d != calls.describes {
				t.Errorf("after round %d: %d lists, %d descriptions, want %+v", round+1, l, d, calls)
			}
		}
	})
}

// TestABigClusterIsNotListedForAFewServices, and what was tried once is remembered.
func TestABigClusterIsNotListedForAFewServices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t)
		for _, name := range names(5) {
			f.add(name, 1)
		}
		f.add("big", 2000)
		o := f.orchestrator(t)
		for round, lists := range []int{15, 25} { // five pages in vain, and two lists for each service
			for name, n := range runningOf(t, o, names(5)...) {
				if n != 1 {
					t.Errorf("%s runs %d tasks", name, n)
				}
			}
			if l := f.Count("ListTasks"); l != lists {
				t.Errorf("after round %d: %d lists, want %d", round+1, l, lists)
			}
		}
		if d := f.Count("DescribeTasks"); d != 2 {
			t.Errorf("tasks were described %d times", d)
		}
	})
}

func TestAMissingServiceIsToldFromOneWithoutTasks(t *testing.T) {
	for _, more := range []int{0, 8} { // alone, and listed together with others
		synctest.Test(t, func(t *testing.T) {
			f := newFleet(t)
			for _, name := range append(names(more), "idle") {
				f.add(name, 0)
			}
			got := runningOf(t, f.orchestrator(t), append(names(more), "idle", "nobody")...)
			if got["idle"] != 0 || got["nobody"] != -1 {
				t.Errorf("with %d others: %v", more, got)
			}
		})
	}
}
