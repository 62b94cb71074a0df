// Package jobtoken gets the identity token of the GitHub Actions job that the program runs in: a short-lived proof, made
// out to one audience, of which workflow of which repository this is.
//
// It must not know what a token is for, and never puts one into an error or a log.
package jobtoken

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Where Actions says from whom a token is to be had, and what opens the door, to jobs with the permission id-token: write.
// https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
const (
	URLVariable   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	GrantVariable = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
)

const (
	limit      = 64 << 10 // bytes of an answer
	timeout    = 30 * time.Second
	attempts   = 3
	firstPause = time.Second
)

// ErrRefused says that GitHub does not let the job have a token.
var ErrRefused = errors.New("GitHub refuses it")

// Doer sends requests.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Source is where the job's tokens are to be had.
type Source struct {
	URL   string // of URLVariable
	Grant string // of GrantVariable
	HTTP  Doer   // nil: http.DefaultClient
}

// Available reports whether the job may ask for a token.
func (s Source) Available() bool { return s.URL != "" && s.Grant != "" }

// Token gets a token for an audience. What looks like passing trouble is tried again.
func (s Source) Token(ctx context.Context, audience string) (string, error) {
	pause := firstPause
	for attempt := 1; ; attempt++ {
		token, again, err := s.request(ctx, audience)
		if err == nil {
			return token, nil
		}
		if !again || attempt == attempts {
			return "", fmt.Errorf("get an identity token from GitHub Actions: %w", err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return "", ctx.Err()
		case <-timer.C:
		}
		pause *= 2
	}
}

// request asks once; again tells whether to ask once more.
func (s Source) request(ctx context.Context, audience string) (token string, again bool, err error) {
	address, err := url.Parse(s.URL)
	if err != nil || address.Host == "" {
		return "", false, fmt.Errorf("%s is no URL", URLVariable)
	}
	query := address.Query()
	query.Set("audience", audience)
	address.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return "", false, err
	}
	request.Header.Set("Authorization", "Bearer "+s.Grant)
	request.Header.Set("Accept", "application/json; api-version=2.0")
	var client Doer = http.DefaultClient
	if s.HTTP != nil {
		client = s.HTTP
	}
	response, err := client.Do(request)
	if err != nil {
		return "", true, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, limit))
	switch code := response.StatusCode; {
	case err != nil:
		return "", true, err
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return "", false, fmt.Errorf("%w: it answers HTTP status %d", ErrRefused, code)
	case code != http.StatusOK:
		return "", code >= 500 || code == http.StatusTooManyRequests, fmt.Errorf("it answers HTTP status %d", code)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Value == "" {
		return "", false, errors.New("its answer holds no token")
	}
	return answer.Value, false, nil
}
