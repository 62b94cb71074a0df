package cli

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// diary is a report.Watch that keeps what it was shown.
type diary struct {
	entries []string
	broken  error
}

func (d *diary) Show(s release.Status) error {
	d.entries = append(d.entries, s.Target)
	return d.broken
}

func (d *diary) Trouble(err error) error {
	d.entries = append(d.entries, "trouble: "+err.Error())
	return d.broken
}

// looks gives one answer after the other: a target's name, or an error.
func looks(answers ...any) func(context.Context) (release.Status, error) {
	return func(ctx context.Context) (release.Status, error) {
		if len(answers) == 0 {
			<-ctx.Done() // the interrupt comes in the middle of a look
			return release.Status{}, ctx.Err()
		}
		next := answers[0]
		answers = answers[1:]
		if err, ok := next.(error); ok {
			return release.Status{}, err
		}
		return release.Status{Target: next.(string)}, nil
	}
}

func TestWatchGoesOnUntilInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		d := &diary{}
		last, err := watch(ctx, looks("one", errors.New("throttled"), "two"), d, 2*time.Second)
		if err != nil || last.Target != "two" {
			t.Errorf("last = %q, %v: an interrupt is how watching ends", last.Target, err)
		}
		if want := []string{"one", "trouble: throttled", "two"}; !slices.Equal(d.entries, want) {
			t.Errorf("shown %v, want %v", d.entries, want)
		}
	})
}

func TestWatchIsInterruptedWhileItWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if last, err := watch(ctx, looks("one"), &diary{}, time.Hour); err != nil || last.Target != "one" {
			t.Errorf("last = %q, %v", last.Target, err)
		}
	})
}

func TestWatchEndsWhenItCannotBegin(t *testing.T) {
	denied := errors.New("denied")
	d := &diary{}
	if _, err := watch(t.Context(), looks(denied), d, time.Second); !errors.Is(err, denied) || len(d.entries) > 0 {
		t.Errorf("err = %v, shown %v", err, d.entries)
	}
	broken := errors.New("the pipe is closed")
	if _, err := watch(t.Context(), looks("one"), &diary{broken: broken}, time.Second); !errors.Is(err, broken) {
		t.Errorf("err = %v, want that it cannot be shown", err)
	}
}

// TestWatchKeepsWithinAWSRates: looking at many services must leave most of an account's rate to others.
func TestWatchKeepsWithinAWSRates(t *testing.T) {
	const taskReads, perSecond = 3, 20.0
	for _, services := range []int{1, 2, 10, 100} {
		every := watchEvery(false, services)
		if rate := float64(services*taskReads) / every.Seconds(); rate > perSecond/4+0.001 {
			t.Errorf("%d services every %s: %.1f task reads a second, want a quarter of %.0f at the most", services, every, rate, perSecond)
		}
	}
	if watchEvery(true, 100) >= time.Second {
		t.Error("on this machine there is no rate to keep")
	}
}
