package awsclient_test

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
)

// shifted is an AWS whose clock differs from this machine's, and that takes its time.
type shifted struct {
	*awstest.AWS
	date func() string
	took time.Duration
}

func (s shifted) Do(r *http.Request) (*http.Response, error) {
	time.Sleep(s.took)
	answer, err := s.AWS.Do(r)
	if err == nil {
		answer.Header.Set("Date", s.date())
	}
	return answer, err
}

func TestClockAhead(t *testing.T) {
	theirs := func(behind time.Duration) func() string {
		return func() string { return time.Now().Add(-behind).UTC().Format(http.TimeFormat) }
	}
	for name, tc := range map[string]struct {
		date   func() string
		took   time.Duration
		answer any
		want   time.Duration
		known  bool
	}{
		"the same":          {theirs(0), 0, awstest.Body{}, 0, true},
		"ahead":             {theirs(7 * time.Minute), 0, awstest.Body{}, 7 * time.Minute, true},
		"behind":            {theirs(-time.Hour), 0, awstest.Body{}, -time.Hour, true},
		"a slow answer":     {theirs(0), 4 * time.Second, awstest.Body{}, -2 * time.Second, true},
		"an error tells it": {theirs(time.Hour), 0, awstest.Failure{Status: 400, Code: "Whatever"}, time.Hour, true},
		"no date":           {func() string { return "" }, 0, awstest.Body{}, 0, false},
		"no answer":         {theirs(0), 0, errors.New("http: no"), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				aws := awstest.New(t).On("GetCallerIdentity", awstest.Always(tc.answer))
				s := aws.Session(t, func(c *awsclient.Config) { c.HTTP = shifted{aws, tc.date, tc.took} })
				if _, known := s.ClockAhead(); known {
					t.Error("the clock is known before anybody has answered")
				}
				_, _ = s.Identity(t.Context())
				got, known := s.ClockAhead()
				if got.Round(time.Second) != tc.want || known != tc.known {
					t.Errorf("ahead by %s (known: %v), want %s (%v)", got, known, tc.want, tc.known)
				}
			})
		})
	}
}
