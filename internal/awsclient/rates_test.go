package awsclient_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
)

// lumpyBucket is a token bucket whose refill comes in one lump at the end of each second, which AWS's documentation
// leaves open.
type lumpyBucket struct {
	mu               sync.Mutex
	capacity, refill int
	tokens           int
	begin            time.Time
	second           int
	calls, throttled int
}

func (b *lumpyBucket) answer(awstest.Body) any {
	b.mu.Lock()
	defer b.mu.Unlock()
	if second := int(time.Since(b.begin) / time.Second); second > b.second {
		b.tokens, b.second = min(b.capacity, b.tokens+(second-b.second)*b.refill), second
	}
	b.calls++
	if b.tokens == 0 {
		b.throttled++
		return throttled
	}
	b.tokens--
	return good
}

// TestNobodyAloneIsThrottled has many callers call as fast as they are let, against AWS's documented rates.
func TestNobodyAloneIsThrottled(t *testing.T) {
	cases := []struct {
		operation        string
		capacity, refill int
		call             func(context.Context, *awsclient.Session) error
	}{
		{"DescribeServices", 100, 20, describe},
		{"UpdateService", 50, 5, update},
		{"DescribeServiceDeployments", 50, 20, func(ctx context.Context, s *awsclient.Session) error {
			_, err := awsclient.Call(ctx, ecs.NewFromConfig(s.AWS()).DescribeServiceDeployments, &ecs.DescribeServiceDeploymentsInput{ServiceDeploymentArns: []string{"arn:d"}})
			return err
		}},
		{"CreateCluster", 20, 1, func(ctx context.Context, s *awsclient.Session) error {
			_, err := awsclient.Call(ctx, ecs.NewFromConfig(s.AWS()).CreateCluster, &ecs.CreateClusterInput{})
			return err
		}},
	}
	for _, c := range cases {
		t.Run(c.operation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// What AWS gave before counts: the second begins anywhere.
				b := &lumpyBucket{capacity: c.capacity, refill: c.refill, tokens: c.capacity, begin: time.Now().Add(-time.Millisecond)}
				aws := awstest.New(t).On(c.operation, b.answer)
				s := aws.Session(t, func(c *awsclient.Config) { c.Paced = true })
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				var callers sync.WaitGroup
				for range 150 {
					callers.Go(func() {
						for c.call(ctx, s) == nil {
						}
					})
				}
				callers.Wait()
				most, least := c.capacity+120*c.refill, (c.capacity+120*c.refill)*8/10
				if b.throttled > 0 || b.calls > most || b.calls < least {
					t.Errorf("%d calls in two minutes, %d throttled: want %d to %d and none", b.calls, b.throttled, least, most)
				}
			})
		})
	}
}

// TestAMachineOfOnesOwnHasNoRates: local AWS is not shared, unless it says that it enforces AWS's rates.
func TestAMachineOfOnesOwnHasNoRates(t *testing.T) {
	for paced, want := range map[bool]time.Duration{false: 0, true: 30 * time.Second} {
		t.Run(fmt.Sprint(paced), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				aws := awstest.New(t).On("UpdateService", awstest.Always(good))
				s := aws.Session(t, func(c *awsclient.Config) { c.Paced = paced })
				begin := time.Now()
				for range 175 {
					if err := update(t.Context(), s); err != nil {
						t.Fatal(err)
					}
				}
				if took := time.Since(begin).Round(time.Second); took != want {
					t.Errorf("175 calls took %s, want %s", took, want)
				}
			})
		})
	}
}

// TestAnEmptiedAccountIsNotForsaken: somebody else has used AWS's bucket up when a hundred calls want to begin. Many are
// throttled at once; that must slow the rest down for seconds, not for minutes.
func TestAnEmptiedAccountIsNotForsaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &lumpyBucket{capacity: 50, refill: 5, begin: time.Now()}
		aws := awstest.New(t).On("UpdateService", b.answer)
		s := aws.Session(t, func(c *awsclient.Config) { c.Paced = true })
		begin := time.Now()
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				if err := update(t.Context(), s); err != nil {
					t.Error(err)
				}
			})
		}
		callers.Wait()
		took := time.Since(begin)
		if took < 20*time.Second || took > 35*time.Second { // twenty is what AWS allows
			t.Errorf("it took %s", took)
		}
		if b.throttled > 100 {
			t.Errorf("%d calls were throttled on the way", b.throttled)
		}
		t.Logf("it took %s, %d were throttled", took, b.throttled)
	})
}
