// Package elb is the load balancer of local AWS: one real HTTP listener on 127.0.0.1 for each target group, that is, for
// each load-balanced service. It checks the health of targets, sends requests to the healthy ones in turn, and drains
// those that leave, so that targets can come and go without a failed request.
//
// It is faster than AWS on purpose: health is checked every 100 ms until a target is healthy for the first time and
// every second from then on, where an Application Load Balancer's defaults are every 30 s, 5 successes and 2 failures.
//
// It knows groups, targets and HTTP. It must not know ECS, and has no API of its own yet: groups come from ECS services
// and their tags.
package elb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/medusa-deploy/medusa-deploy/internal/localaws/loopback"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws/store"
)

// host is where every group listens.
const host = "127.0.0.1"

// Ports for groups that name none are chosen from a range below the one that systems take ports of outgoing
// connections from, so that the port is still free after a restart.
const (
	firstPort = 20000
	lastPort  = 29999
	portTries = 200
)

// Config is what New needs.
type Config struct {
	Store *store.Store
	Log   *slog.Logger // nil: none
	// AssumeHealthy makes every target healthy without a check. It is for simulated containers, behind whose addresses
	// nothing listens.
	AssumeHealthy bool
}

// Group is a target group as its owner names it.
type Group struct {
	ARN     string
	Service string            // for people: CLUSTER/SERVICE
	Tags    map[string]string // see ParseSettings
}

// Target is one place that serves a group's requests.
type Target struct {
	ID   string
	IP   string
	Port int
}

// Status is a group as it is now.
type Status struct {
	ARN     string
	Service string
	URL     string
	Targets map[string]Health // by target id
}

// record is what survives a restart: the port. Settings and targets come again from the owner, who knows them better.
type record struct {
	Service string `json:"service"`
	Port    int    `json:"port"`
}

// Balancer is all target groups. It is safe for concurrent use.
type Balancer struct {
	log     *slog.Logger
	records *store.Table[record] // by ARN
	pace    pace
	assume  bool // see Config.AssumeHealthy

	changes sync.Mutex // one Ensure, Remove or Close at a time
	mu      sync.RWMutex
	groups  map[string]*group
}

// New makes a balancer that remembers the ports of the groups in the store. It listens when Ensure says so.
func New(cfg Config) (*Balancer, error) {
	if cfg.Store == nil {
		return nil, errors.New("elb: Store is needed")
	}
	b := &Balancer{log: cfg.Log, pace: defaultPace(), assume: cfg.AssumeHealthy, groups: map[string]*group{}}
	if b.log == nil {
		b.log = slog.New(slog.DiscardHandler)
	}
	var err error
	b.records, err = store.NewTable[record](cfg.Store, "elb.groups")
	return b, err
}

// Ensure makes the group listen with these tags. It listens on the same port as before, also after a restart, unless
// the tags name another one; the old one then stays until its requests are done. A port that is taken is an error that names its holder.
func (b *Balancer) Ensure(ctx context.Context, want Group) error {
	settings, err := ParseSettings(want.Tags)
	if err != nil {
		return fmt.Errorf("load balancer of %s: %w", want.Service, err)
	}
	b.changes.Lock()
	defer b.changes.Unlock()
	g := b.group(want.ARN)
	if g != nil && (settings.ListenPort == 0 || settings.ListenPort == g.port()) {
		g.settings.Store(&settings)
		return nil
	}
	listener, err := b.listen(ctx, want, settings)
	if err != nil {
		return fmt.Errorf("load balancer of %s: %w", want.Service, err)
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := b.records.Put(want.ARN, record{Service: want.Service, Port: port}); err != nil {
		_ = listener.Close()
		return err
	}
	if g == nil {
		g = newGroup(want, b.pace, b.log)
		g.assume = b.assume
	}
	g.settings.Store(&settings)
	old := g.serve(listener)
	b.mu.Lock()
	b.groups[want.ARN] = g
	b.mu.Unlock()
	b.log.InfoContext(ctx, "load balancer listens", "service", want.Service, "url", g.url())
	if old != nil {
		g.retireFront(context.WithoutCancel(ctx), old, settings.DeregistrationDelay)
	}
	return nil
}

// listen opens the group's port: the tags', else the remembered one, else a free one.
func (b *Balancer) listen(ctx context.Context, want Group, settings Settings) (net.Listener, error) {
	if port := settings.ListenPort; port != 0 {
		return b.listenOn(ctx, want, port, "name another port in the service's tag "+TagListenPort)
	}
	known, ok, err := b.records.Get(want.ARN)
	if err != nil {
		return nil, err
	}
	if ok {
		return b.listenOn(ctx, want, known.Port, "free the port it had before, or name another one in the service's tag "+TagListenPort)
	}
	for range portTries {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		if b.remembered(port) {
			continue
		}
		listener, err := loopback.Listen(ctx, address(port))
		var taken *loopback.TakenError
		if errors.As(err, &taken) {
			continue
		}
		return listener, err
	}
	return nil, fmt.Errorf("found no free port from %d to %d; name one in the service's tag %s", firstPort, lastPort, TagListenPort)
}

func (b *Balancer) listenOn(ctx context.Context, want Group, port int, cure string) (net.Listener, error) {
	for _, other := range b.all() {
		if other.arn != want.ARN && other.port() == port {
			return nil, fmt.Errorf("the port %d is the one of %s; %s", port, other.service, cure)
		}
	}
	listener, err := loopback.Listen(ctx, address(port))
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, cure)
	}
	return listener, nil
}

// remembered says whether a group that does not listen at the moment has the port.
func (b *Balancer) remembered(port int) bool {
	records, err := b.records.List("")
	return err == nil && slices.ContainsFunc(records, func(r record) bool { return r.Port == port })
}

func address(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

func (b *Balancer) group(arn string) *group {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.groups[arn]
}

// all gives the groups in the order of their services.
func (b *Balancer) all() []*group {
	b.mu.RLock()
	defer b.mu.RUnlock()
	groups := make([]*group, 0, len(b.groups))
	for _, g := range b.groups {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(x, y *group) int { return strings.Compare(x.service+x.arn, y.service+y.arn) })
	return groups
}

// Register adds a target to a group that Ensure made. It gets requests once it is healthy; the first check is at once.
func (b *Balancer) Register(_ context.Context, arn string, t Target) error {
	g := b.group(arn)
	if g == nil {
		return fmt.Errorf("register target %s: there is no target group %s", t.ID, arn)
	}
	g.register(t)
	return nil
}

// Deregister keeps new requests from the target at once, and returns when those in flight are done, or cut off because
// the group's deregistration delay has passed or ctx ended. A missing target is a success.
func (b *Balancer) Deregister(ctx context.Context, arn, id string) error {
	g := b.group(arn)
	if g == nil {
		return nil
	}
	return g.deregister(ctx, id)
}

// Health is the state of a target.
func (b *Balancer) Health(arn, id string) Health {
	if g := b.group(arn); g != nil {
		return g.health(id)
	}
	return unused()
}

// URL is where the group answers; empty when there is no such group.
func (b *Balancer) URL(arn string) string {
	if g := b.group(arn); g != nil {
		return g.url()
	}
	return ""
}

// Groups gives every group with its targets, in the order of their services.
func (b *Balancer) Groups() []Status {
	var all []Status
	for _, g := range b.all() {
		all = append(all, g.status())
	}
	return all
}

// Remove closes the listener, after the requests in flight or the deregistration delay, and forgets the group and its
// port. A missing group is a success.
func (b *Balancer) Remove(ctx context.Context, arn string) error {
	g, err := b.forget(arn)
	if err != nil || g == nil {
		return err
	}
	return g.close(ctx)
}

func (b *Balancer) forget(arn string) (*group, error) {
	b.changes.Lock()
	defer b.changes.Unlock()
	if err := b.records.Delete(arn); err != nil {
		return nil, err
	}
	return b.take(arn), nil
}

func (b *Balancer) take(arn string) *group {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.groups[arn]
	delete(b.groups, arn)
	return g
}

// Close closes every listener as Remove does, but remembers the groups' ports.
func (b *Balancer) Close(ctx context.Context) error {
	b.changes.Lock()
	defer b.changes.Unlock()
	groups := b.all()
	failed := make([]error, len(groups))
	var closing sync.WaitGroup
	for i, g := range groups {
		b.take(g.arn)
		closing.Go(func() { failed[i] = g.close(ctx) })
	}
	closing.Wait()
	return errors.Join(failed...)
}
