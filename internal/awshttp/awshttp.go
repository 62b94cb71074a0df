// Package awshttp sends the SDK's requests to a server that may answer at once, as one on this machine does. It knows HTTP
// alone: not whose the calls are, nor how often they are repeated.
package awshttp

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// Client sends one HTTP request, as the SDK's HTTPClient does.
type Client interface {
	Do(*http.Request) (*http.Response, error)
}

// New gives the SDK's own client with whole requests.
func New() Client { return Whole{awshttp.NewBuildableClient()} }

// Whole hands requests on with their body in memory. The SDK closes a request's body as soon as the answer's headers are
// there. A server on this machine answers before net/http has seen the end of the body; what it then finds is a closed
// one, which it takes for a failed write, and it closes the connection in the middle of the answer.
type Whole struct{ Next Client }

// Do implements Client.
func (c Whole) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return c.Next.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	whole := r.WithContext(r.Context()) // a copy: the SDK goes on to close the body of its own
	whole.Body = io.NopCloser(bytes.NewReader(body))
	whole.ContentLength = int64(len(body))
	return c.Next.Do(whole)
}
