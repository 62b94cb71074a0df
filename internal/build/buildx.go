package build

import (
	"context"
	"log/slog"
	"sync"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter/containerimage/exptypes"

	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// BuildxConfig says which builder of docker buildx builds.
type BuildxConfig struct {
	// Docker is the argv that runs the Docker client; empty: {"docker"}. The plugin may be called as a program as well:
	// {"/usr/libexec/docker/cli-plugins/docker-buildx"}, known by its base name, which begins with docker-buildx or buildx.
	Docker []string
	// Builder is the name of the builder; empty: the current one, which BUILDX_BUILDER or `docker buildx use` has set.
	Builder string
	// Reason says why it was chosen, for people: "the current builder".
	Reason string
	// PlainHTTP, Credentials, Renew and Uploads are those of Config.
	PlainHTTP   []string
	Credentials func(ctx context.Context, host string) (auth release.Credentials, ok bool, err error)
	Renew       func(ctx context.Context, host string) (release.Credentials, error)
	Uploads     string
	// Inspected is what InspectBuildx has found; nil: the builder is looked at when that is needed.
	Inspected *BuildxInfo
	// CacheDir is where it is remembered what the layers of a Docker Engine without manifests compress to, so that an
	// image that has not changed is neither read nor compressed again; empty: nowhere.
	CacheDir string
	// Log is for operators; nil discards.
	Log *slog.Logger
}

// Buildx builds with a builder of docker buildx, whatever its driver. The Docker client is run as a command that finds
// the builder's BuildKit, starts it where it is stopped, and connects to it, as the user's contexts and settings have it
// (docker buildx dial-stdio). What is sent over that connection is the build that BuildKit does everywhere: so the digest
// is the same, credentials stay in memory, and no Docker configuration is read or written here.
//
// One builder needs more: a Docker Engine that does not keep its images in containerd's store has no manifests. There the
// image is built into the engine, and read, compressed and pushed by this program: see engineBuild.
type Buildx struct {
	config BuildxConfig
	log    *slog.Logger

	mu        sync.Mutex
	inspected *BuildxInfo
	idle      map[string]*kept                // connections, by platform
	packed    map[release.Digest]*packedImage // what a Docker Engine without manifests has built, by manifest digest
}

var _ release.Builder = (*Buildx)(nil)

// NewBuildx gives a builder on docker buildx. It runs nothing: what is missing is Build's error.
func NewBuildx(c BuildxConfig) (*Buildx, error) {
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	quieten(log)
	return &Buildx{config: c, log: log, inspected: c.Inspected, idle: map[string]*kept{}, packed: map[release.Digest]*packedImage{}}, nil
}

// Name implements release.Builder.
func (b *Buildx) Name() string {
	name := "docker buildx"
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.config.Builder != "":
		name += " " + b.config.Builder
	case b.inspected != nil:
		name += " " + b.inspected.Name
	}
	if b.config.Reason != "" {
		name += " (" + b.config.Reason + ")"
	}
	return name
}

// Build implements release.Builder. The image stays with the builder.
func (b *Buildx) Build(ctx context.Context, req release.BuildRequest, emit release.Emit) (release.Image, error) {
	if err := b.checkRequest(ctx, req); err != nil {
		return release.Image{}, err
	}
	if spreads, err := b.spreads(ctx, req); err != nil {
		return release.Image{}, err
	} else if spreads {
		return b.buildSpread(ctx, req, emit)
	}
	var image release.Image
	err := b.connected(ctx, onlyPlatform(req), emit, func(kit *BuildKit, c *client.Client, lives habitat) error {
		if lives == inEngineOfOldStore {
			packed, err := b.engineBuild(ctx, kit, c, req, emit)
			if err == nil {
				image = packed.image(req.Repository)
			}
			return err
		}
		s, err := kit.prepare(req, false, release.Credentials{}, emit)
		if err != nil {
			return err
		}
		if lives == inEngine { // a name would show in `docker images`, and nobody has asked for that
			delete(s.options.Exports[0].Attrs, string(exptypes.OptKeyName))
		}
		image, err = kit.build(ctx, c, s)
		return err
	})
	return image, err
}

// Push implements release.Builder as BuildKit's does. A push of a Docker Engine without manifests is this program's own.
func (b *Buildx) Push(ctx context.Context, req release.BuildRequest, want release.Digest, tag string, auth release.Credentials, emit release.Emit) error {
	req.NoCache = false // what was built without cache is in the cache now
	spreads, err := b.spreads(ctx, req)
	if err != nil {
		return err
	}
	return b.kit("", emit).persist(ctx, auth, emit, func(auth release.Credentials) error {
		if spreads {
			return b.pushSpread(ctx, req, want, tag, auth, emit)
		}
		return b.connected(ctx, onlyPlatform(req), emit, func(kit *BuildKit, c *client.Client, lives habitat) error {
			if lives == inEngineOfOldStore {
				return b.enginePush(ctx, kit, c, req, want, tag, auth, emit)
			}
			s, err := kit.prepare(req, true, auth, emit)
			if err != nil {
				return err
			}
			if lives == inEngine {
				s.options.Exports[0].Attrs[string(exptypes.OptKeyStore)] = "false" // as above
			}
			return kit.push(ctx, c, s, want, tag)
		})
	})
}

// checkRequest finds what cannot be built, before a builder is started for nothing.
func (b *Buildx) checkRequest(ctx context.Context, req release.BuildRequest) error {
	if err := checkSources(req); err != nil {
		return err
	}
	if len(req.Platforms) < 2 {
		return nil
	}
	info, err := b.inspect(ctx)
	if err != nil {
		return err
	}
	return info.canBuild(req.Platforms)
}

// inspect looks at the builder once.
func (b *Buildx) inspect(ctx context.Context) (BuildxInfo, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inspected == nil {
		info, err := InspectBuildx(ctx, b.config)
		if err != nil {
			return BuildxInfo{}, err
		}
		b.inspected = &info
	}
	return *b.inspected, nil
}
