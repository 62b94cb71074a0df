package awsclient_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
)

var expired = awstest.Failure{Status: 400, Code: "ExpiredTokenException", Message: "The security token included in the request is expired"}

// gate lets only requests pass that carry the good session token.
type gate struct {
	aws  *awstest.AWS
	good atomic.Value // string
	sent atomic.Int32
}

func (g *gate) Do(r *http.Request) (*http.Response, error) {
	g.sent.Add(1)
	if r.Header.Get("X-Amz-Security-Token") == g.good.Load().(string) {
		return g.aws.Do(r)
	}
	refusing := awstest.New(nil).On("DescribeServices", awstest.Always(expired)).On("UpdateService", awstest.Always(expired))
	return refusing.Do(r)
}

// issuer hands out credentials as a container's task role does: token-1, token-2, …, as far as it may.
type issuer struct {
	*httptest.Server
	issued, most atomic.Int32
	broken       atomic.Bool
}

func newIssuer(t *testing.T, most int32) *issuer {
	i := &issuer{}
	i.most.Store(most)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if i.broken.Load() {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		n := min(i.issued.Add(1), i.most.Load())
		fmt.Fprintf(w, `{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"x","Token":"token-%d","Expiration":"2099-01-01T00:00:00Z"}`, n)
	}))
	t.Cleanup(i.Close)
	return i
}

func sessionCredentials(t *testing.T, i *issuer) (*awsclient.Session, *gate) {
	t.Helper()
	emptyEnvironment(t)
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", i.URL)
	g := &gate{aws: awstest.New(t).On("DescribeServices", awstest.Always(good)).On("UpdateService", awstest.Always(good))}
	g.good.Store("token-1")
	s, err := awsclient.Load(t.Context(), awsclient.Config{Region: "us-east-1", Endpoint: "https://ecs.example.com", HTTP: g})
	if err != nil {
		t.Fatal(err)
	}
	if err := describe(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	return s, g
}

func TestExpiredCredentialsAreRenewedOnceForAllCalls(t *testing.T) {
	i := newIssuer(t, 2)
	s, g := sessionCredentials(t, i)
	g.good.Store("token-2")
	var calls errgroup.Group
	for range 10 {
		calls.Go(func() error { return describe(t.Context(), s) })
	}
	calls.Go(func() error { return update(t.Context(), s) })
	if err := calls.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := i.issued.Load(); n != 2 {
		t.Errorf("credentials were asked for %d times, want 2", n)
	}
	if n := g.aws.Count("UpdateService"); n != 1 {
		t.Errorf("the change arrived %d times", n)
	}
}

func TestExpiredCredentialsThatCannotBeRenewed(t *testing.T) {
	cases := map[string]struct {
		most   int32
		broken bool
		sent   int32
		want   []string
	}{
		"there are no newer ones":    {most: 1, sent: 1, want: []string{"have expired", "there are no newer ones", "sign in again"}},
		"the newer ones are no good": {most: 9, sent: 2, want: []string{"have expired"}},
		"nobody gives any":           {most: 1, broken: true, sent: 1, want: []string{"no AWS credentials could be had from AWS_CONTAINER_CREDENTIALS_*"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			i := newIssuer(t, c.most)
			s, g := sessionCredentials(t, i)
			g.good.Store("none is")
			i.broken.Store(c.broken)
			g.sent.Store(0)
			wantIn(t, describe(t.Context(), s), c.want...)
			if n := g.sent.Load(); n != c.sent {
				t.Errorf("sent %d times, want %d", n, c.sent)
			}
		})
	}
}

// TestLongLivedKeysCannotExpire: an answer that says so will pass.
func TestLongLivedKeysCannotExpire(t *testing.T) {
	aws := awstest.New(t).On("UpdateService", awstest.InTurn(expired, expired, good))
	if err := update(t.Context(), aws.Session(t)); err != nil {
		t.Fatal(err)
	}
	aws = awstest.New(t).On("UpdateService", awstest.Always(expired))
	if err := update(t.Context(), aws.Session(t)); err == nil || !strings.Contains(err.Error(), "have expired") {
		t.Errorf("got %v", err)
	}
	if n := aws.Count("UpdateService"); n != 5 {
		t.Errorf("sent %d times, want 5", n)
	}
}
