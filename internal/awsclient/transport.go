package awsclient

import (
	"context"
	"net"
	"time"

	sdkhttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go/middleware"

	"github.com/medusa-deploy/medusa-deploy/internal/awshttp"
)

// HTTPClient sends one HTTP request.
type HTTPClient = awshttp.Client

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
	return sdkhttp.NewBuildableClient().WithTimeout(attemptTimeout).
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
