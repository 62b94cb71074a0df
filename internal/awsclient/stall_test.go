package awsclient_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
)

// stalling lets the first requests hang until their senders give up.
type stalling struct {
	awsclient.HTTPClient
	left atomic.Int32
}

func (s *stalling) Do(r *http.Request) (*http.Response, error) {
	if s.left.Add(-1) >= 0 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	return s.HTTPClient.Do(r)
}

func TestAStalledConnectionCostsSecondsAndEndsNoRead(t *testing.T) {
	for stalls, most := range map[int32]time.Duration{1: 6 * time.Second, 2: 16 * time.Second, 4: 48 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			aws := awstest.New(t).On("DescribeServices", awstest.Always(good))
			line := &stalling{HTTPClient: aws}
			s := aws.Session(t, func(c *awsclient.Config) { c.HTTP = line })
			if err := describe(t.Context(), s); err != nil { // somebody is there
				t.Fatal(err)
			}
			line.left.Store(stalls)
			begin := time.Now()
			if err := describe(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took > most {
				t.Errorf("%d stalls cost %s, want at most %s", stalls, took, most)
			}
		})
	}
}

func TestAChangeThatStallsIsNotSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := awstest.New(t).On("UpdateService", awstest.Always(good))
		line := &stalling{HTTPClient: aws}
		line.left.Store(1)
		s := aws.Session(t, func(c *awsclient.Config) { c.HTTP = line })
		begin := time.Now()
		if err := update(t.Context(), s); !awsclient.Unsure(err) {
			t.Errorf("got %v", err)
		}
		if took := time.Since(begin); took != 15*time.Second || aws.Count("UpdateService") != 0 {
			t.Errorf("it took %s, and %d more were sent", took, aws.Count("UpdateService"))
		}
	})
}
