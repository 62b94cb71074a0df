package registry

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/medusa-deploy/medusa-deploy/internal/awsclient"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Registry is the Amazon ECR registry of one account and region. It is safe for concurrent use.
type Registry struct {
	api  *ecr.Client
	host string  // as configured; empty: the account's own
	id   *string // the account that owns the registry, when the host names it; nil: the caller's
	http awsclient.HTTPClient

	mu    sync.Mutex
	token token
	known map[string]content // by NAME@DIGEST
}

var _ release.Registry = (*Registry)(nil)

// token is an authorization token and the registry that it opens.
type token struct {
	release.Credentials
	endpoint *url.URL // scheme and host of the registry's /v2/
}

// renewBefore is how long before its end a token is no longer handed out: a push may take that long.
const renewBefore = 30 * time.Minute

// hostPattern is how ECR names the registry of an account.
// https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
var hostPattern = regexp.MustCompile(`^(\d{12})\.dkr[.-]ecr(?:-fips)?\.([a-z0-9-]+)\.`)

// New makes the registry. host is the HOST[:PORT] that images are named with; empty: the one that ECR itself names.
// A host that names another account or region than the session's leads the calls there, except where another
// endpoint stands in for AWS.
func New(session *awsclient.Session, host string) *Registry {
	config := session.AWS()
	r := &Registry{host: host, http: config.HTTPClient, known: map[string]content{}}
	var options []func(*ecr.Options)
	if m := hostPattern.FindStringSubmatch(host); m != nil && !session.Overridden() {
		r.id = &m[1]
		options = append(options, func(o *ecr.Options) { o.Region = m[2] })
	}
	r.api = ecr.NewFromConfig(config, options...)
	return r
}

// Host implements release.Registry.
func (r *Registry) Host(ctx context.Context) (string, error) {
	if r.host != "" {
		return r.host, nil
	}
	t, err := r.authorize(ctx)
	return t.Host, err
}

// Authenticate implements release.Registry: a token is good for twelve hours and asked for again half an hour before
// its end.
func (r *Registry) Authenticate(ctx context.Context) (release.Credentials, error) {
	t, err := r.authorize(ctx)
	return t.Credentials, err
}

// Renew is Authenticate for whoever was refused with what it gave: it asks for another token.
func (r *Registry) Renew(ctx context.Context) (release.Credentials, error) {
	r.forget()
	return r.Authenticate(ctx)
}

func (r *Registry) authorize(ctx context.Context) (token, error) {
	r.mu.Lock()
	t := r.token
	r.mu.Unlock()
	if t.endpoint != nil && time.Until(t.Expires) > renewBefore {
		return t, nil
	}
	out, err := awsclient.Call(ctx, r.api.GetAuthorizationToken, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return token{}, fmt.Errorf("get a registry token: %w", err)
	}
	if len(out.AuthorizationData) == 0 {
		return token{}, errors.New("get a registry token: ECR gave none")
	}
	data := out.AuthorizationData[0]
	if t, err = parseToken(aws.ToString(data.AuthorizationToken), aws.ToString(data.ProxyEndpoint)); err != nil {
		return token{}, err
	}
	t.Expires = aws.ToTime(data.ExpiresAt)
	if r.host != "" {
		t.Host = r.host
	}
	if r.id != nil { // the token opens every registry that the caller may use, not only the caller's own
		t.endpoint = &url.URL{Scheme: "https", Host: r.host}
	}
	r.mu.Lock()
	r.token = t
	r.mu.Unlock()
	return t, nil
}

// forget drops a token that the registry refuses.
func (r *Registry) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.token = token{}
}

// parseToken reads an authorization token, base64 of USER:PASSWORD, and the URL of the registry. Its errors never
// contain the token.
func parseToken(encoded, endpoint string) (token, error) {
	plain, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return token{}, errors.New("the registry token is not base64")
	}
	user, password, ok := strings.Cut(string(plain), ":")
	if !ok || user == "" || password == "" {
		return token{}, errors.New("the registry token is not USER:PASSWORD")
	}
	base, err := url.Parse(endpoint)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return token{}, fmt.Errorf("the registry's endpoint %q is no URL", endpoint)
	}
	return token{
		Credentials: release.Credentials{Host: base.Host, Username: user, Password: password},
		endpoint:    &url.URL{Scheme: base.Scheme, Host: base.Host},
	}, nil
}

// uri is HOST/NAME.
func (r *Registry) uri(ctx context.Context, name string) (string, error) {
	host, err := r.Host(ctx)
	if err != nil {
		return "", err
	}
	return host + "/" + name, nil
}
