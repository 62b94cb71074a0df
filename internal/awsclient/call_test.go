package awsclient_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecs"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/awsclient/awstest"
)

var (
	good      = awstest.Body{}
	throttled = awstest.Failure{Status: 400, Code: "ThrottlingException", Message: "Rate exceeded"}
	broken    = awstest.Failure{Status: 500, Code: "ServerException", Message: "try again"}
	refused   = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
)

func describe(ctx context.Context, s *awsclient.Session) error {
	_, err := awsclient.Call(ctx, ecs.NewFromConfig(s.AWS()).DescribeServices, &ecs.DescribeServicesInput{Services: []string{"x"}})
	return err
}

func update(ctx context.Context, s *awsclient.Session) error {
	service := "x"
	_, err := awsclient.Call(ctx, ecs.NewFromConfig(s.AWS()).UpdateService, &ecs.UpdateServiceInput{Service: &service})
	return err
}

func TestTroubleThatPassesEndsNoRead(t *testing.T) {
	troubles := map[string]any{
		"throttle": throttled, "server error": broken, "reset": syscall.ECONNRESET, "broken off": io.ErrUnexpectedEOF,
		"closed": net.ErrClosed, "refused": refused, "gateway": awstest.Raw{Status: 502, Body: "<html>"},
	}
	for name, trouble := range troubles {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := []any{good} // somebody has answered before
				for range 30 {
					answers = append(answers, trouble)
				}
				aws := awstest.New(t).On("DescribeServices", awstest.InTurn(append(answers, good)...))
				s := aws.Session(t)
				if err := describe(t.Context(), s); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if err := describe(ctx, s); err != nil {
					t.Fatalf("after %d calls: %v", aws.Count("DescribeServices"), err)
				}
				if n := aws.Count("DescribeServices"); n != 32 {
					t.Errorf("called %d times, want 32", n)
				}
			})
		})
	}
}

func TestAReadEndsWithItsContextAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := awstest.New(t).On("DescribeServices", awstest.Always(broken))
		why := errors.New("the rollout timed out")
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, why)
		defer cancel()
		begin := time.Now()
		err := describe(ctx, aws.Session(t))
		if took := time.Since(begin); took != time.Minute {
			t.Errorf("it took %s, want 1m0s", took)
		}
		if !errors.Is(err, why) {
			t.Errorf("the cause is not kept: %v", err)
		}
		if !strings.Contains(err.Error(), "try again") {
			t.Errorf("the last attempt is not told: %v", err)
		}
	})
}

func TestACallWithoutDeadlineEndsAnyhow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := awstest.New(t).On("DescribeServices", awstest.Always(broken))
		err := describe(t.Context(), aws.Session(t))
		if err == nil || !strings.Contains(err.Error(), "no good answer in 5m0s") {
			t.Errorf("got %v", err)
		}
	})
}

func TestNobodyThereIsToldSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := awstest.New(t).On("DescribeServices", awstest.Always(refused))
		begin := time.Now()
		err := describe(t.Context(), aws.Session(t))
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %s", took)
		}
		for _, want := range []string{"connection refused", "medusa-deploy local status"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
	})
}

func TestACancelledCallIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := awstest.New(t).On("DescribeServices", awstest.Always(broken))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		if err := describe(ctx, aws.Session(t)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAChangeIsSentAgainOnlyWhenItSurelyDidNotHappen(t *testing.T) {
	cases := map[string]struct {
		trouble any
		calls   int
		unsure  bool
	}{
		"throttled":    {throttled, 2, false},
		"never sent":   {refused, 2, false},
		"reset":        {syscall.ECONNRESET, 1, true},
		"server error": {broken, 1, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				aws := awstest.New(t).On("UpdateService", awstest.InTurn(c.trouble, good))
				err := update(t.Context(), aws.Session(t))
				if awsclient.Unsure(err) != c.unsure || (err != nil) != c.unsure {
					t.Errorf("got %v", err)
				}
				if n := aws.Count("UpdateService"); n != c.calls {
					t.Errorf("sent %d times, want %d", n, c.calls)
				}
			})
		})
	}
}

func TestClientsShareTheRateOfACategory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := awstest.New(t).On("UpdateService", awstest.Always(good))
		s := aws.Session(t, func(c *awsclient.Config) { c.Endpoint = "https://ecs.example.com" })
		begin := time.Now()
		for range 85 { // 40 at once, then 4.5 a second
			if err := update(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin).Round(100 * time.Millisecond); took != 10*time.Second {
			t.Errorf("85 calls took %s, want 10s", took)
		}
	})
}

func TestThrottlingSlowsTheCategoryDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aws := awstest.New(t).On("UpdateService", awstest.InTurn(throttled, throttled, throttled, good))
		s := aws.Session(t, func(c *awsclient.Config) { c.Endpoint = "https://ecs.example.com" })
		begin := time.Now()
		for range 49 { // nine more than are allowed at once: two seconds without throttles
			if err := update(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begin); took < 3*time.Second {
			t.Errorf("49 calls took %s: a throttled category must go slower", took)
		}
	})
}

func TestOverANetwork(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		call := calls.Add(1)
		if call <= 3 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			if call == 2 { // break off in the middle of an answer
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"services\":")
			}
			_ = conn.Close()
			return
		}
		_, _ = io.WriteString(w, `{"services":[]}`)
	}))
	defer server.Close()
	s, err := awsclient.Load(t.Context(), awsclient.Config{Region: "eu-west-1", Endpoint: server.URL, AccessKeyID: "a", SecretAccessKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if err := describe(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if n := calls.Load(); n != 4 {
		t.Errorf("called %d times, want 4", n)
	}
}

// TestAServerThatAnswersAtOnceLosesNoConnection: the SDK and net/http would fall out over the request's body.
func TestAServerThatAnswersAtOnceLosesNoConnection(t *testing.T) {
	answer := `{"services":[{"serviceName":"` + strings.Repeat("x", 10_000) + `"}]}`
	var connections atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, answer)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	s, err := awsclient.Load(t.Context(), awsclient.Config{Region: "eu-west-1", Endpoint: server.URL, AccessKeyID: "a", SecretAccessKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		if err := describe(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	if n := connections.Load(); n > 5 { // one, and a few for a machine that is too busy to keep net/http's own time limits
		t.Errorf("1000 calls took %d connections", n)
	}
}
