package awsclient

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// HTTPClient sends one HTTP request.
type HTTPClient interface {
	Do(*http.Request) (*http.Response, error)
}

const (
	// attemptTimeout bounds one attempt: the calls of this program are answered in a second or not at all.
	attemptTimeout = 30 * time.Second
	// dialTimeout bounds the making of a connection.
	dialTimeout = 10 * time.Second
)

func newHTTPClient() HTTPClient {
	return awshttp.NewBuildableClient().WithTimeout(attemptTimeout).
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = dialTimeout })
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
