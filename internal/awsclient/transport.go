package awsclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"
)

// HTTPClient sends one HTTP request.
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

const (
	// attemptTimeout bounds one attempt: the calls of this program are answered in a second or not at all.
	attemptTimeout = 15 * time.Second
	// firstReadTimeout bounds the first attempt of a call that may be sent again, and doubles up to attemptTimeout: a
	// connection that has gone dead costs a wait no more than that, and a slow one gets its time all the same.
	firstReadTimeout = 5 * time.Second
	// dialTimeout bounds the making of a connection.
	dialTimeout = 10 * time.Second
)

func newHTTPClient() HTTPClient {
	return awshttp.NewBuildableClient().WithTimeout(attemptTimeout).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout })
}

// addAttemptTimeout puts a time limit on every attempt, the reading of the answer included.
func addAttemptTimeout(stack *middleware.Stack) error {
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("AttemptTimeout", limitAttempt), "Retry", middleware.After)
}

func limitAttempt(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (middleware.FinalizeOutput, middleware.Metadata, error) {
	bounded, cancel := context.WithTimeout(ctx, timeoutOf(callName(ctx), trailOf(ctx).failed()))
	defer cancel()
	return next.HandleFinalize(bounded, in)
}

// timeoutOf is how long an attempt of a call may take that has failed so many times.
func timeoutOf(call string, failed int) time.Duration {
	if repeatOf(call) == repeatUnsent || failed > 1 {
		return attemptTimeout
	}
	return min(firstReadTimeout<<failed, attemptTimeout)
}

// wholeRequests hands requests on with their body in memory. The SDK closes a request's body as soon as the answer's
// headers are there. A server on this machine answers before net/http has seen the end of the body; what it then finds
// is a closed one, which it takes for a failed write, and it closes the connection in the middle of the answer.
type wholeRequests struct{ next HTTPClient }

// Do implements HTTPClient.
func (c wholeRequests) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return c.next.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	whole := r.WithContext(r.Context()) // a copy: the SDK goes on to close the body of its own
	whole.Body = io.NopCloser(bytes.NewReader(body))
	whole.ContentLength = int64(len(body))
	return c.next.Do(whole)
}
