package awsclient

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
)

const (
	// firstDelay doubles with every further attempt, up to longestDelay. Throttled calls start later and wait longer.
	firstDelay            = 50 * time.Millisecond
	longestDelay          = 5 * time.Second
	firstThrottledDelay   = 500 * time.Millisecond
	longestThrottledDelay = 15 * time.Second
	// strangerAttempts is how often a server that has never answered is tried: more likely it is not there.
	strangerAttempts = 5
	// sessionRenewals and keyAttempts bound how often a call may meet expired credentials. A session's are renewed once;
	// long-lived keys cannot expire, so that they are only tried again.
	sessionRenewals = 1
	keyAttempts     = 4
)

// retryer decides for all clients of a session when and whether a call is sent again. A read goes on until its context
// ends; Call sees to it that every context ends.
type retryer struct {
	limits      *limits
	credentials *provider
	log         *slog.Logger
	met         atomic.Bool // somebody has answered in this session
}

var _ aws.RetryerV2 = (*retryer)(nil)

// IsErrorRetryable implements aws.Retryer. Which calls may be repeated is decided in GetRetryToken, which knows the call.
func (*retryer) IsErrorRetryable(err error) bool { return faultOf(err) != faultFinal }

// MaxAttempts implements aws.Retryer: there is no maximum.
func (*retryer) MaxAttempts() int { return 0 }

// RetryDelay implements aws.Retryer: exponential, with half of it left to chance.
func (*retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	first, longest := firstDelay, longestDelay
	if faultOf(err) == faultThrottled {
		first, longest = firstThrottledDelay, longestThrottledDelay
	}
	delay := longest
	if doublings := max(attempt-1, 0); doublings < 10 {
		delay = min(first<<doublings, longest)
	}
	return delay/2 + rand.N(delay/2), nil
}

// GetInitialToken implements aws.Retryer; GetAttemptToken takes its place.
func (*retryer) GetInitialToken() func(error) error { return keepToken }

func keepToken(error) error { return nil }

// GetAttemptToken implements aws.RetryerV2: every attempt draws from its category's bucket.
func (r *retryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	c := categoryOf(callName(ctx))
	if err := r.limits.wait(ctx, c); err != nil {
		return keepToken, err
	}
	return func(err error) error {
		r.learn(c, err)
		return nil
	}, nil
}

func (r *retryer) learn(c category, err error) {
	if err == nil {
		r.met.Store(true)
		r.limits.learn(c, false)
		return
	}
	switch faultOf(err) {
	case faultThrottled:
		r.met.Store(true)
		r.limits.learn(c, true)
	case faultUnsure, faultFinal, faultExpired:
		if answered(err) {
			r.met.Store(true)
		}
	}
}

// GetRetryToken implements aws.Retryer: it refuses a repetition that could do harm, or that nobody is there to answer.
func (r *retryer) GetRetryToken(ctx context.Context, err error) (func(error) error, error) {
	if ctx.Err() != nil {
		return keepToken, context.Cause(ctx)
	}
	call, f := callName(ctx), faultOf(err)
	if f == faultUnsure && repeatOf(call) == repeatUnsent {
		return keepToken, errUnsure
	}
	attempts, expired := trailOf(ctx).note(err)
	if f == faultExpired {
		if err := r.renew(ctx, expired); err != nil {
			return keepToken, err
		}
	}
	if !r.met.Load() && f != faultThrottled && !answered(err) && attempts >= strangerAttempts {
		return keepToken, errNobody
	}
	r.log.InfoContext(ctx, "aws call failed, trying again", "call", call, "attempt", attempts, "error", err)
	return keepToken, nil
}

// renew gets new credentials for a call that was refused with expired ones for the nth time.
func (r *retryer) renew(ctx context.Context, n int) error {
	used := trailOf(ctx).signedWith()
	most := sessionRenewals
	if used.SessionToken == "" {
		most = keyAttempts
	}
	if n > most {
		return errStale
	}
	return r.credentials.renew(ctx, used)
}

// callName is SERVICE.OPERATION of the call that ctx belongs to, as the SDK names them.
func callName(ctx context.Context) string {
	return awsmiddleware.GetServiceID(ctx) + "." + awsmiddleware.GetOperationName(ctx)
}
