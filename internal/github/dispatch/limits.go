package dispatch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// backoff is how often, and after how long, a request is sent again.
type backoff struct {
	tries int
	wait  time.Duration
}

func newBackoff() *backoff { return &backoff{wait: 500 * time.Millisecond} }

// mostTries is how often a request is sent until its failure is told.
const mostTries = 5

// next counts a failure, and gives the wait before the next try; false when there is none.
func (b *backoff) next() (time.Duration, bool) {
	b.tries++
	wait := b.wait
	b.wait *= 2
	return wait, b.tries < mostTries
}

func (b *backoff) exhausted() bool { return b.tries >= mostTries }

// limit is a rate limit that was hit.
type limit struct {
	secondary bool // too much at once, not too much in an hour
	wait      time.Duration
}

// String is for people.
func (l limit) String() string {
	if l.secondary {
		return "GitHub's secondary rate limit is reached"
	}
	return "GitHub's rate limit is reached"
}

// limitOf reports whether an answer is a rate limit's, and counts it.
// https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
func limitOf(a answer, tries *backoff) (limit, bool) {
	if a.status != http.StatusForbidden && a.status != http.StatusTooManyRequests {
		return limit{}, false
	}
	text := strings.ToLower(string(a.body))
	secondary := strings.Contains(text, "secondary rate limit") || strings.Contains(text, "abuse detection")
	after := a.header.Get("Retry-After")
	spent := a.header.Get("X-RateLimit-Remaining") == "0"
	if after == "" && !spent && !secondary && a.status != http.StatusTooManyRequests {
		return limit{}, false
	}
	tries.tries++
	l := limit{secondary: secondary, wait: time.Minute << (tries.tries - 1)} // where GitHub does not say: a minute, then longer
	if seconds, err := strconv.Atoi(after); err == nil && seconds >= 0 {
		l.wait = time.Duration(seconds) * time.Second
	} else if reset, err := strconv.ParseInt(a.header.Get("X-RateLimit-Reset"), 10, 64); spent && err == nil {
		// The server's own clock tells how far away its reset is; a second more, because both are whole seconds.
		l.wait = max(time.Unix(reset, 0).Sub(a.time()), 0) + time.Second
	}
	return l, true
}

// time is when the server answered, by its own clock.
func (a answer) time() time.Time {
	if at, err := http.ParseTime(a.header.Get("Date")); err == nil {
		return at
	}
	return time.Now()
}
