// Package awstest answers AWS calls in memory, for the tests of the client packages: AWS JSON 1.1 and STS's Query
// protocol over an HTTP client without a network, so that testing/synctest can drive whatever waits. It knows wire
// formats and nothing of what the services do: every test says what is answered.
package awstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
)

// Body is a JSON object, in or out.
type Body = map[string]any

// Handler answers one call: with a Body, a Failure, a Raw, or any other error, which breaks the connection.
type Handler func(in Body) any

// Failure is an error answer.
type Failure struct {
	Status        int
	Code, Message string
}

// Raw is an answer as it is.
type Raw struct {
	Status int
	Body   string
}

// AWS answers calls. It is an awsclient.HTTPClient.
type AWS struct {
	t        testing.TB
	mu       sync.Mutex
	handlers map[string]Handler
	paths    map[string]http.Handler
	calls    []string
	inputs   map[string][]Body
}

// New makes an AWS that knows no call yet.
func New(t testing.TB) *AWS {
	return &AWS{t: t, handlers: map[string]Handler{}, paths: map[string]http.Handler{}, inputs: map[string][]Body{}}
}

// On sets what answers an operation, say "DescribeServices".
func (a *AWS) On(operation string, h Handler) *AWS {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.handlers[operation] = h
	return a
}

// OnPath sets what answers requests below a path, say "/v2/".
func (a *AWS) OnPath(prefix string, h http.Handler) *AWS {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.paths[prefix] = h
	return a
}

// Always answers the same every time.
func Always(answer any) Handler { return func(Body) any { return answer } }

// InTurn gives one answer after the other; the last one stays.
func InTurn(answers ...any) Handler {
	var mu sync.Mutex
	return func(Body) any {
		mu.Lock()
		defer mu.Unlock()
		next := answers[0]
		if len(answers) > 1 {
			answers = answers[1:]
		}
		return next
	}
}

// Count is how often an operation was called.
func (a *AWS) Count(operation string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := 0
	for _, c := range a.calls {
		if c == operation {
			n++
		}
	}
	return n
}

// Inputs are what an operation was called with.
func (a *AWS) Inputs(operation string) []Body {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.inputs[operation])
}

// Session makes a session that calls a.
func (a *AWS) Session(t testing.TB, change ...func(*awsclient.Config)) *awsclient.Session {
	t.Helper()
	c := awsclient.Config{
		Region: "us-east-1", Endpoint: "http://127.0.0.1:4566", AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "not-a-secret", HTTP: a,
	}
	for _, f := range change {
		f(&c)
	}
	s, err := awsclient.Load(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Do implements awsclient.HTTPClient.
func (a *AWS) Do(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if h := a.pathHandler(r.URL.Path); h != nil {
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, r)
		return recorder.Result(), nil
	}
	operation, in, err := readCall(r)
	if err != nil {
		a.t.Errorf("awstest: %v", err)
		return nil, err
	}
	a.mu.Lock()
	a.calls = append(a.calls, operation)
	a.inputs[operation] = append(a.inputs[operation], in)
	h := a.handlers[operation]
	a.mu.Unlock()
	if h == nil {
		a.t.Errorf("awstest: nobody answers %s", operation)
		return response(r, http.StatusBadRequest, `{"__type":"UnknownOperationException"}`), nil
	}
	return answer(r, operation, h(in))
}

func (a *AWS) pathHandler(path string) http.Handler {
	a.mu.Lock()
	defer a.mu.Unlock()
	for prefix, h := range a.paths {
		if strings.HasPrefix(path, prefix) {
			return h
		}
	}
	return nil
}

// readCall finds out which operation is called, and with what.
func readCall(r *http.Request) (string, Body, error) {
	var raw []byte
	if r.Body != nil {
		var err error
		if raw, err = io.ReadAll(r.Body); err != nil {
			return "", nil, err
		}
	}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		_, operation, _ := strings.Cut(target, ".")
		in := Body{}
		return operation, in, json.Unmarshal(raw, &in)
	}
	form, err := url.ParseQuery(string(raw))
	if err != nil || form.Get("Action") == "" {
		return "", nil, fmt.Errorf("%s %s is no call that this package understands", r.Method, r.URL)
	}
	in := Body{}
	for key := range form {
		in[key] = form.Get(key)
	}
	return form.Get("Action"), in, nil
}

func answer(r *http.Request, operation string, out any) (*http.Response, error) {
	switch out := out.(type) {
	case Failure:
		if r.Header.Get("X-Amz-Target") == "" {
			return response(r, out.Status, fmt.Sprintf(`<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error></ErrorResponse>`, out.Code, out.Message)), nil
		}
		raw, err := json.Marshal(Body{"__type": out.Code, "message": out.Message})
		return response(r, out.Status, string(raw)), err
	case Raw:
		return response(r, out.Status, out.Body), nil
	case error:
		return nil, &url.Error{Op: "Post", URL: r.URL.String(), Err: out}
	}
	if r.Header.Get("X-Amz-Target") == "" {
		return response(r, http.StatusOK, xmlResult(operation, out.(Body))), nil
	}
	raw, err := json.Marshal(out)
	return response(r, http.StatusOK, string(raw)), err
}

func xmlResult(operation string, out Body) string {
	var b bytes.Buffer
	for key, value := range out {
		fmt.Fprintf(&b, "<%s>%v</%s>", key, value, key)
	}
	return fmt.Sprintf(`<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult>%[2]s</%[1]sResult></%[1]sResponse>`, operation, b.String())
}

func response(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}},
		Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

// Epoch is a time as AWS JSON writes it: seconds.
func Epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
