package awsclient

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// limits holds one token bucket per category. All clients of a session draw from the same buckets.
type limits struct {
	unlimited bool // the endpoint is on this machine: there is no account to share

	mu      sync.Mutex
	buckets map[category]*throttle
}

// throttle is the program's own bucket of a category. A throttled answer says that AWS's bucket is empty, because somebody
// else draws on the account too: then ours is emptied, and refills at half its rate. Good answers bring the rate back.
type throttle struct {
	*rate.Limiter
	turn    chan struct{} // held by the one call that waits for a token: the others have none promised yet, at no old rate
	full    rate.Limit
	changed time.Time // when the rate was changed last
}

const (
	slowestPerSecond = 0.2
	// slowdownPause is the time in which throttled answers count as one: they were under way together.
	slowdownPause = time.Second
	// recoveryTime is how long it takes to get from nothing back to the full rate.
	recoveryTime = 10 * time.Second
)

func newLimits(unlimited bool) *limits {
	return &limits{unlimited: unlimited, buckets: map[category]*throttle{}}
}

func (l *limits) bucket(c category) *throttle {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.buckets[c]
	if !ok {
		burst, perSecond := buckets[c].allowance()
		t = &throttle{Limiter: rate.NewLimiter(rate.Limit(perSecond), burst), turn: make(chan struct{}, 1), full: rate.Limit(perSecond)}
		l.buckets[c] = t
	}
	return t
}

// wait takes one token of the category, waiting for it as long as ctx allows.
func (l *limits) wait(ctx context.Context, c category) error {
	if l.unlimited {
		return ctx.Err()
	}
	t := l.bucket(c)
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := t.Wait(ctx); err != nil {
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
	t := l.bucket(c)
	l.mu.Lock()
	defer l.mu.Unlock()
	now, limit := time.Now(), t.Limit()
	since := now.Sub(t.changed)
	switch {
	case throttled:
		t.AllowN(now, int(max(0, t.TokensAt(now))))
		if since >= slowdownPause {
			t.change(now, max(limit/2, min(slowestPerSecond, t.full)))
		}
	case limit < t.full && since > 0:
		t.change(now, min(t.full, limit+t.full*rate.Limit(since.Seconds()/recoveryTime.Seconds())))
	}
}

func (t *throttle) change(now time.Time, limit rate.Limit) {
	t.SetLimitAt(now, limit)
	t.changed = now
}
