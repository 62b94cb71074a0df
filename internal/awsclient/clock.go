package awsclient

import (
	"net/http"
	"sync"
	"time"
)

// clock learns from the Date of every answer how far this machine's clock is from AWS's.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
	known bool
}

// ClockAhead is by how much this machine's clock is ahead of AWS's (negative: behind), to a second or so, as the last
// answer had it. Known is false as long as nobody has answered. AWS refuses what is signed five minutes off.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html
func (s *Session) ClockAhead() (ahead time.Duration, known bool) {
	s.clock.mu.Lock()
	defer s.clock.mu.Unlock()
	return s.clock.ahead, s.clock.known
}

// learn compares an answer's Date with the middle of the time in which it was made.
func (c *clock) learn(date string, asked, answered time.Time) {
	theirs, err := http.ParseTime(date)
	if err != nil {
		return // an answer without a usable Date says nothing
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.known = asked.Add(answered.Sub(asked)/2).Sub(theirs), true
}

// timedAnswers has a clock learn from every answer.
type timedAnswers struct {
	next  HTTPClient
	clock *clock
}

// Do implements HTTPClient.
func (c timedAnswers) Do(r *http.Request) (*http.Response, error) {
	asked := time.Now()
	answer, err := c.next.Do(r)
	if err == nil {
		c.clock.learn(answer.Header.Get("Date"), asked, time.Now())
	}
	return answer, err
}
