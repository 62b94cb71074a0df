package provenance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/jobtoken"
)

// https://docs.sigstore.dev/cosign/signing/overview/
const (
	// TokenVariable holds a token that something else fetched.
	TokenVariable    = "SIGSTORE_ID_TOKEN"
	sigstoreAudience = "sigstore"
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
	if s.get(TokenVariable) != "" || s.get(jobtoken.URLVariable) != "" && s.get(jobtoken.GrantVariable) != "" {
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
	s.hide(s.get(jobtoken.GrantVariable))
	if token := s.get(TokenVariable); token != "" {
		s.hide(token)
		return token, nil
	}
	source := jobtoken.Source{URL: s.get(jobtoken.URLVariable), Grant: s.get(jobtoken.GrantVariable), HTTP: s.http}
	token, err := source.Token(ctx, sigstoreAudience)
	s.hide(token)
	return token, err
}
