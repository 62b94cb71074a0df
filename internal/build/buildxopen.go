package build

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// lookAfter is how long a connection may take before the builder is looked at meanwhile, which finds what is wrong sooner.
const lookAfter = time.Second

// Open connects to the builder and learns about it; the connection is kept for the build of these platforms that follows. A
// builder that is stopped is started. With loopback it has to be known whether the builder has this machine's network.
//
// To look at a builder takes as long as to build what has not changed. So that happens while the connection is made; and
// where the builder is named and the connection itself tells all that matters, not at all: the driver is unknown then. Its
// error is InspectBuildx's, or why there is no connection.
func (b *Buildx) Open(ctx context.Context, platforms []string, loopback bool, emit release.Emit) (BuildxInfo, error) {
	dialling, cancel := context.WithCancel(ctx)
	defer cancel()
	var known, info BuildxInfo
	var looked, reached error
	connection := make(chan bool, 1) // says once whether it told all
	var both sync.WaitGroup
	both.Go(func() {
		enough := false
		reached = b.connected(dialling, onlyPlatform(release.BuildRequest{Platforms: platforms}), emit, func(kit *BuildKit, _ *client.Client, lives habitat) error {
			known, enough = b.known(kit.door.workers)
			enough = enough && lives == alone && len(platforms) == 1 && (!loopback || onThisMachine(kit.door.workers))
			return nil
		})
		connection <- enough
	})
	both.Go(func() {
		if b.config.Builder != "" && b.toldAll(connection) {
			info = known
			return
		}
		if info, looked = InspectBuildx(ctx, b.config); looked != nil {
			cancel()
			return
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.inspected = &info
	})
	both.Wait()
	if looked != nil {
		return info, errors.Join(looked, b.Close())
	}
	return info, reached
}

// toldAll waits for the connection, but not for long.
func (b *Buildx) toldAll(connection <-chan bool) bool {
	wait := time.NewTimer(lookAfter)
	defer wait.Stop()
	select {
	case enough := <-connection:
		return enough
	case <-wait.C:
		return false
	}
}

// known is what a connection tells of a builder; false: it says too little.
func (b *Buildx) known(workers []*client.WorkerInfo) (BuildxInfo, bool) {
	if len(workers) == 0 || len(workers[0].Platforms) == 0 {
		return BuildxInfo{}, false
	}
	node := BuildxNode{Status: "running", Version: workers[0].BuildkitVersion.Version, Platforms: platformsOf(workers[0])}
	return BuildxInfo{Name: b.config.Builder, Nodes: []BuildxNode{node}}, true
}
