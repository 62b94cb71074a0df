package orchestrator

import (
	"context"
	"slices"
	"sync"
	"time"
)

// gatherFor is how long the first question waits for others.
const gatherFor = 2 * time.Millisecond

// batcher answers questions about single things by calls about many. Questions are gathered for a moment, and for as
// long as enough calls are under way: the more is asked, and the longer AWS's rates make calls wait, the fuller each
// call gets. Whoever asks gets an answer that was fetched after the question.
type batcher[K comparable, V any] struct {
	most    int // keys that a call takes
	abreast int // calls that are under way at once
	// ask gives the values of the keys that exist.
	ask func(context.Context, []K) (map[K]V, error)

	mu        sync.Mutex
	waiting   []*question[K, V] // not asked yet, in their order
	asking    int               // calls under way
	gathering bool              // the moment is not over
}

// question is one key that one or several callers want to know about.
type question[K comparable, V any] struct {
	key     K
	callers []context.Context // those that still wait
	call    *calling          // nil as long as it is not asked

	answered chan struct{} // closed once what follows is set
	value    V
	found    bool
	err      error
}

// calling is a call on behalf of several callers. It ends when the last of them has left.
type calling struct {
	context.Context
	cancel context.CancelCauseFunc
	wanted int // questions that somebody still waits for
}

// get asks about one key; found is false when it does not exist. A caller whose context ends leaves without harm to the
// others; the last one ends the call.
func (b *batcher[K, V]) get(ctx context.Context, key K) (value V, found bool, err error) {
	if ctx.Err() != nil {
		return value, false, context.Cause(ctx)
	}
	q := b.join(ctx, key)
	select {
	case <-q.answered:
	case <-ctx.Done():
		if !b.leave(ctx, q) {
			return value, false, context.Cause(ctx)
		}
		<-q.answered // the call ends now, and knows what it failed with before
	}
	return q.value, q.found, q.err
}

func (b *batcher[K, V]) join(ctx context.Context, key K) *question[K, V] {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.waiting {
		if q.key == key {
			q.callers = append(q.callers, ctx)
			return q
		}
	}
	q := &question[K, V]{key: key, callers: []context.Context{ctx}, answered: make(chan struct{})}
	b.waiting = append(b.waiting, q)
	if len(b.waiting) == 1 {
		b.gathering = true
		time.AfterFunc(gatherFor, b.gathered)
	}
	b.dispatch()
	return q
}

// leave takes a caller away from its question. It reports whether that ends the call: then its answer comes at once.
func (b *batcher[K, V]) leave(ctx context.Context, q *question[K, V]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := slices.Index(q.callers, ctx) // several may have the same context: each leaves for itself
	q.callers = slices.Delete(q.callers, at, at+1)
	if len(q.callers) > 0 {
		return false
	}
	if q.call == nil {
		b.waiting = slices.DeleteFunc(b.waiting, func(other *question[K, V]) bool { return other == q })
		return false
	}
	q.call.wanted--
	if q.call.wanted > 0 {
		return false
	}
	q.call.cancel(context.Cause(ctx))
	return true
}

func (b *batcher[K, V]) gathered() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gathering = false
	b.dispatch()
}

// dispatch starts the calls that are due. The lock is held.
func (b *batcher[K, V]) dispatch() {
	for b.asking < b.abreast && len(b.waiting) > 0 && (len(b.waiting) >= b.most || !b.gathering) {
		n := min(b.most, len(b.waiting))
		questions := slices.Clone(b.waiting[:n])
		b.waiting = slices.Delete(b.waiting, 0, n)
		b.asking++
		call := newCalling(questions)
		for _, q := range questions {
			q.call = call
		}
		go b.run(call, questions)
	}
}

// newCalling makes a call that lasts as long as the most patient of its callers. The lock is held.
func newCalling[K comparable, V any](questions []*question[K, V]) *calling {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(questions[0].callers[0]))
	var latest time.Time
	for _, q := range questions {
		for _, c := range q.callers {
			deadline, bounded := c.Deadline()
			if !bounded {
				return &calling{ctx, cancel, len(questions)}
			}
			if deadline.After(latest) {
				latest = deadline
			}
		}
	}
	// The callers leave when their time is over, and say why: this only tells what is below how much time there is.
	ctx, release := context.WithDeadline(ctx, latest.Add(time.Second))
	return &calling{ctx, func(cause error) { cancel(cause); release() }, len(questions)}
}

func (b *batcher[K, V]) run(call *calling, questions []*question[K, V]) {
	keys := make([]K, 0, len(questions))
	for _, q := range questions {
		keys = append(keys, q.key)
	}
	values, err := b.ask(call, keys)
	if err != nil && len(keys) > 1 && call.Err() == nil {
		b.askEach(call, questions) // one of them may have spoilt it for all
	} else {
		b.answer(questions, values, err)
	}
	call.cancel(nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asking--
	b.dispatch()
}

func (b *batcher[K, V]) askEach(call *calling, questions []*question[K, V]) {
	for i := range questions {
		values, err := b.ask(call, []K{questions[i].key})
		b.answer(questions[i:i+1], values, err)
	}
}

func (b *batcher[K, V]) answer(questions []*question[K, V], values map[K]V, err error) {
	for _, q := range questions {
		q.err = err
		q.value, q.found = values[q.key]
		close(q.answered)
	}
}
