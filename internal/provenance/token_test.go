package provenance

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/jobtoken"
)

// answers gives one HTTP answer after the other; an empty body with status 0 breaks the connection.
type answers struct {
	given []answer
	asked int
}

type answer struct {
	status int
	body   string
}

// RoundTrip implements http.RoundTripper.
func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	one := a.given[min(a.asked, len(a.given)-1)]
	a.asked++
	if one.status == 0 {
		return nil, errors.New("connection reset")
	}
	return &http.Response{StatusCode: one.status, Body: io.NopCloser(strings.NewReader(one.body)), Request: r, Header: http.Header{}}, nil
}

func TestToken(t *testing.T) {
	actions := []string{jobtoken.URLVariable, "https://example.com/token?x=1", jobtoken.GrantVariable, "canary-secret"}
	good := answer{200, `{"count":1,"value":"a.b.c"}`}
	for name, tc := range map[string]struct {
		env   []string
		given []answer
		want  string // the token
		err   string
		asked int
	}{
		"from GitHub Actions":     {actions, []answer{good}, "a.b.c", "", 1},
		"what is set wins":        {append([]string{TokenVariable, "d.e.f"}, actions...), nil, "d.e.f", "", 0},
		"troubles pass":           {actions, []answer{{0, ""}, {503, ""}, good}, "a.b.c", "", 3},
		"troubles do not pass":    {actions, []answer{{500, "canary-secret"}}, "", "HTTP status 500", 3},
		"not allowed":             {actions, []answer{{403, "canary-secret"}}, "", "HTTP status 403", 1},
		"an answer without token": {actions, []answer{{200, `{"value":""}`}}, "", "its answer holds no token", 1},
		"no JSON":                 {actions, []answer{{200, "canary-secret"}}, "", "its answer holds no token", 1},
		"no URL":                  {[]string{jobtoken.URLVariable, "token", jobtoken.GrantVariable, "canary-secret"}, nil, "", jobtoken.URLVariable + " is no URL", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &answers{given: tc.given}
				var hidden []string
				source := tokenSource{env: environment(tc.env...), http: &http.Client{Transport: server}, hide: func(secrets ...string) { hidden = append(hidden, secrets...) }}
				got, err := source.token(t.Context())
				if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) || server.asked != tc.asked {
					t.Errorf("token = %q, %v after %d requests; want %q, %q after %d", got, err, server.asked, tc.want, tc.err, tc.asked)
				}
				if err != nil && strings.Contains(err.Error(), "canary") {
					t.Errorf("the error shows a secret: %v", err)
				}
				if joined := strings.Join(hidden, " "); !strings.Contains(joined, tc.want) {
					t.Errorf("hidden: %v", hidden)
				}
			})
		})
	}
}

func TestTokenIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		source := tokenSource{
			env: environment(jobtoken.URLVariable, "https://example.com", jobtoken.GrantVariable, "s"), hide: func(...string) {},
			http: &http.Client{Transport: &answers{given: []answer{{500, ""}}}},
		}
		begin := time.Now()
		if _, err := source.token(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(begin) > time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}
