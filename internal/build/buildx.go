package build

import (
	"context"
	"log/slog"
	"net"

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
	// PlainHTTP, Credentials and Renew are those of Config.
	PlainHTTP   []string
	Credentials func(ctx context.Context, host string) (auth release.Credentials, ok bool, err error)
	Renew       func(ctx context.Context, host string) (release.Credentials, error)
	// RewriteTimestamps is that of Config.
	RewriteTimestamps bool
	// Inspected is what InspectBuildx has found; nil: the builder is looked at before its first build.
	Inspected *BuildxInfo
	// Log is for operators; nil discards.
	Log *slog.Logger
}

// Buildx builds with a builder of docker buildx, whatever its driver: the Docker client is run as a command to find the
// builder's BuildKit and to connect to it, as the user's contexts and settings have it, and the build itself is the one
// that BuildKit does. So the digest is the same, and credentials stay in memory.
type Buildx struct {
	config BuildxConfig
	log    *slog.Logger
}

var _ release.Builder = (*Buildx)(nil)

// NewBuildx gives a builder on docker buildx. It runs nothing: what is missing is Build's error.
func NewBuildx(c BuildxConfig) (*Buildx, error) {
	if len(c.Docker) == 0 {
		c.Docker = []string{"docker"}
	}
	log := c.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Buildx{config: c, log: log}, nil
}

// Name implements release.Builder.
func (b *Buildx) Name() string {
	name := "docker buildx"
	if b.config.Builder != "" {
		name += " " + b.config.Builder
	}
	if b.config.Reason != "" {
		name += " (" + b.config.Reason + ")"
	}
	return name
}

// Build implements release.Builder. The image stays with the builder.
func (b *Buildx) Build(ctx context.Context, req release.BuildRequest, emit release.Emit) (release.Image, error) {
	return b.kit().Build(ctx, req, emit)
}

// Push implements release.Builder.
func (b *Buildx) Push(ctx context.Context, req release.BuildRequest, want release.Digest, tag string, auth release.Credentials, emit release.Emit) error {
	return b.kit().Push(ctx, req, want, tag, auth, emit)
}

// kit is the builder's BuildKit.
func (b *Buildx) kit() *BuildKit {
	return &BuildKit{
		config: Config{
			Address: "docker-buildx://" + orElse(b.config.Builder, "current"), Reason: b.Name(), PlainHTTP: b.config.PlainHTTP,
			Credentials: b.config.Credentials, Renew: b.config.Renew, RewriteTimestamps: b.config.RewriteTimestamps,
		},
		log: b.log,
		dial: func(ctx context.Context) (net.Conn, error) { return dialCommand(ctx, b.config.buildx("dial-stdio")) },
	}
}
