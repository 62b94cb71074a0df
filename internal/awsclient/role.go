package awsclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Where GitHub Actions hands out identity tokens, to jobs that may write them.
// https://docs.github.com/en/actions/reference/security/oidc
const (
	tokenURLVariable   = "ACTIONS_ID_TOKEN_REQUEST_URL"
	tokenGrantVariable = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
	tokenAudience      = "sts.amazonaws.com"
	tokenTimeout       = 30 * time.Second
	// tokenMax bounds the answer, in bytes.
	tokenMax = 1 << 20
)

// assume gives credentials of a role: taken with the job's own identity inside GitHub Actions, so that no key is stored
// anywhere, and with the credentials that are there elsewhere.
func (c Config) assume(loaded aws.Config) aws.CredentialsProvider {
	if c.HTTP != nil {
		loaded.HTTPClient = c.HTTP
	}
	client := sts.NewFromConfig(loaded)
	if os.Getenv("GITHUB_ACTIONS") != "true" {
		return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, c.Role, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = sessionName() }))
	}
	token := jobIdentity{url: os.Getenv(tokenURLVariable), grant: os.Getenv(tokenGrantVariable), http: c.HTTP}
	return aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(client, c.Role, token, func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = sessionName() }))
}

// sessionName is what CloudTrail shows: the run that took the role.
func sessionName() string {
	if run := os.Getenv("GITHUB_RUN_ID"); run != "" && strings.Trim(run, "0123456789") == "" {
		return "medusa-deploy-" + run
	}
	return "medusa-deploy"
}

// jobIdentity is the identity token of the job that the program runs in.
type jobIdentity struct {
	url, grant string
	http       HTTPClient
}

var errNoIdentity = errors.New("this job may not have an identity token: give it `permissions: id-token: write` in the workflow (and `contents: read`)")

// GetIdentityToken implements stscreds.IdentityTokenRetriever.
func (j jobIdentity) GetIdentityToken() ([]byte, error) {
	if j.url == "" || j.grant == "" {
		return nil, errNoIdentity
	}
	ctx, cancel := context.WithTimeout(context.Background(), tokenTimeout)
	defer cancel()
	address, err := url.Parse(j.url)
	if err != nil {
		return nil, fmt.Errorf("%s is no URL: %w", tokenURLVariable, err)
	}
	query := address.Query()
	query.Set("audience", tokenAudience)
	address.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask GitHub for an identity token: %w", err)
	}
	req.Header.Set("Authorization", "bearer "+j.grant)
	client := j.http
	if client == nil {
		client = http.DefaultClient
	}
	answer, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask GitHub for an identity token: %w", err)
	}
	defer answer.Body.Close()
	var token struct{ Value string }
	switch {
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return nil, errNoIdentity
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("ask GitHub for an identity token: %s", answer.Status)
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, tokenMax)).Decode(&token); err != nil || token.Value == "" {
		return nil, errors.New("GitHub's answer holds no identity token")
	}
	return []byte(token.Value), nil
}
