package dispatch_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/github/dispatch"
	"github.com/medusa-deploy/medusa-deploy/internal/github/githubtest"
)

func TestDispatchFindsItsRun(t *testing.T) {
	cases := []struct {
		name     string
		workflow string
		world    func(s *githubtest.Server)
		posts    int
		nonce    bool
	}{
		{"told", withNonce, func(*githubtest.Server) {}, 1, true},
		{"told, no nonce", withoutNonce, func(*githubtest.Server) {}, 1, false},
		{"204, by nonce", withNonce, func(s *githubtest.Server) { s.NoDetails = true }, 1, true},
		{"204, the only one since", withoutNonce, func(s *githubtest.Server) { s.NoDetails = true }, 1, false},
		{"204, token without a user", withoutNonce, func(s *githubtest.Server) { s.NoDetails = true; s.Login = "" }, 1, false},
		{"old Enterprise", withNonce, func(s *githubtest.Server) { s.OldServer = true }, 2, true},
		{"old Enterprise, 422", withoutNonce, func(s *githubtest.Server) {
			s.Answer("dispatch", githubtest.Answer{Status: 422, Message: "Invalid request.\n\n\"return_run_details\" is not a permitted key.", Times: 1})
		}, 2, false},
		{"lost answer, by nonce", withNonce, func(s *githubtest.Server) { s.Answer("dispatch", githubtest.Answer{Lost: true, Times: 1}) }, 1, true},
		{"lost answer, the only one since", withoutNonce, func(s *githubtest.Server) { s.Answer("dispatch", githubtest.Answer{Lost: true, Times: 1}) }, 1, false},
		{"lost before it did anything", withNonce, func(s *githubtest.Server) {
			s.Answer("dispatch", githubtest.Answer{Status: http.StatusBadGateway, Times: 1})
		}, 2, true},
		{"rate limit", withNonce, func(s *githubtest.Server) {
			s.Answer("dispatch", githubtest.Answer{Status: 429, Message: "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.", Times: 1})
		}, 2, true},
	}
	for _, c := range cases {
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, c.workflow)
			// Others are at work, too: before us, on another branch, and a push.
			w.server.Add(&githubtest.Run{Title: "before", Branch: "main", Actor: "ada"})
			time.Sleep(time.Minute)
			w.server.NewRun = func(map[string]string) *githubtest.Run { return &githubtest.Run{Hidden: 3 * time.Second} }
			c.world(w.server)
			w.server.Add(&githubtest.Run{Title: "other branch", Branch: "feature", Actor: "ada"})
			run, err := w.start(production())
			if err != nil {
				t.Fatal(err)
			}
			if run.ID != 1002 || !strings.HasSuffix(run.URL, "/acme/shop/actions/runs/1002") {
				t.Errorf("found run %d at %s", run.ID, run.URL)
			}
			if got := len(w.server.Requests("dispatch")); got != c.posts {
				t.Errorf("%d dispatches were sent, want %d", got, c.posts)
			}
			sent := w.server.Dispatches()
			if len(sent) != 1 || sent[0].Ref != "main" || sent[0].Inputs["target"] != "production" || (sent[0].Inputs["nonce"] != "") != c.nonce {
				t.Errorf("started %+v", sent)
			}
		})
	}
}

// TestADispatchIsNotSentTwiceBlindly: without a nonce nothing proves that the first had no effect.
func TestADispatchIsNotSentTwiceBlindly(t *testing.T) {
	bubble(t, "502", func(t *testing.T) {
		w := newWorld(t, withoutNonce)
		w.server.Answer("dispatch", githubtest.Answer{Status: http.StatusBadGateway, Times: 1})
		_, err := w.start(production())
		if err == nil || !strings.Contains(err.Error(), "before you dispatch again") || len(w.server.Requests("dispatch")) != 1 {
			t.Errorf("got %v after %d dispatches", err, len(w.server.Requests("dispatch")))
		}
	})
}

// TestTwoCandidatesAreNotGuessedBetween: following somebody else's deploy is worse than following none.
func TestTwoCandidatesAreNotGuessedBetween(t *testing.T) {
	bubble(t, "204", func(t *testing.T) {
		w := newWorld(t, withoutNonce)
		w.server.NoDetails = true
		w.server.Add(&githubtest.Run{Title: "same second", Branch: "main", Actor: "ada"})
		_, err := w.start(production())
		if err == nil || !strings.Contains(err.Error(), "--follow 1000") || !strings.Contains(err.Error(), "--follow 1001") {
			t.Errorf("got %v", err)
		}
	})
	bubble(t, "somebody else's", func(t *testing.T) {
		w := newWorld(t, withoutNonce)
		w.server.NoDetails = true
		w.server.Add(&githubtest.Run{Title: "same second", Branch: "main", Actor: "bob"})
		if run, err := w.start(production()); err != nil || run.ID != 1001 {
			t.Errorf("got %d, %v", run.ID, err)
		}
	})
	bubble(t, "none shows", func(t *testing.T) {
		w := newWorld(t, withNonce)
		w.server.NoDetails = true
		w.server.NewRun = func(map[string]string) *githubtest.Run { return &githubtest.Run{Hidden: time.Hour} }
		if _, err := w.start(production()); err == nil || !strings.Contains(err.Error(), "does not show within 45s") {
			t.Errorf("got %v", err)
		}
	})
}

func TestRequestsAreSentAgain(t *testing.T) {
	reset := func(in time.Duration) map[string]string {
		return map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": unix(in)}
	}
	cases := []struct {
		name   string
		answer func() githubtest.Answer
		took   time.Duration // at least; and less than twice as much
		says   string
	}{
		{"server errors", func() githubtest.Answer { return githubtest.Answer{Status: 503, Times: 3} }, 3500 * time.Millisecond, ""},
		{"dropped connections", func() githubtest.Answer { return githubtest.Answer{Lost: true, Times: 2} }, 1500 * time.Millisecond, ""},
		{"rate limit", func() githubtest.Answer {
			return githubtest.Answer{Status: 403, Message: "API rate limit exceeded for user ID 1.", Header: reset(4 * time.Minute), Times: 1}
		}, 4 * time.Minute, "rate limit is reached: waiting 4m1s"},
		{"secondary limit", func() githubtest.Answer {
			return githubtest.Answer{Status: 429, Message: "You have exceeded a secondary rate limit.", Header: map[string]string{"Retry-After": "90"}, Times: 1}
		}, 90 * time.Second, "secondary rate limit is reached: waiting 1m30s"},
		{"secondary limit that does not say", func() githubtest.Answer {
			return githubtest.Answer{Status: 403, Message: "You have exceeded a secondary rate limit.", Times: 1}
		}, time.Minute, "waiting 1m0s"},
	}
	for _, c := range cases {
		bubble(t, c.name, func(t *testing.T) {
			w := newWorld(t, withNonce)
			w.server.Answer("workflow", c.answer())
			begun := time.Now()
			if _, err := w.start(production()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begun); took < c.took || took >= 2*c.took {
				t.Errorf("it took %s, want about %s", took, c.took)
			}
			if said := strings.Join(w.notices(), "\n"); !strings.Contains(said, c.says) || c.says == "" && said != "" {
				t.Errorf("it said %q", said)
			}
		})
	}
	bubble(t, "not for ever", func(t *testing.T) {
		w := newWorld(t, withNonce)
		w.server.Answer("workflow", githubtest.Answer{Status: 502})
		if _, err := w.start(production()); err == nil || len(w.server.Requests("workflow")) != 5 {
			t.Errorf("%d requests, %v", len(w.server.Requests("workflow")), err)
		}
	})
}

// silent lets a number of requests wait for ever, as a connection does that died unnoticed.
type silent struct {
	next  http.RoundTripper
	times int
}

func (s *silent) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.times--; s.times < 0 {
		return s.next.RoundTrip(r)
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestADeadConnectionIsGivenUp(t *testing.T) {
	bubble(t, "get", func(t *testing.T) {
		w := newWorld(t, withNonce)
		w.client = dispatch.NewClient(dispatch.Config{
			Repository: dispatch.Repository{Host: dispatch.PublicHost, Owner: "acme", Name: "shop"},
			Token:      dispatch.NewToken(githubtest.Token, "GH_TOKEN"), UserAgent: "test", Transport: &silent{w.server.Transport(), 1},
		})
		begun := time.Now()
		if _, err := w.start(production()); err != nil || time.Since(begun) < 2*time.Minute || time.Since(begun) > 3*time.Minute {
			t.Errorf("%v after %s", err, time.Since(begun))
		}
	})
}
