package build

import (
	"context"
	"errors"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// keepFor is how long a connection is kept for what comes next: a push follows its build within moments, and to connect
// once more would take as long as to build what has not changed.
const keepFor = 30 * time.Second

// kept is a connection that nobody uses at the moment.
type kept struct {
	kit    *BuildKit
	client *client.Client
	expiry *time.Timer
}

// connected runs do with a connection to the BuildKit that builds for a platform (empty: the builder's first).
func (b *Buildx) connected(ctx context.Context, platform string, emit release.Emit, do func(*BuildKit, *client.Client, habitat) error) error {
	k := b.take(platform)
	if k != nil && k.meet(ctx) != nil { // it broke meanwhile
		_ = k.client.Close()
		k = nil
	}
	if k == nil {
		kit := b.kit(platform, emit)
		c, err := kit.connect(ctx)
		if err != nil {
			return err
		}
		k = &kept{kit: kit, client: c}
		if err := k.meet(ctx); err != nil {
			return errors.Join(kit.unreachable(err), c.Close())
		}
	}
	if err := do(k.kit, k.client, habitatOf(k.kit.door.workers)); err != nil {
		return errors.Join(err, k.client.Close())
	}
	b.keepConnection(platform, k)
	return nil
}

// meet asks the daemon for its workers.
func (k *kept) meet(ctx context.Context) (err error) {
	k.kit.door.workers, err = k.client.ListWorkers(ctx)
	return err
}

// take gives a kept connection away; nil: there is none.
func (b *Buildx) take(platform string) *kept {
	b.mu.Lock()
	defer b.mu.Unlock()
	k, ok := b.idle[platform]
	if !ok {
		return nil
	}
	delete(b.idle, platform)
	k.expiry.Stop()
	return k
}

func (b *Buildx) keepConnection(platform string, k *kept) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, taken := b.idle[platform]; taken {
		_ = k.client.Close() // one is enough
		return
	}
	b.idle[platform] = k
	k.expiry = time.AfterFunc(keepFor, func() {
		b.mu.Lock()
		mine := b.idle[platform] == k
		if mine {
			delete(b.idle, platform)
		}
		b.mu.Unlock()
		if mine {
			_ = k.client.Close()
		}
	})
}

// Close ends the connections that are kept between a build and its push. They end by themselves after half a minute, and
// with this process.
func (b *Buildx) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []error
	for platform, k := range b.idle {
		k.expiry.Stop()
		all = append(all, k.client.Close())
		delete(b.idle, platform)
	}
	return errors.Join(all...)
}
