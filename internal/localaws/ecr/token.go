package ecr

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

const (
	// tokenUser is the user name that goes with every token.
	tokenUser = "AWS"
	// tokenLife is how long an authorization token is good for (GetAuthorizationToken in ECR's API reference).
	tokenLife = 12 * time.Hour
	// pullLife is how long what Resolve and GetDownloadUrlForLayer hand out is good for.
	pullLife = time.Hour
)

var (
	errBadToken     = errors.New("the password is not a token of this registry")
	errExpiredToken = errors.New("the token has expired")
)

// token is what a registry password says. It is signed, not stored: it needs no state and survives a restart.
type token struct {
	Region  string `json:"r"`
	Expires int64  `json:"e"`           // seconds since the epoch
	Serial  string `json:"s,omitempty"` // makes each authorization token another one
	Path    string `json:"p,omitempty"` // when set, the only path that may be read
}

// tokenKey reads or makes the key that signs tokens.
func tokenKey(s *store.Store) ([]byte, error) {
	keys, err := store.NewTable[[]byte](s, "ecr.keys")
	if err != nil {
		return nil, err
	}
	key, ok, err := keys.Get("token")
	if err != nil || ok {
		return key, err
	}
	key = make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails
	return key, keys.Put("token", key)
}

// issue makes the password that says t.
func (b *Backend) issue(t token) string {
	payload, _ := json.Marshal(t) // strings and a number
	return base64.RawURLEncoding.EncodeToString(payload) + "." + base64.RawURLEncoding.EncodeToString(b.seal(payload))
}

func (b *Backend) seal(payload []byte) []byte {
	mac := hmac.New(sha256.New, b.key)
	mac.Write(payload)
	return mac.Sum(nil)
}

// redeem reads a password. errBadToken, errExpiredToken.
func (b *Backend) redeem(password string, now time.Time) (token, error) {
	var t token
	left, right, ok := strings.Cut(password, ".")
	payload, err := base64.RawURLEncoding.DecodeString(left)
	sum, sumErr := base64.RawURLEncoding.DecodeString(right)
	if !ok || err != nil || sumErr != nil || !hmac.Equal(sum, b.seal(payload)) {
		return t, errBadToken
	}
	if err := json.Unmarshal(payload, &t); err != nil {
		return t, errBadToken
	}
	if now.Unix() >= t.Expires {
		return t, errExpiredToken
	}
	return t, nil
}

// GetAuthorizationToken issues a registry password for the caller's region. Registry ids change nothing, as in AWS.
func (b *Backend) GetAuthorizationToken(ctx context.Context, _ *ecr.GetAuthorizationTokenInput) (*ecr.GetAuthorizationTokenOutput, error) {
	expires := time.Now().Add(tokenLife).Truncate(time.Second).UTC()
	password := b.issue(token{Region: regionOf(ctx), Expires: expires.Unix(), Serial: rand.Text()})
	authorization := base64.StdEncoding.EncodeToString([]byte(tokenUser + ":" + password))
	endpoint := "http://" + b.host
	return &ecr.GetAuthorizationTokenOutput{AuthorizationData: []types.AuthorizationData{{
		AuthorizationToken: &authorization, ExpiresAt: &expires, ProxyEndpoint: &endpoint,
	}}}, nil
}

func (b *Backend) layerURL(at place, digest string) string {
	path := fmt.Sprintf("/v2/%s/blobs/%s", at.name, digest)
	t := b.issue(token{Region: at.region, Expires: time.Now().Add(pullLife).Unix(), Path: path})
	return "http://" + b.host + path + "?token=" + t
}
