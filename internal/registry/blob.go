package registry

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// blobLimit bounds an image's config: those of real images are a few kilobytes.
	blobLimit = 4 << 20
	// blobAttempts and blobPause bound the trying of a download that fails for reasons that pass.
	blobAttempts = 8
	blobPause    = 200 * time.Millisecond // doubles, up to blobPauseMax
	blobPauseMax = 2 * time.Second
)

// refusedError says that the registry does not take the token.
type refusedError struct{ status int }

func (e *refusedError) Error() string {
	return fmt.Sprintf("the registry refuses the token (HTTP status %d)", e.status)
}

// passingError is a failure that may not happen again.
type passingError struct{ err error }

func (e *passingError) Error() string { return e.err.Error() }
func (e *passingError) Unwrap() error { return e.err }

// config downloads an image's config, over the registry's own API: that works for every puller, while ECR's
// GetDownloadUrlForLayer promises layers only. A refused token is renewed once.
func (r *Registry) config(ctx context.Context, repository string, digest release.Digest) (imageConfig, error) {
	raw, err := r.blob(ctx, repository, digest)
	if err != nil {
		return imageConfig{}, fmt.Errorf("read the image's config %s: %w", digest.Short(), err)
	}
	return parseConfig(raw)
}

func (r *Registry) blob(ctx context.Context, repository string, digest release.Digest) ([]byte, error) {
	renewed := false
	for attempt := 1; ; attempt++ {
		t, err := r.authorize(ctx)
		if err != nil {
			return nil, err
		}
		raw, err := r.download(ctx, t, repository, digest)
		var refused *refusedError
		var passing *passingError
		switch {
		case errors.As(err, &refused):
			if renewed {
				return nil, fmt.Errorf("%w\n  check that the caller may ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on repository %s", err, repository)
			}
			renewed = true
			r.forget()
		case errors.As(err, &passing):
			if attempt == blobAttempts {
				return nil, err
			}
			if err := pause(ctx, min(blobPause<<(attempt-1), blobPauseMax)); err != nil {
				return nil, err
			}
		default:
			return raw, err
		}
	}
}

// download makes one attempt. The HTTP client drops the Authorization header when the registry redirects to another host.
func (r *Registry) download(ctx context.Context, t token, repository string, digest release.Digest) ([]byte, error) {
	address := t.endpoint.JoinPath("v2", repository, "blobs", string(digest))
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, err
	}
	request.SetBasicAuth(t.Username, t.Password)
	response, err := r.http.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, &passingError{err}
	}
	defer response.Body.Close()
	switch {
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		return nil, &refusedError{response.StatusCode}
	case response.StatusCode == http.StatusNotFound:
		return nil, fmt.Errorf("the registry has no such blob: %w", release.ErrNotFound)
	case response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests:
		return nil, &passingError{fmt.Errorf("the registry answers HTTP status %d", response.StatusCode)}
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("the registry answers HTTP status %d", response.StatusCode)
	}
	raw, err := io.ReadAll(io.LimitReader(response.Body, blobLimit+1))
	if err != nil {
		return nil, &passingError{err}
	}
	if len(raw) > blobLimit {
		return nil, fmt.Errorf("it is larger than %d bytes", blobLimit)
	}
	if sum := sha256.Sum256(raw); "sha256:"+hex.EncodeToString(sum[:]) != string(digest) {
		return nil, &passingError{fmt.Errorf("what arrived is not %s", digest)}
	}
	return raw, nil
}

// pause waits for d or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
