package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
)

// openBuildx opens the builder of docker buildx that a wish names, or the current one.
func (s *session) openBuildx(ctx context.Context, w builderWish) (builderFound, error) {
	shared := s.buildConfig()
	c := build.BuildxConfig{
		Builder: w.name, Reason: "the current builder", Log: s.log,
		CacheDir: cacheDir("layers"), PlainHTTP: shared.PlainHTTP, Credentials: shared.Credentials, Renew: shared.Renew, Uploads: shared.Uploads,
	}
	if w.by != "" {
		c.Reason = w.by
	}
	b, info, err := s.lookAtBuildx(ctx, c, w.by != "")
	switch {
	case errors.Is(err, build.ErrNoBuildx):
		return builderFound{}, absentError{err}
	case err != nil:
		return builderFound{}, err
	}
	if err := s.usable(info); err != nil {
		return builderFound{}, errors.Join(err, b.Close())
	}
	return builderFound{Builder: b, close: b.Close, facts: func(context.Context) (build.Facts, error) { return factsOf(info), nil }}, nil
}

// lookAtBuildx looks at a builder. Where it is going to build, and can, the connection for that is made meanwhile. One that
// nobody asked for may turn out not to reach local AWS, and is not started for that.
func (s *session) lookAtBuildx(ctx context.Context, c build.BuildxConfig, asked bool) (*build.Buildx, build.BuildxInfo, error) {
	if s.onlyLooks || s.plain.Local && !asked {
		info, err := build.InspectBuildx(ctx, c)
		if err != nil {
			return nil, info, err
		}
		c.Inspected = &info
		b, err := build.NewBuildx(c)
		return b, info, err
	}
	b, err := build.NewBuildx(c)
	if err != nil {
		return nil, build.BuildxInfo{}, err
	}
	info, err := b.Open(ctx, s.config.Image.Platforms, s.plain.Local && s.pushes, s.face.Emit)
	return b, info, err
}

// usable tells why a builder of docker buildx cannot serve this session.
func (s *session) usable(info build.BuildxInfo) error {
	var broken []string
	for _, n := range info.Nodes {
		if n.Err != "" {
			broken = append(broken, n.Err)
		}
	}
	if len(broken) > 0 && len(broken) == len(info.Nodes) {
		return fmt.Errorf("its builder %s does not answer: %s", info.Name, strings.Join(broken, "; "))
	}
	if s.plain.Local && s.pushes && info.OwnLoopback() {
		return fmt.Errorf("its builder %s (%s) does not reach local AWS's registry at %s, because it has a network of its own\n  make one that has the machine's network: docker buildx create --use --driver-opt network=host; or build with the built-in engine: --builder engine",
			info.Name, info.Driver, s.local.Host)
	}
	return nil
}

// factsOf are the facts of a builder of docker buildx.
func factsOf(info build.BuildxInfo) build.Facts {
	facts := build.Facts{Several: len(info.Nodes) > 1}
	for _, n := range info.Nodes {
		if facts.Version == "" {
			facts.Version = n.Version
		}
		facts.Platforms = append(facts.Platforms, n.Platforms...)
	}
	return facts
}

// cacheDir is where what of it has that name is remembered between commands; empty: nowhere.
func cacheDir(what string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "medusa-deploy", what)
}
