// Package rates counts the API calls that local AWS gets and, when it is asked to, refuses those that exceed the rates
// that AWS documents: a token bucket for each account, region and category of operations.
//
// It must not know what an operation does. Its table is its own: if it shared the clients', a mistake in it would be
// invisible.
package rates

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/wire"
)

// Count is how often an operation was called.
type Count struct {
	Service   string `json:"service"` // ecs, ecr, …
	Operation string `json:"operation"`
	Calls     int    `json:"calls"`
	Throttled int    `json:"throttled"` // of the calls; refused for their rate
}

// Meter counts calls and holds them to rates. It is safe for concurrent use.
type Meter struct {
	enforce bool
	now     func() time.Time

	mu      sync.Mutex
	buckets map[place]*bucket
	counts  map[operation]*Count
}

type operation struct{ service, name string }

// place is what a bucket is for.
type place struct{ region, category string }

// New makes a meter; enforce: it refuses what exceeds AWS's rates. now nil: time.Now.
func New(enforce bool, now func() time.Time) *Meter {
	if now == nil {
		now = time.Now
	}
	return &Meter{enforce: enforce, now: now, buckets: map[place]*bucket{}, counts: map[operation]*Count{}}
}

// Admit counts a call; the error is AWS's for one call too many. A refused call takes no token.
func (m *Meter) Admit(call wire.Call) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := operation{call.Service, call.Operation}
	count, ok := m.counts[at]
	if !ok {
		count = &Count{Service: at.service, Operation: at.name}
		m.counts[at] = count
	}
	count.Calls++
	if !m.enforce || m.take(call) {
		return nil
	}
	count.Throttled++
	return wire.Errorf("ThrottlingException", "Rate exceeded")
}

// take takes a token for the call, if there is one. The lock is held.
func (m *Meter) take(call wire.Call) bool {
	category, q := quotaOf(call.Service, call.Operation)
	if q.burst == 0 {
		return true
	}
	at := place{call.Region, category}
	b, ok := m.buckets[at]
	if !ok {
		b = &bucket{quota: q, tokens: q.burst, filled: m.now()}
		m.buckets[at] = b
	}
	return b.take(m.now())
}

// Counts gives what was counted since the start, by service and operation.
func (m *Meter) Counts() []Count {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := make([]Count, 0, len(m.counts))
	for _, c := range m.counts {
		counts = append(counts, *c)
	}
	slices.SortFunc(counts, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Operation, b.Operation))
	})
	return counts
}

// bucket is a token bucket as ECS describes its own: a number of tokens is added every second.
type bucket struct {
	quota
	tokens int
	filled time.Time // the last second in which tokens were added
}

func (b *bucket) take(now time.Time) bool {
	if seconds := int(now.Sub(b.filled) / time.Second); seconds > 0 {
		b.tokens = min(b.burst, b.tokens+seconds*b.perSecond)
		b.filled = b.filled.Add(time.Duration(seconds) * time.Second)
	}
	if b.tokens == 0 {
		return false
	}
	b.tokens--
	return true
}
