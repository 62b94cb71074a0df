package cli

import (
	"maps"

	"github.com/medusa-deploy/medusa-deploy/internal/build"
	"github.com/medusa-deploy/medusa-deploy/internal/config"
	"github.com/medusa-deploy/medusa-deploy/internal/release"
)

// cacheTag names the registry cache in the image's own repository.
const cacheTag = "cache"

// buildRequest maps what the config says of the image to a build. Its secrets are masked from now on.
func (s *session) buildRequest() release.BuildRequest {
	image := s.config.Image
	req := release.BuildRequest{
		ContextDir: image.Context, Dockerfile: image.Dockerfile, Stage: image.Stage, Platforms: image.Platforms,
		Args: maps.Clone(image.Args), Contexts: maps.Clone(image.Contexts), Cache: s.buildCache(),
		NoCache: image.Cache == config.CacheNone, Compression: image.Compression, Reproducible: image.Reproducible,
	}
	for _, one := range image.Secrets {
		req.Secrets = append(req.Secrets, release.BuildSecret{ID: one.ID, Env: one.Env, File: one.File})
	}
	for _, one := range image.SSH {
		agent := release.BuildSSH{ID: one.ID}
		if one.Path != "" {
			agent.Paths = []string{one.Path}
		}
		req.SSH = append(req.SSH, agent)
	}
	for _, value := range build.Secrets(req) {
		s.mask.Add("", value)
	}
	if req.Cache.Kind == release.CacheGHA {
		s.mask.Add("", s.getenv("ACTIONS_RUNTIME_TOKEN"))
	}
	return req
}

// buildCache is where build results are kept for the next machine. For the local target the builder's own memory does,
// unless a directory is asked for.
func (s *session) buildCache() release.BuildCache {
	image := s.config.Image
	switch {
	case image.Cache == config.CacheDirectory:
		return release.BuildCache{Kind: release.CacheDirectory, Ref: image.CacheDir}
	case s.plain.Local:
	case image.Cache == config.CacheRegistry:
		return release.BuildCache{Kind: release.CacheRegistry, Ref: cacheTag}
	case image.Cache == config.CacheGHA:
		return release.BuildCache{Kind: release.CacheGHA, Ref: image.Repository}
	}
	return release.BuildCache{}
}
