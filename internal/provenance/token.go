package provenance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// The environment variables from which an identity token is to be had.
//
//   - https://docs.github.com/en/actions/reference/security/oidc#methods-for-requesting-the-oidc-token
//   - https://docs.sigstore.dev/cosign/signing/overview/
const (
	// TokenVariable holds a token that something else fetched.
	TokenVariable          = "SIGSTORE_ID_TOKEN"
	actionsURLVariable     = "ACTIONS_ID_TOKEN_REQUEST_URL"
	actionsSecretVariable  = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	sigstoreAudience       = "sigstore"
	tokenLimit             = 64 << 10
	tokenRequestTimeout    = 30 * time.Second
	tokenRequestAttempts   = 3
	tokenRequestFirstPause = time.Second
)

// tokenSource gets an OIDC token that says who runs this program.
type tokenSource struct {
	env  LookupEnv
	hide func(secrets ...string) // keeps secrets from being shown
	http *http.Client
}

// get is a variable's value, empty when it is not set.
func (s tokenSource) get(name string) string {
	value, _ := s.env(name)
	return strings.TrimSpace(value)
}

// available tells why no token is to be had. It asks nobody.
func (s tokenSource) available() error {
	if s.get(TokenVariable) != "" || s.get(actionsURLVariable) != "" && s.get(actionsSecretVariable) != "" {
		return nil
	}
	if s.get("GITHUB_ACTIONS") == "true" {
		return errors.New("no identity token is to be had: give the job the permission `id-token: write`")
	}
	return fmt.Errorf("no identity token is to be had: keyless signing takes one of GitHub Actions (permission `id-token: write`), or one in %s; elsewhere sign with a key", TokenVariable)
}

// token gets a token. It reaches no event, log or error.
func (s tokenSource) token(ctx context.Context) (string, error) {
	if err := s.available(); err != nil {
		return "", err
	}
	s.hide(s.get(actionsSecretVariable))
	if token := s.get(TokenVariable); token != "" {
		s.hide(token)
		return token, nil
	}
	pause := tokenRequestFirstPause
	for attempt := 1; ; attempt++ {
		token, again, err := s.request(ctx)
		if err == nil {
			s.hide(token)
			return token, nil
		}
		if !again || attempt == tokenRequestAttempts {
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

// request asks GitHub Actions once; again tells whether to ask once more.
func (s tokenSource) request(ctx context.Context) (token string, again bool, err error) {
	address, err := url.Parse(s.get(actionsURLVariable))
	if err != nil || address.Host == "" {
		return "", false, fmt.Errorf("%s is no URL", actionsURLVariable)
	}
	query := address.Query()
	query.Set("audience", sigstoreAudience)
	address.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, tokenRequestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return "", false, err
	}
	request.Header.Set("Authorization", "Bearer "+s.get(actionsSecretVariable))
	request.Header.Set("Accept", "application/json; api-version=2.0")
	response, err := s.http.Do(request)
	if err != nil {
		return "", true, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, tokenLimit))
	if err != nil {
		return "", true, err
	}
	if response.StatusCode != http.StatusOK {
		return "", response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests, fmt.Errorf("it answers HTTP status %d", response.StatusCode)
	}
	var answer struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Value == "" {
		return "", false, errors.New("its answer holds no token")
	}
	return answer.Value, false, nil
}
