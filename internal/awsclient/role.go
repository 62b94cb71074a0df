package awsclient

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/medusa-deploy/medusa-deploy/internal/jobtoken"
)

// tokenAudience is what AWS wants to be named in the tokens that it is shown.
const tokenAudience = "sts.amazonaws.com"

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
	token := jobIdentity{jobtoken.Source{URL: os.Getenv(jobtoken.URLVariable), Grant: os.Getenv(jobtoken.GrantVariable)}}
	if c.HTTP != nil {
		token.HTTP = c.HTTP
	}
	return aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(client, c.Role, token, func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = sessionName() }))
}

// sessionName is what CloudTrail shows: the run that took the role.
func sessionName() string {
	if run := os.Getenv("GITHUB_RUN_ID"); run != "" && strings.Trim(run, "0123456789") == "" {
		return "medusa-deploy-" + run
	}
	return "medusa-deploy"
}

// jobIdentity is the identity of the job that the program runs in, as AWS is shown it.
type jobIdentity struct{ jobtoken.Source }

var errNoIdentity = errors.New("this job may not have an identity token: give it `permissions: id-token: write` in the workflow (and `contents: read`)")

// GetIdentityToken implements stscreds.IdentityTokenRetriever.
func (j jobIdentity) GetIdentityToken() ([]byte, error) {
	if !j.Available() {
		return nil, errNoIdentity
	}
	token, err := j.Token(context.Background(), tokenAudience) // it has time limits of its own
	if errors.Is(err, jobtoken.ErrRefused) {
		return nil, errNoIdentity
	}
	return []byte(token), err
}
