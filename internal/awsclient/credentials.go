package awsclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
)

// source tells where credentials are looked for, for people. It never holds a secret.
type source struct {
	profile string   // of the shared files; empty: default
	found   string   // what was found first; empty: nothing but the instance's own role is left to try
	tried   []string // what was looked at, in the SDK's order, with what was found there
	// environment is set when the environment holds the keys themselves.
	environment bool
}

// describeSource reads the SDK's own view of the environment, so that it can be told what was tried.
// https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
func describeSource(sources []any, fixed bool) source {
	if fixed {
		return source{found: "the target's own access key"}
	}
	var s source
	var environment awsconfig.EnvConfig
	var shared awsconfig.SharedConfig
	for _, one := range sources {
		switch c := one.(type) {
		case awsconfig.EnvConfig:
			environment = c
		case awsconfig.SharedConfig:
			shared = c
		}
	}
	s.profile = environment.SharedConfigProfile
	if s.profile == "" {
		s.profile = "default"
	}
	s.environment = environment.Credentials.HasKeys()
	s.look("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", s.environment)
	s.look("AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN", environment.WebIdentityTokenFilePath != "")
	s.look(fmt.Sprintf("profile %q of ~/.aws/config and ~/.aws/credentials", s.profile), usable(shared))
	s.look("AWS_CONTAINER_CREDENTIALS_*", environment.ContainerCredentialsEndpoint != "" || environment.ContainerCredentialsRelativePath != "")
	return s
}

func (s *source) look(where string, found bool) {
	word := "not set"
	if found {
		word = "found"
		if s.found == "" {
			s.found = where
		}
	}
	s.tried = append(s.tried, where+": "+word)
}

// usable reports whether a profile names any way to credentials.
func usable(c awsconfig.SharedConfig) bool {
	return c.Credentials.HasKeys() || c.RoleARN != "" || c.CredentialProcess != "" || c.SSOSession != nil ||
		c.SSOStartURL != "" || c.WebIdentityTokenFile != "" || c.LoginSession != ""
}

// provider gives the credentials of the SDK's chain, and errors that a person can act on.
type provider struct {
	from   aws.CredentialsProvider
	source source
	mu     sync.Mutex // one renewal at a time
}

// Retrieve implements aws.CredentialsProvider.
func (p *provider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := p.retrieve(ctx)
	if err == nil {
		trailOf(ctx).signWith(got)
	}
	return got, err
}

func (p *provider) retrieve(ctx context.Context) (aws.Credentials, error) {
	got, err := p.from.Retrieve(ctx)
	if err == nil || ctx.Err() != nil {
		return got, err
	}
	return got, &credentialsError{source: p.source, err: err}
}

// errStale says that the source of the credentials has none that are newer than those that AWS calls expired.
var errStale = errors.New("there are no newer credentials")

// renew gets other credentials than the expired ones. Many calls fail at once when credentials expire: the first of them
// renews, the others find it done. Long-lived keys have no session token and cannot expire: what AWS says of them will
// pass, and they stay.
func (p *provider) renew(ctx context.Context, expired aws.Credentials) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	got, err := p.retrieve(ctx)
	if err != nil {
		return err
	}
	if different(got, expired) || got.SessionToken == "" {
		return nil
	}
	if cache, ok := p.from.(*aws.CredentialsCache); ok {
		cache.Invalidate()
	}
	if got, err = p.retrieve(ctx); err != nil {
		return err
	}
	if !different(got, expired) {
		return errStale
	}
	return nil
}

// different reports whether two credentials are not the same.
func different(a, b aws.Credentials) bool {
	return a.AccessKeyID != b.AccessKeyID || a.SecretAccessKey != b.SecretAccessKey || a.SessionToken != b.SessionToken
}

// credentialsError says that no credentials could be had. Trying the call again does not help.
type credentialsError struct {
	source source
	err    error
}

func (e *credentialsError) Error() string { return "get AWS credentials: " + e.err.Error() }

func (e *credentialsError) Unwrap() error { return e.err }

// explain says what to do about it.
func (e *credentialsError) explain() (message, cure string) {
	text := strings.ToLower(e.err.Error())
	switch {
	case errors.Is(e.err, errNoIdentity):
		return "the role cannot be taken: " + errNoIdentity.Error(), ""
	case strings.Contains(text, "sso"):
		return "the AWS sign-in of profile " + e.source.profile + " has expired or never took place",
			"aws sso login --profile " + e.source.profile
	case strings.Contains(text, "login session"), strings.Contains(text, "signin"):
		return "the AWS sign-in of profile " + e.source.profile + " has expired", "aws login --profile " + e.source.profile
	case e.source.found == "":
		return "no AWS credentials were found",
			"tried " + strings.Join(append(e.source.tried, "the role of an EC2 instance: none"), "; ") +
				"\n  set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or: aws configure"
	}
	return "no AWS credentials could be had from " + e.source.found + ": " + e.err.Error(),
		"check what it names (role, token file, program), with: aws sts get-caller-identity"
}
