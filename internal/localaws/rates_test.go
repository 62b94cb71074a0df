package localaws

import (
	"errors"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/ecs"
	"github.com/aws/smithy-go"
)

// TestRatesAreEnforcedWhenAskedFor: an SDK that does not try again sees ECS's own refusal, and status counts it.
func TestRatesAreEnforcedWhenAskedFor(t *testing.T) {
	for rates, limited := range map[string]bool{"": false, RatesAWS: true} {
		t.Run("rates "+rates, func(t *testing.T) {
			o := options(t)
			o.Rates = rates
			info, _ := serving(t, o)
			client := ecs.NewFromConfig(config(info), func(o *ecs.Options) { o.Retryer = aws.NopRetryer{} })
			var refused error
			calls := 0
			for ; calls < 1000 && refused == nil; calls++ { // twenty, and one a second
				_, refused = client.CreateCluster(t.Context(), &ecs.CreateClusterInput{ClusterName: aws.String("c")})
			}
			if limited != (refused != nil) || limited && calls < 20 {
				t.Fatalf("after %d calls: %v", calls, refused)
			}
			if api := smithy.APIError(nil); limited && (!errors.As(refused, &api) || api.ErrorCode() != "ThrottlingException" || !throttled(refused)) {
				t.Errorf("an SDK does not take it for a throttle: %v", refused)
			}
			status := inspect(t, o.Dir)
			want := CallCount{Service: "ecs", Operation: "CreateCluster", Calls: calls}
			if limited {
				want.Throttled = 1
			}
			if len(status.Calls) != 1 || status.Calls[0] != want || status.Info.Rates != rates {
				t.Errorf("status = %+v, want %+v", status.Calls, want)
			}
		})
	}
}

// throttled is what the SDK makes of an error.
func throttled(err error) bool {
	return retry.IsErrorThrottles(retry.DefaultThrottles).IsErrorThrottle(err) == aws.TrueTernary
}
