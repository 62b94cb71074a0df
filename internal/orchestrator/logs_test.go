package orchestrator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// journal is a log group.
type journal struct {
	mu     sync.Mutex
	events []body // as they arrived
	page   int
}

func (j *journal) write(task string, at time.Time, text string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, body{
		"eventId": fmt.Sprint(len(j.events)), "logStreamName": "m/medusa/" + task, "timestamp": at.UnixMilli(), "message": text + "\n",
	})
}

func (j *journal) filter(in body) any {
	j.mu.Lock()
	defer j.mu.Unlock()
	from, _ := in["startTime"].(float64)
	var found []body
	for _, e := range j.events {
		if float64(e["timestamp"].(int64)) >= from && strings.HasPrefix(e["logStreamName"].(string), in["logStreamNamePrefix"].(string)) {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b body) int { return int(a["timestamp"].(int64) - b["timestamp"].(int64)) })
	return page(in, "events", found, j.page)
}

// heard collects what is emitted.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) emit(e release.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := e.(release.LogLine)
	h.lines = append(h.lines, l.Service+" "+l.Task+" "+l.Text)
}

func TestLogs(t *testing.T) {
	c := newCloud(t)
	j := &journal{page: 2}
	c.On("FilterLogEvents", j.filter)
	c.addTask("ours", "RUNNING", "RUNNING", "ecs-svc/1", nil)
	c.addTask("theirs", "RUNNING", "RUNNING", "ecs-svc/7", body{"group": "service:another"})
	j.write("ours", start.Add(-time.Second), "too old")
	j.write("ours", start.Add(2*time.Second), "second")
	j.write("theirs", start.Add(2*time.Second), "of another service")
	j.write("gone", start.Add(time.Second), "first, of a task that ECS has forgotten")
	var got heard
	if err := c.orchestrator(t).Logs(t.Context(), cluster, service, start, false, got.emit); err != nil {
		t.Fatal(err)
	}
	want := []string{service + " gone first, of a task that ECS has forgotten", service + " ours second"}
	if diff := cmp.Diff(want, got.lines); diff != "" {
		t.Error(diff)
	}
	if in := c.Inputs("FilterLogEvents")[0]; in["logGroupName"] != "/ecs/medusa" || in["logStreamNamePrefix"] != "m/medusa/" {
		t.Errorf("asked for %v", in)
	}
}

func TestFollowedLogsNeitherDoubleNorDrop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		j := &journal{page: 3}
		trouble := 0
		c.On("FilterLogEvents", func(in body) any {
			if trouble++; trouble%7 == 0 {
				return awstest.Failure{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}
			}
			return j.filter(in)
		})
		c.addTask("ours", "RUNNING", "RUNNING", "ecs-svc/1", nil)
		ctx, cancel := context.WithCancel(t.Context())
		var got heard
		since := time.Now().Add(-time.Hour)
		done := make(chan error, 1)
		go func() { done <- c.orchestrator(t).Logs(ctx, cluster, service, since, true, got.emit) }()
		const n = 400
		for i := range n {
			at := time.Now()
			if i%5 == 0 {
				at = at.Add(-20 * time.Second) // a batch that was sent late
			}
			j.write("ours", at, fmt.Sprint(i))
			if i%3 == 0 {
				time.Sleep(700 * time.Millisecond)
			}
		}
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for _, l := range got.lines {
			seen[l]++
		}
		for i := range n {
			if k := seen[fmt.Sprintf("%s ours %d", service, i)]; k != 1 {
				t.Errorf("line %d was shown %d times", i, k)
			}
		}
	})
}

func TestLogsOfAServiceThatDoesNotLog(t *testing.T) {
	c := newCloud(t)
	d := taskDefinition()
	delete(d["containerDefinitions"].([]any)[0].(body), "logConfiguration")
	c.On("DescribeTaskDefinition", awstest.Always(body{"taskDefinition": d}))
	err := c.orchestrator(t).Logs(t.Context(), cluster, service, start, true, (&heard{}).emit)
	if err == nil || !strings.Contains(err.Error(), "container medusa does not log to CloudWatch") {
		t.Errorf("got %v", err)
	}
}

func TestTaskLog(t *testing.T) {
	events := func(texts ...string) []any {
		var all []any
		for i, text := range texts {
			all = append(all, body{"timestamp": i, "message": text})
		}
		return all
	}
	cases := map[string]struct {
		container string
		answers   []any
		want      []string
		wrong     string
	}{
		"the last ones": {"medusa", []any{body{"events": events("a", "b\n", "c"), "nextBackwardToken": "1"}}, []string{"b", "c"}, ""},
		"over several pages, one of them empty": {"medusa", []any{
			body{"events": events("c"), "nextBackwardToken": "1"}, body{"nextBackwardToken": "2"}, body{"events": events("a", "b"), "nextBackwardToken": "3"},
		}, []string{"b", "c"}, ""},
		"fewer than asked for": {"medusa", []any{body{"events": events("a"), "nextBackwardToken": "1"}, body{"nextBackwardToken": "1"}}, []string{"a"}, ""},
		"no line yet":          {"medusa", []any{awstest.Failure{Status: 400, Code: "ResourceNotFoundException", Message: "The specified log stream does not exist."}}, nil, ""},
		"may not":              {"medusa", []any{awstest.Failure{Status: 400, Code: "AccessDeniedException", Message: "no"}}, nil, "AWS denies logs:GetLogEvents"},
		"does not log":         {"silent", []any{body{}}, nil, "container silent does not log to CloudWatch"},
		"not there":            {"nobody", []any{body{}}, nil, "has no container nobody"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t)
			c.On("GetLogEvents", awstest.InTurn(tc.answers...))
			got, err := c.orchestrator(t).TaskLog(t.Context(), release.Task{ID: "abc", TaskDefinition: taskDef}, tc.container, 2)
			if (err != nil) != (tc.wrong != "") || err != nil && !strings.Contains(err.Error(), tc.wrong) {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
			if asked := c.Inputs("GetLogEvents"); len(asked) > 0 && (asked[0]["logStreamName"] != "m/medusa/abc" || asked[0]["logGroupName"] != "/ecs/medusa") {
				t.Errorf("asked for %v", asked[0])
			}
		})
	}
}
