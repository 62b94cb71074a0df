package elb

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

const (
	// connectTimeout is how long a target may take to accept a connection, on what is one machine.
	connectTimeout = 2 * time.Second
	// answerTimeout is how long a target may take to begin its answer: the idle timeout of an Application Load Balancer.
	answerTimeout = 60 * time.Second
	// upstreamIdle is how long a connection to a target is kept for the next request. It is below the 5 s after which
	// Node.js closes an idle connection: a request that is sent at that very moment would fail.
	upstreamIdle = 3 * time.Second
	// upstreamConnections is how many idle connections to one target are kept.
	upstreamConnections = 256
)

func (t Target) address() string { return net.JoinHostPort(t.IP, strconv.Itoa(t.Port)) }

// target is one registered target. Its fields below the line belong to the group's lock.
type target struct {
	id, address string
	transport   *http.Transport
	life        context.Context // ends when what is still in flight is cut off
	cut         context.CancelFunc
	checking    context.Context // ends when the target leaves rotation for good
	retire      context.CancelFunc
	flights     flights

	record   checkRecord
	draining bool
	place    int // in the rotation; -1: not in it
}

func newTarget(t Target) *target {
	made := &target{id: t.ID, address: t.address(), record: newCheckRecord(), place: -1}
	made.life, made.cut = context.WithCancel(context.Background())
	made.checking, made.retire = context.WithCancel(made.life)
	made.transport = &http.Transport{
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		DisableCompression:    true, // what a target sends is what a client gets
		MaxIdleConnsPerHost:   upstreamConnections,
		IdleConnTimeout:       upstreamIdle,
		ResponseHeaderTimeout: answerTimeout,
	}
	return made
}

// health is what the group tells about the target. The caller holds the group's lock.
func (t *target) health() Health {
	if t.draining {
		return Health{State: Draining, Reason: "Target.DeregistrationInProgress", Description: "Target deregistration is in progress"}
	}
	return t.record.health
}

// drain waits until no request is in flight, at most for delay or until ctx ends; then it cuts them off. Nobody may send
// new ones any more.
func (t *target) drain(ctx context.Context, delay time.Duration) error {
	defer t.transport.CloseIdleConnections()
	defer t.cut()
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-t.flights.none():
		return nil
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flights counts requests in flight.
type flights struct {
	mu    sync.Mutex
	count int
	empty chan struct{} // closed when count becomes 0; nil when nobody waits
}

func (f *flights) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count++
}

func (f *flights) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count--
	if f.count == 0 && f.empty != nil {
		close(f.empty)
		f.empty = nil
	}
}

// none gives a channel that is closed when no request is in flight.
func (f *flights) none() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.empty != nil {
		return f.empty
	}
	empty := make(chan struct{})
	if f.count == 0 {
		close(empty)
		return empty
	}
	f.empty = empty
	return empty
}

// rotation is the targets that get requests, in turn. Adding, removing and taking the next one are O(1).
type rotation struct {
	targets []*target
	next    int
}

func (r *rotation) add(t *target) {
	if t.place < 0 {
		t.place = len(r.targets)
		r.targets = append(r.targets, t)
	}
}

// remove fills the gap with the last target.
func (r *rotation) remove(t *target) {
	if t.place < 0 {
		return
	}
	last := len(r.targets) - 1
	r.targets[t.place] = r.targets[last]
	r.targets[t.place].place = t.place
	r.targets[last] = nil
	r.targets = r.targets[:last]
	t.place = -1
}

// take gives the next target that is not in tried; nil when there is none.
func (r *rotation) take(tried []*target) *target {
	for range len(r.targets) {
		r.next = (r.next + 1) % len(r.targets)
		if t := r.targets[r.next]; !slices.Contains(tried, t) {
			return t
		}
	}
	return nil
}
