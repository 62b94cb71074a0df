package build

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// bootPatience is how long a builder may take to answer. It may have to be started first, and its image downloaded.
const bootPatience = 10 * time.Minute

// onlyPlatform is the one platform of a request; empty when there are several or none.
func onlyPlatform(req release.BuildRequest) string {
	if len(req.Platforms) == 1 {
		return req.Platforms[0]
	}
	return ""
}

// habitat is where a BuildKit lives.
type habitat int

const (
	alone              habitat = iota // a daemon of its own
	inEngine                          // in a Docker Engine that keeps its images in containerd's store
	inEngineOfOldStore                // in a Docker Engine that does not, and has no manifests
)

// habitatOf tells by the workers' labels, as buildx does: an engine with its own image store names no snapshotter.
func habitatOf(workers []*client.WorkerInfo) habitat {
	for _, w := range workers {
		if _, named := w.Labels["org.mobyproject.buildkit.worker.snapshotter"]; !named {
			continue
		}
		if w.Labels["org.mobyproject.buildkit.worker.containerd.namespace"] == "moby" {
			return inEngine
		}
		return alone
	}
	return inEngineOfOldStore
}

// kit is BuildKit behind a connection that buildx makes. buildx chooses the node for the platform, and starts it.
func (b *Buildx) kit(platform string, emit release.Emit) *BuildKit {
	d := &dialler{config: b.config, argv: b.config.buildx("dial-stdio", "--progress=plain"), name: b.Name(), emit: emit}
	if platform != "" {
		d.argv = append(d.argv, "--platform", platform)
	}
	return &BuildKit{
		config: Config{
			Reason: b.Name(), PlainHTTP: b.config.PlainHTTP, Credentials: b.config.Credentials, Renew: b.config.Renew,
			Uploads: b.config.Uploads, Log: b.config.Log,
		},
		log:  b.log,
		door: &door{dial: d.dial, patience: bootPatience, explain: d.explain},
	}
}

// dialler makes connections by running buildx.
type dialler struct {
	config BuildxConfig
	argv   []string
	name   string
	emit   release.Emit

	mu     sync.Mutex
	said   *lastWords // of the latest connection
	failed error      // why it could not be started
}

func (d *dialler) dial(ctx context.Context) (net.Conn, error) {
	said := &lastWords{line: d.watch()}
	conn, err := dialCommand(ctx, d.argv, said)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.said, d.failed = said, err
	return conn, err
}

// watch tells the user once when a builder has to be started, which takes a while.
func (d *dialler) watch() func(string) {
	var once sync.Once
	return func(line string) {
		if strings.Contains(line, "[internal] booting buildkit") {
			once.Do(func() { d.emit(release.Notice{Level: "info", Text: "starting the builder: " + d.name}) })
		}
	}
}

// explain prefers what the Docker client said to what gRPC made of it.
func (d *dialler) explain(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.failed != nil:
		err = d.failed
	case d.said != nil && d.said.complaint() != "":
		err = &commandError{argv: d.argv, said: d.said.complaint(), err: err}
	}
	return d.config.explainBuildx(err)
}
