package elb

import (
	"context"
	"errors"
	"testing"
	"time"
)

func TestCheckRecord(t *testing.T) {
	good := verdict{ok: true, answered: true}
	wrong := verdict{answered: true, reason: "Target.ResponseCodeMismatch", description: "Health checks failed with these codes: [503]"}
	silent := verdict{reason: "Target.FailedHealthChecks", description: "Health checks failed"}
	type step struct {
		v     verdict
		times int
		want  State
	}
	tests := []struct {
		name  string
		steps []step // each check comes when the record asked for it
	}{
		{"healthy at the first success", []step{{good, 1, Healthy}}},
		{"a slow start is not held against it", []step{{silent, 299, Initial}, {good, 1, Healthy}}},
		{"nobody listens for 30 s", []step{{silent, 300, Initial}, {silent, 1, Unhealthy}}},
		{"wrong answers for 10 s", []step{{wrong, 100, Initial}, {wrong, 1, Unhealthy}}},
		{"silence starts the patience with answers anew", []step{{wrong, 90, Initial}, {silent, 1, Initial}, {wrong, 100, Initial}, {wrong, 1, Unhealthy}}},
		{"one failure is forgiven", []step{{good, 1, Healthy}, {wrong, 1, Healthy}, {good, 1, Healthy}, {silent, 1, Healthy}}},
		{"two failures in a row are not", []step{{good, 1, Healthy}, {wrong, 1, Healthy}, {silent, 1, Unhealthy}}},
		{"an unhealthy one needs two successes", []step{{good, 1, Healthy}, {wrong, 2, Unhealthy}, {good, 1, Unhealthy}, {wrong, 1, Unhealthy}, {good, 1, Unhealthy}, {good, 1, Healthy}}},
		{"also when it never was healthy", []step{{wrong, 101, Unhealthy}, {good, 1, Unhealthy}, {good, 1, Healthy}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, now := newCheckRecord(), time.Unix(0, 0)
			for i, s := range tt.steps {
				for range s.times {
					now = now.Add(r.observe(s.v, now, defaultPace()))
				}
				if r.health.State != s.want {
					t.Fatalf("after step %d: %+v, want %s", i, r.health, s.want)
				}
				if r.health.State == Unhealthy && r.health.Description == "" {
					t.Errorf("step %d: unhealthy without a description", i)
				}
			}
		})
	}
}

func TestCheckPace(t *testing.T) {
	r, p := newCheckRecord(), defaultPace()
	if wait := r.observe(verdict{}, time.Unix(0, 0), p); wait != p.eager {
		t.Errorf("the next check of a new target is after %v", wait)
	}
	if wait := r.observe(verdict{ok: true}, time.Unix(0, 1), p); wait != p.regular {
		t.Errorf("the next check of a healthy target is after %v", wait)
	}
	if wait := r.observe(verdict{}, time.Unix(0, 2), p); wait != p.regular {
		t.Errorf("the next check of a target that failed once is after %v", wait)
	}
}

func TestSilence(t *testing.T) {
	if v := silence(context.DeadlineExceeded); v.reason != "Target.Timeout" || v.description != "Request timed out" {
		t.Errorf("%+v", v)
	}
	if v := silence(errors.New("refused")); v.reason != "Target.FailedHealthChecks" || v.description != "Health checks failed" {
		t.Errorf("%+v", v)
	}
}

func TestRotation(t *testing.T) {
	var r rotation
	if r.take(nil) != nil {
		t.Error("an empty rotation gave a target")
	}
	a, b, c := &target{id: "a", place: -1}, &target{id: "b", place: -1}, &target{id: "c", place: -1}
	for _, one := range []*target{a, b, c, b} {
		r.add(one)
	}
	seen := map[string]int{}
	for range 30 {
		seen[r.take(nil).id]++
	}
	if seen["a"] != 10 || seen["b"] != 10 || seen["c"] != 10 {
		t.Errorf("not in turn: %v", seen)
	}
	if got := r.take([]*target{a, c}); got != b {
		t.Errorf("took %v, want b", got)
	}
	if got := r.take([]*target{a, b, c}); got != nil {
		t.Errorf("took %v again", got)
	}
	r.remove(a)
	r.remove(a)
	for range 4 {
		if r.take(nil) == a {
			t.Error("a removed target is still in rotation")
		}
	}
	r.remove(c)
	r.remove(b)
	if r.take(nil) != nil {
		t.Error("the rotation should be empty")
	}
	r.add(a)
	if r.take(nil) != a {
		t.Error("a target that came back is not in rotation")
	}
}
