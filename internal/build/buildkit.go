package build

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/core/content/proxy"
	containerdlog "github.com/containerd/log"
	"github.com/moby/buildkit/client"
	_ "github.com/moby/buildkit/client/connhelper/dockercontainer" // BUILDKIT_HOST=docker-container://NAME, a builder of docker buildx
	"github.com/opencontainers/go-digest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// greetingTimeout is how long a daemon may take to answer its first call: a local socket answers in a millisecond, a
// daemon behind TCP or on a machine under load needs longer.
const greetingTimeout = 20 * time.Second

// Config says which BuildKit daemon builds.
type Config struct {
	// Address is where the daemon listens, in BUILDKIT_HOST's own syntax: unix:///run/…/buildkitd.sock, tcp://HOST:PORT,
	// docker-container://NAME for a container that Docker runs (buildx_buildkit_BUILDER0 of docker buildx).
	Address string
	// Reason says why this daemon was chosen, for people: "BUILDKIT_HOST".
	Reason string
	// PlainHTTP lists the registries (HOST:PORT) that are spoken to without TLS.
	PlainHTTP []string
	// Credentials opens the registries that a build reads from: the registry cache, and base images in the target's own
	// registry. ok is false for a host that it does not know, which is then read anonymously. Nil: all anonymously.
	Credentials func(ctx context.Context, host string) (auth release.Credentials, ok bool, err error)
	// Renew gives new credentials of a registry that refuses those that a push began with. Nil: a refusal is final.
	Renew func(ctx context.Context, host string) (release.Credentials, error)
	// Blobs is the directory of the daemon's store in which a blob is the file sha256/HEX, when this program may read it: a
	// push then takes layers from there and not through the daemon. Empty: it cannot.
	Blobs string
	// Uploads is a directory in which it is remembered where large layers are being uploaded to, so that the next push goes
	// on in the middle of one that was cut off; empty: nowhere.
	Uploads string
	// Docker is the argv of the Docker client whose engine Load fills; empty: Load names the image in the builder's own store.
	Docker []string
	// Log is for operators; nil discards.
	Log *slog.Logger
}

// BuildKit builds with one BuildKit daemon. It is safe for concurrent use and keeps no connection between calls.
type BuildKit struct {
	config Config
	log    *slog.Logger
	door   *door // nil: config.Address says how the daemon is reached
}

var _ release.Builder = (*BuildKit)(nil)

// New gives a builder on the daemon that c names. It does not connect: an unreachable daemon is Build's error.
func New(c Config) (*BuildKit, error) {
	if c.Address == "" {
		return nil, errors.New("no address of a BuildKit daemon: set BUILDKIT_HOST to one, or start the built-in engine with `medusa-deploy local up`")
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	quieten(log)
	return &BuildKit{config: c, log: log}, nil
}

// quieten sends what the client libraries of BuildKit and containerd write to standard error, beside their errors, to the
// operators' log; the session's HTTP/2 server writes to the standard library's logger.
func quieten(to *slog.Logger) {
	containerdlog.L.Logger.SetOutput(libraryLog{to})
	log.SetOutput(libraryLog{to})
}

type libraryLog struct{ log *slog.Logger }

// Write implements io.Writer: one call a line.
func (l libraryLog) Write(line []byte) (int, error) {
	l.log.Debug("client library", "said", strings.TrimSpace(string(line)))
	return len(line), nil
}

// Name implements release.Builder.
func (b *BuildKit) Name() string {
	if b.config.Reason == "" {
		return "BuildKit at " + b.config.Address
	}
	return "BuildKit (" + b.config.Reason + ")"
}

// Build implements release.Builder. The image stays in the daemon's store.
func (b *BuildKit) Build(ctx context.Context, req release.BuildRequest, emit release.Emit) (release.Image, error) {
	s, err := b.prepare(req, false, release.Credentials{}, emit)
	if err != nil {
		return release.Image{}, err
	}
	var image release.Image
	err = b.connected(ctx, func(c *client.Client) error {
		image, err = b.build(ctx, c, s)
		return err
	})
	return image, err
}

func (b *BuildKit) build(ctx context.Context, c *client.Client, s *solving) (release.Image, error) {
	defer s.done(ctx, c)
	return b.built(ctx, c, s)
}

// built leaves s to be done, for who reads more of what was built.
func (b *BuildKit) built(ctx context.Context, c *client.Client, s *solving) (release.Image, error) {
	digest, err := b.solve(ctx, c, s)
	if err != nil {
		return release.Image{}, err
	}
	image, err := inspect(ctx, c.ContentClient(), digest)
	if err != nil {
		return release.Image{}, err
	}
	image.Repository = s.req.Repository
	return image, nil
}

// Push implements release.Builder. What was built is taken from the daemon's store: see carry. Where that is not the way,
// the same build is solved again, which the daemon answers from its cache, with an exporter that pushes. Either way only
// layers that the registry lacks move. They arrive without a name, and the tag is set once the digest has proved right: a
// tag, which may be immutable, never names anything but what was built. A registry that fails for now is tried again.
func (b *BuildKit) Push(ctx context.Context, req release.BuildRequest, want release.Digest, tag string, auth release.Credentials, emit release.Emit) error {
	// What was built without cache is in the cache now; building it once more would give another image.
	req.NoCache = false
	return b.persist(ctx, auth, emit, func(auth release.Credentials) error {
		s, err := b.prepare(req, true, auth, emit)
		if err != nil {
			return err
		}
		return b.connected(ctx, func(c *client.Client) error { return b.push(ctx, c, s, want, tag) })
	})
}

func (b *BuildKit) push(ctx context.Context, c *client.Client, s *solving, want release.Digest, tag string) error {
	defer s.done(ctx, c)
	carried, err := b.carry(ctx, c, s, want)
	if err != nil {
		return err
	}
	if !carried {
		got, err := b.solve(ctx, c, s)
		if err != nil {
			return err
		}
		if got != want {
			return otherDigest(s.req, tag, got, want)
		}
	}
	manifest, err := reader{store: proxy.NewContentStore(c.ContentClient())}.read(ctx, digest.Digest(want))
	if err != nil {
		return err
	}
	return b.tag(ctx, s.req.Repository, tag, manifest, s.auth)
}

func otherDigest(req release.BuildRequest, tag string, got, want release.Digest) error {
	return fmt.Errorf("not tagged %s:%s: the builder sent %s, but %s was built: something that the image is made from changed in between; build again", req.Repository, tag, got, want)
}

// door is a way to a daemon other than its address.
type door struct {
	dial     func(context.Context) (net.Conn, error)
	patience time.Duration // how long the daemon may take to answer: it may have to be started first
	explain  func(error) error
	workers  []*client.WorkerInfo // what the daemon said of itself when it was last met
}

// connected runs do with a connection to the daemon that is known to answer.
func (b *BuildKit) connected(ctx context.Context, do func(*client.Client) error) (err error) {
	c, err := b.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return do(c)
}

// connect makes a connection to a daemon that answers.
func (b *BuildKit) connect(ctx context.Context) (*client.Client, error) {
	c, err := b.client(ctx)
	if err != nil {
		return nil, b.unreachable(err)
	}
	patience := greetingTimeout
	if b.door != nil {
		patience = b.door.patience
	}
	greeting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, err = c.Info(greeting)
	if err == nil || status.Code(err) == codes.Unimplemented { // daemons before 0.11 don't know it
		return c, nil
	}
	_ = c.Close() // there is nothing to close properly
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, b.unreachable(err)
}

func (b *BuildKit) client(ctx context.Context) (*client.Client, error) {
	if b.door == nil {
		return client.New(ctx, b.config.Address)
	}
	return client.New(ctx, "",
		client.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return b.door.dial(ctx) }),
		client.WithGRPCDialOption(grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: b.door.patience})))
}
