package build

import (
	"context"
	"errors"
	"sync"

	"github.com/moby/buildkit/client"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// Open looks at the builder and connects to it, both at the same time, because each takes as long as a build of what has
// not changed; the connection is kept for the build of these platforms that follows. A builder that is stopped is started.
// Its error is InspectBuildx's, or why there is no connection.
func (b *Buildx) Open(ctx context.Context, platforms []string, emit release.Emit) (BuildxInfo, error) {
	dialling, cancel := context.WithCancel(ctx)
	defer cancel()
	var info BuildxInfo
	var looked, reached error
	var both sync.WaitGroup
	both.Go(func() {
		if info, looked = InspectBuildx(ctx, b.config); looked != nil {
			cancel()
		}
	})
	both.Go(func() {
		nothing := func(*BuildKit, *client.Client, habitat) error { return nil }
		reached = b.connected(dialling, onlyPlatform(release.BuildRequest{Platforms: platforms}), emit, nothing)
	})
	both.Wait()
	switch {
	case looked != nil:
		return info, errors.Join(looked, b.Close())
	case reached != nil:
		return info, reached
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inspected = &info
	return info, nil
}
