package awsclient

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/time/rate"
)

// limits holds one token bucket per category. All clients of a session draw from the same buckets. A throttled answer
// halves the refill of its bucket, because somebody else draws on the account too; every good answer wins a little back.
type limits struct {
	unlimited bool // the endpoint is on this machine: there is no account to share

	mu      sync.Mutex
	buckets map[category]*rate.Limiter
}

const (
	throttledFactor  = 0.5
	recoveryFactor   = 1.1
	slowestPerSecond = 0.2
)

func newLimits(unlimited bool) *limits {
	return &limits{unlimited: unlimited, buckets: map[category]*rate.Limiter{}}
}

func (l *limits) bucket(c category) *rate.Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.buckets[c]
	if !ok {
		burst, perSecond := buckets[c].allowance()
		b = rate.NewLimiter(rate.Limit(perSecond), burst)
		l.buckets[c] = b
	}
	return b
}

// wait takes one token of the category, waiting for it as long as ctx allows.
func (l *limits) wait(ctx context.Context, c category) error {
	if l.unlimited {
		return ctx.Err()
	}
	if err := l.bucket(c).Wait(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("the rate of %s calls leaves none before the deadline: %w", c, context.DeadlineExceeded)
	}
	return nil
}

// learn adapts the category's refill to what came of a call.
func (l *limits) learn(c category, throttled bool) {
	if l.unlimited {
		return
	}
	b := l.bucket(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	_, perSecond := buckets[c].allowance()
	now, full := b.Limit(), rate.Limit(perSecond)
	switch {
	case throttled:
		b.SetLimit(max(now*throttledFactor, slowestPerSecond))
	case now < full:
		b.SetLimit(min(now*recoveryFactor, full))
	}
}
