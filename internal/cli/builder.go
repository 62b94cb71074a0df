package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/localaws"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// builderVariable chooses a builder when no flag does.
const builderVariable = "MEDUSA_DEPLOY_BUILDER"

// The kinds of builders.
const (
	kindBuildx   = "buildx"   // docker buildx, run as a command
	kindBuildKit = "buildkit" // a BuildKit daemon that somebody runs
	kindEngine   = "engine"   // the built-in engine of the local AWS that runs
)

// builderWish is which builder somebody asks for; the zero wish leaves it to the program.
type builderWish struct {
	kind string
	name string // of a buildx builder, or a daemon's address; empty: the current one
	by   string // --builder, or the variable
}

func addBuilder(cmd *cobra.Command, g *globals) {
	cmd.Flags().StringVar(&g.builder, "builder", "", "buildx, buildx:NAME, buildkit, buildkit:ADDRESS or engine (default: $"+builderVariable+", or the first that works)")
}

// wish reads the flag, or the variable.
func (g *globals) wish() (builderWish, error) {
	text, by := g.builder, "--builder"
	if text == "" {
		text, by = g.getenv(builderVariable), builderVariable
	}
	if text == "" {
		return builderWish{}, nil
	}
	kind, name, named := strings.Cut(text, ":")
	switch {
	case !slices.Contains([]string{kindBuildx, kindBuildKit, kindEngine}, kind), named && name == "", kind == kindEngine && named:
		return builderWish{}, exit(release.ExitUsage, fmt.Errorf("%s: %q is no builder\n  expected buildx, buildx:NAME, buildkit, buildkit:ADDRESS (unix:///…, tcp://HOST:PORT, docker-container://NAME) or engine", by, text))
	}
	return builderWish{kind: kind, name: name, by: by}, nil
}

// absentError is why a builder is not there at all: nobody is told so while another one is.
type absentError struct{ error }

// Unwrap gives the reason.
func (e absentError) Unwrap() error { return e.error }

// candidate is a builder that may be there.
type candidate struct {
	name string // for people
	// open gives the builder once it is known to work.
	open func(ctx context.Context) (builderFound, error)
}

// builderFound is a builder that works.
type builderFound struct {
	release.Builder
	facts func(ctx context.Context) (build.Facts, error)
	close func() error // nil: there is nothing to close
}

// missed is a candidate that was tried, and why it does not serve.
type missed struct {
	name string
	err  error
}

// firstBuilder gives the first candidate that works, and those before it that are there and do not. Without any, the error
// lists each with its reason, and how to get one.
func firstBuilder(ctx context.Context, candidates []candidate) (builderFound, []missed, error) {
	var tried, broken []missed
	for _, c := range candidates {
		found, err := c.open(ctx)
		if ctx.Err() != nil {
			return builderFound{}, nil, context.Cause(ctx)
		}
		if err == nil {
			return found, broken, nil
		}
		tried = append(tried, missed{c.name, err})
		var absent absentError
		if !errors.As(err, &absent) {
			broken = append(broken, missed{c.name, err})
		}
	}
	lines := []string{"there is no builder"}
	for _, m := range tried {
		lines = append(lines, "  "+m.name+": "+firstLine(m.err))
	}
	return builderFound{}, nil, errors.New(strings.Join(append(lines, "  "+howToGetABuilder), "\n"))
}

const howToGetABuilder = "start Docker with its buildx plugin; or set BUILDKIT_HOST to a BuildKit daemon; or start the built-in engine: sudo medusa-deploy local up"

// firstLine is an error without its cure, which is for whoever has no other way.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// chooseBuilder finds the builder of this session and says which ones it passed over.
func (s *session) chooseBuilder(ctx context.Context, emit release.Emit) (builderFound, error) {
	wish, err := s.wish()
	if err != nil {
		return builderFound{}, err
	}
	if wish.kind != "" {
		found, err := s.candidate(wish).open(ctx)
		if err != nil {
			return builderFound{}, unserved(wish, err)
		}
		return found, nil
	}
	var candidates []candidate
	for _, kind := range s.builderOrder() {
		candidates = append(candidates, s.candidate(builderWish{kind: kind}))
	}
	found, passed, err := firstBuilder(ctx, candidates)
	for _, m := range passed {
		emit(release.Notice{Level: "warning", Text: "not built with " + m.name + ": " + firstLine(m.err)})
	}
	return found, err
}

// unserved is why the builder that somebody asks for does not serve.
func unserved(w builderWish, err error) error {
	err = fmt.Errorf("%s asks for %s: %w", w.by, w, err)
	if strings.Contains(err.Error(), "\n") {
		return err // it has a cure
	}
	return fmt.Errorf("%w\n  ask for another one, or for none: then the first that works is taken", err)
}

func (w builderWish) String() string {
	if w.name == "" {
		return w.kind
	}
	return w.kind + ":" + w.name
}

// builderOrder is the order in which builders are tried. For local AWS its own engine goes before docker buildx: what it
// builds is where local tasks start from, so that no byte moves, and it reaches the registry on this machine's loopback
// address, which a builder in a container does not.
func (s *session) builderOrder() []string {
	if s.plain.Local {
		return []string{kindBuildKit, kindEngine, kindBuildx}
	}
	return []string{kindBuildx, kindBuildKit, kindEngine}
}

// prefersEngine tells whether the built-in engine is the first choice, as far as can be told without looking.
func (s *session) prefersEngine() bool {
	wish, err := s.wish()
	if err != nil || wish.kind != "" {
		return wish.kind == kindEngine
	}
	return s.plain.Local && s.getenv("BUILDKIT_HOST") == ""
}

// candidate makes the candidate that a wish names.
func (s *session) candidate(w builderWish) candidate {
	switch w.kind {
	case kindBuildx:
		return candidate{"docker buildx", func(ctx context.Context) (builderFound, error) { return s.openBuildx(ctx, w) }}
	case kindBuildKit:
		return candidate{"BUILDKIT_HOST", func(ctx context.Context) (builderFound, error) { return s.openBuildKit(ctx, w) }}
	default:
		return candidate{"the built-in engine", s.openEngine}
	}
}

// openBuildKit opens the daemon that a wish or BUILDKIT_HOST names.
func (s *session) openBuildKit(ctx context.Context, w builderWish) (builderFound, error) {
	address, reason := w.name, w.by
	if address == "" {
		address, reason = s.getenv("BUILDKIT_HOST"), "BUILDKIT_HOST"
	}
	if address == "" {
		return builderFound{}, absentError{errors.New("it is not set")}
	}
	return s.openDaemon(ctx, build.Config{Address: address, Reason: reason, Docker: dockerClient()})
}

// openEngine opens the engine of the local AWS that runs.
func (s *session) openEngine(ctx context.Context) (builderFound, error) {
	local := s.local
	if local.Endpoint == "" {
		var err error
		if local, err = s.runningLocal(ctx); err != nil {
			return builderFound{}, absentError{err}
		}
	}
	if local.BuildKit == "" {
		return builderFound{}, absentError{fmt.Errorf("the %s engine of local AWS cannot build images", local.Engine)}
	}
	reason := "the built-in engine"
	if local.Engine == localaws.EngineDocker {
		reason = "local AWS's, on Docker"
	}
	return s.openDaemon(ctx, build.Config{Address: local.BuildKit, Reason: reason, Blobs: local.Blobs})
}

// dockerClient is the Docker client whose engine takes what is loaded; nil: there is none here.
func dockerClient() []string {
	if _, err := exec.LookPath("docker"); err != nil {
		return nil
	}
	return []string{"docker"}
}

func (s *session) openDaemon(ctx context.Context, c build.Config) (builderFound, error) {
	shared := s.buildConfig()
	c.Log, c.PlainHTTP, c.Credentials, c.Renew, c.Uploads = shared.Log, shared.PlainHTTP, shared.Credentials, shared.Renew, shared.Uploads
	b, err := build.New(c)
	if err != nil {
		return builderFound{}, err
	}
	if err := b.Greet(ctx); err != nil {
		return builderFound{}, err
	}
	return builderFound{Builder: b, facts: b.Facts}, nil
}

// buildConfig is what all builders share.
func (s *session) buildConfig() build.Config {
	c := build.Config{Log: s.log, Credentials: s.registryCredentials, Renew: s.renewCredentials, Uploads: cacheDir("uploads")}
	if s.plain.Local {
		c.PlainHTTP = []string{s.local.Host}
	}
	return c
}
