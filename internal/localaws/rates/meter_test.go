package rates

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// clock is a time that the test moves.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func newMeter(enforce bool) (*Meter, *clock) {
	c := &clock{time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)}
	return New(enforce, c.now), c
}

// burst calls until it is refused, at most 10000 times, and gives how often it was not.
func burst(t *testing.T, m *Meter, call wire.Call) int {
	t.Helper()
	for n := range 10000 {
		err := m.Admit(call)
		if err == nil {
			continue
		}
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "ThrottlingException" || api.ErrorMessage() != "Rate exceeded" {
			t.Errorf("got %v", err)
		}
		return n
	}
	return 10000
}

func TestABucketIsEmptiedAndRefilled(t *testing.T) {
	m, c := newMeter(true)
	call := wire.Call{Region: "us-east-1", Service: "ecs", Operation: "UpdateService"}
	steps := []struct {
		pass time.Duration
		want int
	}{{0, 50}, {999 * time.Millisecond, 0}, {time.Millisecond, 5}, {2500 * time.Millisecond, 10}, {500 * time.Millisecond, 5}, {time.Hour, 50}}
	for i, step := range steps {
		c.Time = c.Add(step.pass)
		if got := burst(t, m, call); got != step.want {
			t.Errorf("step %d: %d calls, want %d", i, got, step.want)
		}
	}
}

func TestCategoriesRegionsAndServicesHaveBucketsOfTheirOwn(t *testing.T) {
	m, _ := newMeter(true)
	for _, tt := range []struct {
		region, service, operation string
		want                       int
	}{
		{"us-east-1", "ecs", "ListTasks", 100},
		{"us-east-1", "ecs", "DescribeTasks", 0}, // the same bucket
		{"eu-west-1", "ecs", "DescribeTasks", 100},
		{"us-east-1", "ecs", "DescribeServiceDeployments", 50},
		{"us-east-1", "ecs", "DescribeServiceRevisions", 50},
		{"us-east-1", "ecs", "StopServiceDeployment", 10000}, // no rate is documented
		{"us-east-1", "ecr", "PutImage", 10},
		{"us-east-1", "ecr", "BatchGetImage", 2000},
		{"us-east-1", "logs", "FilterLogEvents", 25},
		{"us-east-1", "sts", "GetCallerIdentity", 10000},
	} {
		if got := burst(t, m, wire.Call{Region: tt.region, Service: tt.service, Operation: tt.operation}); got != tt.want {
			t.Errorf("%+v: %d", tt, got)
		}
	}
}

func TestCounts(t *testing.T) {
	for _, enforce := range []bool{false, true} {
		m, _ := newMeter(enforce)
		for range 12 {
			_ = m.Admit(wire.Call{Region: "us-east-1", Service: "ecr", Operation: "PutImage"})
		}
		_ = m.Admit(wire.Call{Region: "eu-west-1", Service: "ecr", Operation: "BatchGetImage"})
		throttled := 0
		if enforce {
			throttled = 2
		}
		want := []Count{{"ecr", "BatchGetImage", 1, 0}, {"ecr", "PutImage", 12, throttled}}
		if got := m.Counts(); !reflect.DeepEqual(got, want) {
			t.Errorf("enforce %t: %+v", enforce, got)
		}
	}
}

// TestTheTableNamesRealOperations, each once.
func TestTheTableNamesRealOperations(t *testing.T) {
	all := map[string][]string{"ecs": wire.OperationsOf((*ecs.Client)(nil)), "ecr": wire.OperationsOf((*ecr.Client)(nil)), "logs": wire.OperationsOf((*cloudwatchlogs.Client)(nil))}
	seen := map[string]bool{}
	check := func(service, operation string) {
		known := false
		for _, one := range all[service] {
			known = known || one == operation
		}
		if !known || seen[service+operation] {
			t.Errorf("%s has no operation %s, or the table has it twice", service, operation)
		}
		seen[service+operation] = true
	}
	for _, g := range ecsGroups {
		for _, operation := range g.operations {
			check("ecs", operation)
		}
	}
	for service, operations := range perOperation {
		for operation := range operations {
			check(service, operation)
		}
	}
}
