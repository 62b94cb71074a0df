package awsclient

import (
	"context"
	"errors"
	"sync"
	"time"
)

// patience bounds a call whose context has no deadline: that long without one good answer is an outage, and the user
// should hear of it.
const patience = 5 * time.Minute

var (
	// errUnsure ends a change whose answer got lost: the caller must look before it tries again. See Unsure.
	errUnsure = errors.New("the answer got lost: it is not known whether AWS acted on the call")
	// errNobody ends a call to a server that has never answered.
	errNobody = errors.New("nobody answers")
	// errPatience ends a call that had no deadline of its own.
	errPatience = errors.New("no good answer in " + patience.String())
)

// Call sends one call and translates its error for people; every call of this program goes through it. It returns when
// there is an answer, when repeating cannot help, or when ctx ends. The error is an *Error, and the SDK's own errors are
// still found in it by errors.As.
func Call[In, Out, Options any](ctx context.Context, operation func(context.Context, *In, ...func(*Options)) (*Out, error), in *In, options ...func(*Options)) (*Out, error) {
	bounded := ctx
	if _, has := ctx.Deadline(); !has {
		with, cancel := context.WithTimeoutCause(ctx, patience, errPatience)
		defer cancel()
		bounded = with
	}
	t := &trail{}
	out, err := operation(context.WithValue(bounded, trailKey{}, t), in, options...)
	if err == nil {
		return out, nil
	}
	return nil, translate(bounded, err, t.last())
}

// Unsure reports whether err ended a change whose answer got lost, so that AWS may have acted on it or not.
func Unsure(err error) bool { return errors.Is(err, errUnsure) }

// Outage reports whether err ended a call without a deadline of its own because no good answer came for a long time: to
// ask again may help, for a caller who can wait.
func Outage(err error) bool { return errors.Is(err, errPatience) }

// trail remembers the failed attempts of one call, because a context that ends between two attempts hides the reason.
type trail struct {
	mu       sync.Mutex
	attempts int
	err      error
}

type trailKey struct{}

func trailOf(ctx context.Context) *trail {
	t, _ := ctx.Value(trailKey{}).(*trail)
	return t
}

func (t *trail) note(err error) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempts++
	t.err = err
	return t.attempts
}

func (t *trail) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}
