package awsclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/medusa-deploy/medusa-deploy/internal/awshttp"
)

// Config says where and as whom to call AWS.
type Config struct {
	// Region of the target; empty: AWS_REGION, or the region of the profile.
	Region string
	// Endpoint is a base URL for all services in place of AWS's own; empty: AWS_ENDPOINT_URL and its like, or AWS itself.
	Endpoint string
	// AccessKeyID and SecretAccessKey are fixed credentials, for the local target. Together with Endpoint nothing of the
	// user's AWS configuration is read: a broken one must not stand in the way of a rehearsal.
	AccessKeyID, SecretAccessKey string
	// Role is the ARN of a role to take: inside GitHub Actions with the job's own identity, elsewhere with the credentials
	// that are there; empty: the credentials are used as they are.
	Role string
	// Paced keeps to AWS's rates also where the endpoint is on this machine, because whoever answers there enforces them.
	Paced bool
	// Log is for operators: retries, at level info. nil: none.
	Log *slog.Logger
	// HTTP sends the requests; nil: a client of its own.
	HTTP HTTPClient
}

// Session is one account and region as one caller sees it. Clients made from it share one set of token buckets.
type Session struct {
	config   aws.Config
	source   source
	clock    *clock
	local    bool // the endpoint is on this machine
	paced    bool
	override bool
}

// Load finds credentials, region and endpoint. It calls nobody; the errors of credentials come with the first call.
func Load(ctx context.Context, c Config) (*Session, error) {
	if (c.AccessKeyID == "") != (c.SecretAccessKey == "") {
		return nil, errors.New("an access key id and a secret access key go together: only one of them is given")
	}
	loaded, err := c.load(ctx)
	if err != nil {
		return nil, err
	}
	s := &Session{config: loaded, source: describeSource(loaded.ConfigSources, c.AccessKeyID != ""), override: loaded.BaseEndpoint != nil, clock: &clock{}, paced: c.Paced}
	if s.config.Region == "" {
		return nil, &Error{
			Message: "no AWS region is set",
			Cure:    "set `region:` of the target in medusa-deploy.yaml, or: export AWS_REGION=us-east-1",
		}
	}
	if s.override {
		base, err := endpointURL(*loaded.BaseEndpoint)
		if err != nil {
			return nil, err
		}
		s.local = onThisMachine(base.Hostname())
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	signer := &provider{from: s.config.Credentials, source: s.source}
	again := &retryer{limits: newLimits(s.OnThisMachine()), credentials: signer, log: log}
	s.config.Credentials = signer
	s.config.Retryer = func() aws.Retryer { return again }
	s.config.RetryMaxAttempts = 0 // AWS_MAX_ATTEMPTS must not end a wait
	s.config.RetryMode = ""
	if c.HTTP == nil {
		c.HTTP = newHTTPClient()
	}
	s.config.HTTPClient = timedAnswers{awshttp.Whole{Next: c.HTTP}, s.clock}
	s.config.APIOptions = append(s.config.APIOptions, addAttemptTimeout)
	return s, nil
}

// load gives the SDK's configuration: built from c alone where c says everything, from the user's environment otherwise.
func (c Config) load(ctx context.Context) (aws.Config, error) {
	fixed := credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, "")
	if c.Endpoint != "" && c.AccessKeyID != "" {
		return aws.Config{Region: c.Region, BaseEndpoint: &c.Endpoint, Credentials: fixed}, nil
	}
	var options []func(*awsconfig.LoadOptions) error
	if c.Region != "" {
		options = append(options, awsconfig.WithRegion(c.Region))
	}
	if c.AccessKeyID != "" {
		options = append(options, awsconfig.WithCredentialsProvider(fixed))
	}
	loaded, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, configError(err)
	}
	if c.Role != "" {
		base := loaded
		if c.Endpoint != "" {
			base.BaseEndpoint = &c.Endpoint
		}
		loaded.Credentials = c.assume(base)
	}
	if c.Endpoint != "" {
		// The service clients look into these sources for AWS_ENDPOINT_URL_<SERVICE>, which would win over Endpoint.
		sources := loaded.ConfigSources
		loaded.BaseEndpoint, loaded.ConfigSources = &c.Endpoint, withoutEndpoints(sources)
	}
	return loaded, nil
}

// withoutEndpoints keeps of the sources what tells where credentials came from, in a form that names no endpoints.
func withoutEndpoints(sources []any) []any {
	var kept []any
	for _, s := range sources {
		if environment, ok := s.(awsconfig.EnvConfig); ok {
			ignore := true
			environment.IgnoreConfiguredEndpoints = &ignore
			kept = append(kept, environment)
		}
	}
	return kept
}

// configError says what is wrong with the user's AWS configuration files.
func configError(err error) error {
	var profile awsconfig.SharedConfigProfileNotExistError
	if errors.As(err, &profile) {
		return &Error{
			Message: fmt.Sprintf("the AWS profile %q does not exist", profile.Profile),
			Cure:    "list the profiles that exist: aws configure list-profiles; then: export AWS_PROFILE=NAME, or unset AWS_PROFILE",
			Err:     err,
		}
	}
	return &Error{
		Message: "the AWS configuration cannot be read: " + err.Error(),
		Cure:    "correct the file that it names (~/.aws/config, ~/.aws/credentials), or the AWS_ variable",
		Err:     err,
	}
}

func endpointURL(endpoint string) (*url.URL, error) {
	base, err := url.Parse(endpoint)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, &Error{
			Message: fmt.Sprintf("the AWS endpoint %q is no URL", endpoint),
			Cure:    "write it as http://HOST:PORT; look at AWS_ENDPOINT_URL",
		}
	}
	return base, nil
}

// onThisMachine reports whether the host is this machine's loopback.
func onThisMachine(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// AWS gives the configuration to make service clients from.
func (s *Session) AWS() aws.Config { return s.config.Copy() }

// Region is where the session's calls go.
func (s *Session) Region() string { return s.config.Region }

// OnThisMachine reports whether the endpoint is on this machine's loopback and nobody enforces rates there: looking often
// costs nobody anything.
func (s *Session) OnThisMachine() bool { return s.local && !s.paced }

// Overridden reports whether another endpoint stands in for AWS's own.
func (s *Session) Overridden() bool { return s.override }
