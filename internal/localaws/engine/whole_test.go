package engine_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/engine"
)

func TestWhole(t *testing.T) {
	errOwn, errCause := errors.New("own"), errors.New("called off")
	for name, c := range map[string]struct {
		calledOff time.Duration // after the beginning; 0: before
		takes     time.Duration
		fails     error
		want      error
		after     time.Duration
	}{
		"called off before":         {takes: time.Second, want: errCause},
		"called off halfway":        {calledOff: time.Second, takes: 10 * time.Second, want: errCause, after: 10 * time.Second},
		"called off and failed":     {calledOff: time.Second, takes: 10 * time.Second, fails: errOwn, want: errOwn, after: 10 * time.Second},
		"done before":               {calledOff: time.Hour, takes: time.Minute, after: time.Minute},
		"failed before":             {calledOff: time.Hour, takes: time.Minute, fails: errOwn, want: errOwn, after: time.Minute},
		"never done once it is off": {calledOff: time.Minute, takes: time.Hour, want: context.Canceled, after: 90 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				if c.calledOff == 0 {
					cancel(errCause)
				}
				timer := time.AfterFunc(c.calledOff, func() { cancel(errCause) })
				defer timer.Stop()
				begun := time.Now()
				err := engine.Whole(ctx, func(ctx context.Context) error {
					select {
					case <-ctx.Done():
						return ctx.Err()
					case <-time.After(c.takes):
						return c.fails
					}
				})
				if !errors.Is(err, c.want) || time.Since(begun) != c.after {
					t.Errorf("%v after %v, want %v after %v", err, time.Since(begun), c.want, c.after)
				}
			})
		})
	}
}
