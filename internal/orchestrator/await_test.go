package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const migrationArn = "arn:aws:ecs:us-east-1:000000000000:task/" + cluster + "/abc"

// waiting is a cloud with one migration's task, and what is heard of it.
type waiting struct {
	*pool
	journal *journal
	heard   told
}

// told collects the events of AwaitTask.
type told struct {
	mu      sync.Mutex
	lines   []string
	notices []string
}

func (h *told) emit(e release.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch e := e.(type) {
	case release.LogLine:
		h.lines = append(h.lines, e.Task+" "+e.Text)
	case release.Notice:
		h.notices = append(h.notices, e.Level+": "+e.Text)
	}
}

func newWaiting(t *testing.T) *waiting {
	w := &waiting{pool: newPool(newCloud(t)), journal: &journal{page: 3}}
	w.On("FilterLogEvents", w.journal.filter)
	w.addTask("abc", "PROVISIONING", "RUNNING", "medusa-migrate/x", body{"group": "migrate-medusa-service"})
	return w
}

func (w *waiting) await(ctx context.Context, t *testing.T) (release.Task, error) {
	t.Helper()
	return w.orchestrator(t).AwaitTask(ctx, release.MigrationTask{
		Cluster: cluster, Container: "medusa", Task: release.Task{ARN: migrationArn, ID: "abc", TaskDefinition: taskDef},
	}, w.heard.emit)
}

func TestAwaitTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		w.journal.page = 100 // of CloudWatch Logs it is thousands: pages of three would make most of the calls fail
		trouble := 0
		for _, call := range []string{"DescribeTasks", "FilterLogEvents"} {
			answer := map[string]awstest.Handler{"DescribeTasks": w.describeTasks, "FilterLogEvents": w.journal.filter}[call]
			w.On(call, func(in body) any {
				w.mu.Lock()
				trouble++
				now := trouble
				w.mu.Unlock()
				switch now % 5 {
				case 1:
					return awstest.Failure{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}
				case 2:
					return syscall.ECONNRESET
				}
				return answer(in)
			})
		}
		const n = 300
		go func() {
			time.Sleep(20 * time.Second)
			w.set(migrationArn, body{"lastStatus": "RUNNING"})
			for i := range n {
				w.journal.write("abc", time.Now(), fmt.Sprint(i))
				time.Sleep(150 * time.Millisecond)
			}
			w.journal.write("other", time.Now(), "of another task")
			w.end(migrationArn, 3)
			w.journal.write("abc", time.Now(), "at the very end")
		}()
		got, err := w.await(t.Context(), t)
		if err != nil {
			t.Fatal(err)
		}
		if got.LastStatus != "STOPPED" || got.StopCode != "EssentialContainerExited" || got.Containers[0].ExitCode == nil || *got.Containers[0].ExitCode != 3 {
			t.Errorf("got %+v", got)
		}
		var want []string
		for i := range n {
			want = append(want, fmt.Sprintf("abc %d", i))
		}
		if diff := cmp.Diff(append(want, "abc at the very end"), w.heard.lines); diff != "" || len(w.heard.notices) > 0 {
			t.Error(diff, w.heard.notices)
		}
	})
}

// TestLinesThatComeLate: CloudWatch Logs shows the last lines some time after the task has stopped.
func TestLinesThatComeLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		w.end(migrationArn, 0)
		poll := 150 * time.Millisecond // of an endpoint on this machine
		go func() {
			for i := range 5 {
				time.Sleep(5 * poll / 2)
				w.journal.write("abc", time.Now().Add(-time.Minute), fmt.Sprint(i))
			}
		}()
		began := time.Now()
		if _, err := w.await(t.Context(), t); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"abc 0", "abc 1", "abc 2", "abc 3", "abc 4"}, w.heard.lines); diff != "" {
			t.Error(diff)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestATaskThatNeverRanIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		w.set(migrationArn, body{"lastStatus": "STOPPED", "desiredStatus": "STOPPED", "stopCode": "TaskFailedToStart", "stoppedReason": "CannotPullContainerError: x"})
		began := time.Now()
		got, err := w.await(t.Context(), t)
		if err != nil || got.StoppedReason != "CannotPullContainerError: x" || time.Since(began) > 0 {
			t.Errorf("after %s: %+v, %v", time.Since(began), got, err)
		}
	})
}

func TestAwaitTaskWithoutItsLog(t *testing.T) {
	cases := map[string]struct {
		prepare func(*waiting)
		notice  string
	}{
		"may not": {func(w *waiting) {
			w.On("FilterLogEvents", awstest.Always(awstest.Failure{Status: 400, Code: "AccessDeniedException", Message: "no"}))
		}, "warning: the log of task abc cannot be shown: AWS denies logs:FilterLogEvents"},
		"does not log": {func(w *waiting) {
			d := taskDefinition()
			delete(d["containerDefinitions"].([]any)[0].(body), "logConfiguration")
			w.On("DescribeTaskDefinition", awstest.Always(body{"taskDefinition": d}))
		}, "warning: the log of task abc cannot be shown: container medusa does not log to CloudWatch"},
		"always throttled": {func(w *waiting) {
			w.On("FilterLogEvents", awstest.Always(awstest.Failure{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}))
		}, "warning: the log of task abc cannot be shown: the log could not be read to its end within 1m0s"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWaiting(t)
				tc.prepare(w)
				time.AfterFunc(20*time.Minute, func() { w.end(migrationArn, 0) })
				got, err := w.await(t.Context(), t)
				if err != nil || got.LastStatus != "STOPPED" {
					t.Errorf("got %+v, %v", got, err)
				}
				if len(w.heard.notices) != 1 || !strings.HasPrefix(w.heard.notices[0], tc.notice) {
					t.Errorf("told %q", w.heard.notices)
				}
			})
		})
	}
}

// TestAwaitTaskOutlastsAnOutage: longer than the patience of one call.
func TestAwaitTaskOutlastsAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		down := time.Now().Add(30 * time.Minute)
		w.On("DescribeTasks", func(in body) any {
			if since := time.Until(down); since > 0 && since < 29*time.Minute {
				return awstest.Failure{Status: 500, Code: "ServerException", Message: "Service Unavailable. Please try again later."}
			}
			return w.describeTasks(in)
		})
		time.AfterFunc(10*time.Minute, func() { w.end(migrationArn, 0) })
		got, err := w.await(t.Context(), t)
		if err != nil || got.LastStatus != "STOPPED" || time.Now().Before(down) {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

func TestAwaitTaskEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		why := errors.New("the migration's 10 minutes are over")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Minute, why)
		defer cancel()
		w.set(migrationArn, body{"lastStatus": "RUNNING"})
		w.journal.write("abc", time.Now(), "a word")
		got, err := w.await(ctx, t)
		if !errors.Is(err, why) || err.Error() != why.Error() || got.LastStatus != "RUNNING" {
			t.Errorf("got %+v, %v", got, err)
		}
		if diff := cmp.Diff([]string{"abc a word"}, w.heard.lines); diff != "" || len(w.heard.notices) > 0 {
			t.Error(diff, w.heard.notices)
		}
		if n := w.Count("DescribeTasks"); n > 1000 {
			t.Errorf("looked %d times in 10 minutes in which nothing moved", n)
		}
	})
}

func TestAwaitTaskThatECSDoesNotShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWaiting(t)
		task := w.tasks[migrationArn]
		delete(w.tasks, migrationArn)
		time.AfterFunc(10*time.Second, func() {
			w.mu.Lock()
			w.tasks[migrationArn] = task
			w.mu.Unlock()
		})
		time.AfterFunc(time.Minute, func() { w.end(migrationArn, 0) })
		if got, err := w.await(t.Context(), t); err != nil || got.LastStatus != "STOPPED" {
			t.Errorf("shown late: %+v, %v", got, err)
		}
		w.mu.Lock()
		delete(w.tasks, migrationArn)
		w.mu.Unlock()
		if _, err := w.await(t.Context(), t); !errors.Is(err, release.ErrNotFound) || !strings.Contains(err.Error(), "task abc: ECS does not know it") {
			t.Errorf("never shown: %v", err)
		}
	})
}

func TestStopTask(t *testing.T) {
	w := newWaiting(t)
	o := w.orchestrator(t)
	if err := o.StopTask(t.Context(), cluster, migrationArn, strings.Repeat("ü", 300)); err != nil {
		t.Fatal(err)
	}
	in := w.Inputs("StopTask")[0]
	if in["cluster"] != cluster || in["task"] != migrationArn || in["reason"] != strings.Repeat("ü", 255) {
		t.Errorf("sent %v", in)
	}
	if err := o.StopTask(t.Context(), cluster, "arn:forgotten", "x"); err != nil {
		t.Errorf("of a task that is forgotten: %v", err)
	}
	w.On("StopTask", awstest.Always(awstest.Failure{Status: 400, Code: "InvalidParameterException", Message: "no"}))
	if err := o.StopTask(t.Context(), cluster, migrationArn, "x"); err != nil {
		t.Errorf("of a task that is stopping: %v", err)
	}
	w.set(migrationArn, body{"desiredStatus": "RUNNING"})
	if err := o.StopTask(t.Context(), cluster, migrationArn, "x"); err == nil || !strings.Contains(err.Error(), "stop task abc: ecs:StopTask: no") {
		t.Errorf("refused for real: %v", err)
	}
	w.On("StopTask", awstest.Always(awstest.Failure{Status: 400, Code: "ClusterNotFoundException", Message: "Cluster not found."}))
	if err := o.StopTask(t.Context(), cluster, migrationArn, "x"); !errors.Is(err, release.ErrNotFound) {
		t.Errorf("without a cluster: %v", err)
	}
}
