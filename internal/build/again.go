package build

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

const (
	// pushAttempts bounds the pushes of one image that fail for reasons that pass. Layers that have arrived stay: each
	// push goes on from what the registry has.
	pushAttempts = 8
	// pushPause is the time before the second push; it doubles up to pushPauseMax.
	pushPause    = 500 * time.Millisecond
	pushPauseMax = 8 * time.Second
	// pushRenewals is how often new credentials are asked for when the registry refuses those that there are: they may
	// have expired in the middle of the push.
	pushRenewals = 3
)

// trouble is what a failed push means for trying again.
type trouble int

const (
	troubleLasting trouble = iota // it will fail again
	troublePassing                // the registry or the way to it failed for now
	troubleRefused                // the registry does not take the credentials
)

// pushError is a push that failed.
type pushError struct {
	trouble trouble
	err     error
}

func (e *pushError) Error() string { return e.err.Error() }
func (e *pushError) Unwrap() error { return e.err }

// troubleOf classifies a registry's answer. What the daemon was answered arrives as text.
func troubleOf(cause error) trouble {
	var answer *transport.Error
	if errors.As(cause, &answer) {
		switch {
		case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
			return troubleRefused
		case answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode >= http.StatusInternalServerError:
			return troublePassing
		}
		return troubleLasting
	}
	text := cause.Error()
	switch {
	case containsAny(text, quotas...), containsAny(text, unknownNames...):
		return troubleLasting
	case containsAny(text, refusals...):
		return troubleRefused
	case containsAny(text, "429 Too Many Requests", "500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout",
		"connection reset", "connection refused", "broken pipe", "EOF", "i/o timeout",
		"use of closed network connection", "server closed idle connection", "connection broken"):
		return troublePassing
	}
	return troubleLasting
}

// persist pushes until it succeeds, fails for good, or has been tried often enough. The user hears of each failure.
func (b *BuildKit) persist(ctx context.Context, auth release.Credentials, emit release.Emit, push func(release.Credentials) error) error {
	pause, renewals := pushPause, 0
	for attempt := 1; ; attempt++ {
		err := push(auth)
		var failed *pushError
		if err == nil || ctx.Err() != nil || !errors.As(err, &failed) {
			return err
		}
		switch {
		case failed.trouble == troubleRefused && renewals < pushRenewals && b.config.Renew != nil:
			renewals++
			fresh, renewErr := b.config.Renew(ctx, auth.Host)
			if renewErr != nil {
				return fmt.Errorf("%w; and new credentials could not be had: %w", err, renewErr)
			}
			auth = fresh
		case failed.trouble != troublePassing || attempt >= pushAttempts:
			return err
		default:
			if err := wait(ctx, pause); err != nil {
				return err
			}
			pause = min(2*pause, pushPauseMax)
		}
		reason, _, _ := strings.Cut(failed.Error(), "\n") // the cure is for a push that is given up
		emit(release.Notice{Level: "warning", Text: "trying again: " + reason})
	}
}

// wait waits for d, or until ctx ends, and then tells why it ended.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
