package dispatch

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// apiVersion is the version of the REST API that is asked for. Servers that do not know it answer as they always did.
// https://docs.github.com/en/rest/about-the-rest-api/api-versions
const apiVersion = "2022-11-28"

const (
	jsonBody = "application/vnd.github+json"
	rawBody  = "application/vnd.github.raw+json" // a file's own bytes
)

// largestAnswer bounds what is read of an answer: no log that a person reads is larger.
const largestAnswer = 64 << 20

// slowest is how long one answer may take, the largest log's too. A connection that has died silently ends by it.
const slowest = 2 * time.Minute

// Config says how to reach GitHub.
type Config struct {
	Repository Repository
	Token      Token
	Transport  http.RoundTripper // nil: http.DefaultTransport
	UserAgent  string            // GitHub refuses requests without one
	Emit       release.Emit      // gets a Notice whenever something is waited for; nil: nobody does
	// MaxWait is how long a rate limit is waited for; 0: DefaultMaxWait.
	MaxWait time.Duration
}

// DefaultMaxWait is how long a rate limit is waited for. GitHub's is counted by the hour; a wait of most of an hour would
// look like a program that hangs.
const DefaultMaxWait = 15 * time.Minute

// Client speaks GitHub's REST API for one repository. It is not safe for concurrent use.
type Client struct {
	Config
	base  string
	http  *http.Client
	known map[string]answer // by URL: for conditional requests
}

// NewClient makes a client.
func NewClient(c Config) *Client {
	if c.MaxWait == 0 {
		c.MaxWait = DefaultMaxWait
	}
	if c.Emit == nil {
		c.Emit = func(release.Event) {}
	}
	client := &Client{Config: c, base: apiBase(c.Repository.Host), known: map[string]answer{}}
	client.http = &http.Client{Transport: c.Transport, CheckRedirect: client.redirect}
	return client
}

// redirect lets the token go only where the API is: logs are kept on other hosts, which have no business with it. Go's own
// rule looks at names alone, so that another port of the same host would get it.
func (c *Client) redirect(next *http.Request, before []*http.Request) error {
	const most = 5
	if len(before) > most {
		return fmt.Errorf("%w: more than %d times", errRedirect, most)
	}
	base, err := url.Parse(c.base)
	if err != nil {
		return err
	}
	if next.URL.Scheme != base.Scheme {
		return fmt.Errorf("%w to %s://%s, which is not https", errRedirect, next.URL.Scheme, next.URL.Host)
	}
	if next.URL.Host != base.Host {
		next.Header.Del("Authorization")
	}
	return nil
}

// errRedirect says that a redirect was not followed.
var errRedirect = errors.New("GitHub redirected")

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// request is what is asked.
type request struct {
	method string
	path   string // below the API's base, with its query
	accept string
	body   any  // JSON; nil: none
	cached bool // ask only for what has changed since the last time: such an answer costs nothing of the rate limit
}

func (c *Client) repositoryPath(path string) string {
	return "/repos/" + url.PathEscape(c.Repository.Owner) + "/" + url.PathEscape(c.Repository.Name) + path
}

// get reads JSON.
func (c *Client) get(ctx context.Context, path string, into any) (answer, error) {
	return c.decoded(ctx, request{method: http.MethodGet, path: path, accept: jsonBody}, into)
}

// poll is get for what is read again and again.
func (c *Client) poll(ctx context.Context, path string, into any) (answer, error) {
	return c.decoded(ctx, request{method: http.MethodGet, path: path, accept: jsonBody, cached: true}, into)
}

func (c *Client) decoded(ctx context.Context, r request, into any) (answer, error) {
	a, err := c.do(ctx, r)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return a, fmt.Errorf("%s answered %s with what is not its API's JSON: %w\n  is %s a GitHub host?", c.Repository.Host, r.path, err, c.Repository.Host)
	}
	return a, nil
}

// do sends a request until it is answered. Rate limits are waited for. Only what changes nothing is sent again when its
// answer got lost: errLost says that a POST may or may not have had its effect.
func (c *Client) do(ctx context.Context, r request) (answer, error) {
	tries := newBackoff()
	for {
		a, err := c.once(ctx, r)
		if ctx.Err() != nil {
			return answer{}, context.Cause(ctx)
		}
		if err == nil {
			err = a.problem()
		}
		if err == nil {
			return a, nil
		}
		wait, why := c.again(r, a, err, tries)
		if why == "" {
			return a, err
		}
		if wait > quietWait {
			c.notice("warning", "%s: waiting %s", why, wait.Round(time.Second))
		}
		if err := pause(ctx, wait); err != nil {
			return answer{}, err
		}
	}
}

// quietWait is what is waited without a word.
const quietWait = 5 * time.Second

// errLost says that a request was sent, perhaps, and that its answer did not arrive.
var errLost = errors.New("the answer got lost")

// again decides whether and when a request is sent again; an empty reason is never.
func (c *Client) again(r request, a answer, err error, tries *backoff) (time.Duration, string) {
	if limit, ok := limitOf(a, tries); ok {
		if limit.wait > c.MaxWait || tries.exhausted() {
			return 0, ""
		}
		return limit.wait, limit.String()
	}
	if r.method != http.MethodGet || !transient(a, err) {
		return 0, ""
	}
	wait, more := tries.next()
	if !more {
		return 0, ""
	}
	return wait, "GitHub did not answer"
}

// transient reports whether the same request may well be answered later: the connection failed, or the server did.
func transient(a answer, err error) bool {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) || errors.Is(err, errRedirect) {
		return false
	}
	switch a.status {
	case 0, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// once sends a request, once.
func (c *Client) once(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, slowest)
	defer cancel()
	req, err := c.build(ctx, r)
	if err != nil {
		return answer{}, err
	}
	response, err := c.http.Do(req)
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w: %w", r.method, r.path, errLost, withoutQuery(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, largestAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("%s %s: %w: %w", r.method, r.path, errLost, withoutQuery(err))
	}
	a := answer{status: response.StatusCode, header: response.Header, body: body}
	if !r.cached {
		return a, nil
	}
	if known, ok := c.known[r.path]; ok && a.status == http.StatusNotModified {
		return known, nil
	}
	if a.status == http.StatusOK && a.header.Get("ETag") != "" {
		c.known[r.path] = a
	}
	return a, nil
}

func (c *Client) build(ctx context.Context, r request) (*http.Request, error) {
	var body io.Reader
	if r.body != nil {
		encoded, err := json.Marshal(r.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, c.base+r.path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", r.accept)
	req.Header.Set("User-Agent", c.UserAgent)
	req.Header.Set("X-GitHub-Api-Version", apiVersion)
	req.Header.Set("Authorization", "Bearer "+c.Token.value)
	if r.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if known, ok := c.known[r.path]; ok && r.cached {
		req.Header.Set("If-None-Match", known.header.Get("ETag"))
	}
	return req, nil
}

// withoutQuery takes the query out of an error's URL: the address of a log is signed by it.
func withoutQuery(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	address, _, _ := strings.Cut(failed.URL, "?")
	return &url.Error{Op: failed.Op, URL: address, Err: failed.Err}
}

func (c *Client) notice(level, format string, args ...any) {
	c.Emit(release.Notice{Level: level, Text: fmt.Sprintf(format, args...)})
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
