package awsclient

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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

// trail remembers the failed attempts of one call, because a context that ends between two attempts hides the reason,
// and what the last attempt was signed with.
type trail struct {
	mu       sync.Mutex
	attempts int
	err      error
	expired  int // how many of the attempts
	signed   aws.Credentials
}

type trailKey struct{}

// trailOf gives the trail of the call that ctx belongs to. A call that was not made through Call gets one that nobody
// looks at.
func trailOf(ctx context.Context) *trail {
	if t, ok := ctx.Value(trailKey{}).(*trail); ok {
		return t
	}
	return &trail{}
}

// note counts a failed attempt, and how many failed with expired credentials.
func (t *trail) note(err error) (attempts, expired int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempts++
	t.err = err
	if faultOf(err) == faultExpired {
		t.expired++
	}
	return t.attempts, t.expired
}

// failed is how many attempts have failed so far.
func (t *trail) failed() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.attempts
}

func (t *trail) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *trail) signWith(c aws.Credentials) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.signed = c
}

func (t *trail) signedWith() aws.Credentials {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.signed
}
